"""What is dropped after the questions are written, each for its reason, and what is reported."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from avem_train.curation import pipeline, recipe
from avem_train.curation.data.rows import Filtered
from avem_train.curation.questions import clip as clips
from avem_train.curation.stages import filter as stage
from curation import ORACLE, answering, asking, content, context, described, manifest
from emorealm_tasks.emotions import EMOTIONS

PLAIN = {"balance": False, "match_labels": False, "longest": 0.0}
OPTIONS = [("right", "A smile shows it."), ("irrelevant", "A hat shows it."), ("hallucinated", "A nod shows it.")]
OPTIONS.append(("hallucinated", "A jump shows it."))


def basic(number=0, emotion="happiness", options=OPTIONS, guessed_by=()):
    row = described(f"clip{number}", emotion)
    text = "What explains it?"
    made = clips.question(row, "reasoning_basic_video", 1, text, options, "right", 0, modality="video")
    return filtered(made, guessed_by)


def stress(number, subtask, emotion="happiness", guessed_by=()):
    row = described(f"clip{number}", emotion)
    right = "yes" if subtask == "no_hallucination" else "no"
    task = "reasoning_stress_video"
    made = clips.question(row, task, 1, "Does it?", clips.YES_NO, right, 0, modality="video", subtask=subtask)
    return filtered(made, guessed_by)


def filtered(row, guessed_by):
    return Filtered.model_validate(row | {"guessed_by": list(guessed_by)}).model_dump()


def run(rows, labels=None, seed=0, **settings):
    return stage.whole(rows, context(stage.Settings(**settings), labels=labels or {}, seed=seed))


def kinds(outcome):
    return Counter(one.kind for one in outcome.dropped)


def test_each_client_guesses_from_the_text_and_letters_alone():
    row = basic()
    letter = stage.LETTERS[row["answer"]]
    ask, asked = asking({"TextGuess": {"answer": letter}})
    settings = stage.Settings(clients=["one", "two"])
    (made,) = stage.each(row, ask, context(settings)).rows
    assert made["guessed_by"] == ["one", "two"]
    (_, request), _ = asked
    assert request.media == ()
    assert f"({letter}) A smile shows it." in request.text
    assert "smiles broadly" not in request.text  # no caption
    assert request.schema["properties"]["answer"]["enum"] == ["A", "B", "C", "D"]
    wrong = "ABCD"[(row["answer"] + 1) % 4]
    ask, _ = asking({"TextGuess": {"answer": wrong}})
    assert stage.each(row, ask, context(settings)).rows[0]["guessed_by"] == []


def test_only_what_all_clients_guess_is_dropped():
    rows = [basic(0, guessed_by=["a", "b"]), basic(1, guessed_by=["a"]), basic(2)]
    outcome = run(rows, clients=["a", "b"], **PLAIN)
    assert [(one.id, one.kind) for one in outcome.dropped] == [("clip0_reasoning_basic_video_1", "guessed from text")]
    assert outcome.report["guessed_from_text"] == {
        "reasoning_basic_video": {
            "questions": 3,
            "chance": 0.25,
            "accuracy": {"a": 2 / 3, "b": 1 / 3},
            "guessed_by_all": 1,
            "expected_by_chance": 3 / 16,
        }
    }


def test_without_clients_nothing_is_taken_for_guessed():
    outcome = run([basic(0)], **PLAIN)
    assert outcome.dropped == []
    assert outcome.report["guessed_from_text"]["reasoning_basic_video"]["expected_by_chance"] == 0


def test_a_right_option_unlike_the_others_in_length_is_dropped():
    longer = [("right", "A very broad and long and lasting smile shows what it is."), *OPTIONS[1:]]
    shorter = [("right", "Smile."), *OPTIONS[1:]]
    outcome = run([basic(0), basic(1, options=longer), basic(2, options=shorter)], longest=2.0)
    assert kinds(outcome) == {"length of options": 2}
    assert [row["clip"] for row in outcome.rows] == ["clip0"]
    assert "3.00 times as long" in outcome.dropped[0].reason


def test_stress_answers_and_kinds_of_no_become_even():
    rows = [stress(n, "no_hallucination") for n in range(9)]
    rows += [stress(n, "spurious") for n in range(9, 19)]
    rows += [stress(n, "hallucination") for n in range(19, 22)]
    outcome = run(rows, balance=True, match_labels=False)
    about = outcome.report["after"]["reasoning_stress_video"]
    assert about["answers"] == {"no": 7, "yes": 7}
    assert about["subtasks"] == {"hallucination": 3, "no_hallucination": 7, "spurious": 4}
    assert kinds(outcome) == {"balance": 8}
    assert "9 no_hallucination" in outcome.dropped[0].reason
    assert len(outcome.rows) + len(outcome.dropped) == len(rows)


def test_a_task_with_one_answer_only_goes():
    outcome = run([stress(n, "spurious") for n in range(5)])
    assert (len(outcome.rows), kinds(outcome)) == (0, {"balance": 5})


def test_labels_more_frequent_than_in_the_manifest_lose_clips_with_all_their_questions():
    labels = {"happiness": 50, "sadness": 50}
    rows = [row for n in range(40) for row in (basic(n), basic(n) | {"id": f"second{n}"})]
    rows += [basic(n, "sadness") for n in range(40, 60)]
    outcome = run(rows, labels, balance=False, tolerance=0.05)
    shares = outcome.report["labels"]
    assert shares["source"] == {"happiness": 0.5, "sadness": 0.5}
    assert shares["before"]["happiness"] == pytest.approx(40 / 60)
    assert 0.5 < shares["after"]["happiness"] <= 0.55
    assert set(kinds(outcome)) == {"label distribution"}
    gone = {one.row["clip"] for one in outcome.dropped}
    assert not gone & {row["clip"] for row in outcome.rows}
    assert len(run(rows, labels, balance=False, match_labels=False).rows) == len(rows)


def test_right_options_stand_at_each_position_equally_often():
    rows = [basic(n) for n in range(41)]
    outcome = run(rows, match_labels=False)
    counts = outcome.report["after"]["reasoning_basic_video"]["positions"]
    assert sorted(counts.values()) == [10, 10, 10, 11]
    assert len(set(outcome.report["before"]["reasoning_basic_video"]["positions"].values())) > 1
    for row in outcome.rows:
        assert row["roles"][row["answer"]] == "right"
        assert row["choices"][row["answer"]] == "A smile shows it."
        assert dict(zip(row["choices"], row["roles"], strict=True)) == {text: role for role, text in OPTIONS}


KINDS = st.sampled_from(["no_hallucination", "spurious", "hallucination"])
QUESTIONS = st.lists(st.tuples(KINDS, st.sampled_from(EMOTIONS[:3])), max_size=40)


@given(QUESTIONS, st.integers(0, 9))
def test_whatever_comes_in_is_even_at_the_end_and_nothing_is_lost(drawn, seed):
    rows = [stress(n, subtask, emotion) for n, (subtask, emotion) in enumerate(drawn)]
    labels = dict(zip(EMOTIONS[:3], (50, 30, 20), strict=True))
    outcome = run(rows, labels, seed)
    assert sorted([row["id"] for row in outcome.rows] + [one.id for one in outcome.dropped]) == sorted(
        row["id"] for row in rows
    )
    answers = Counter(row["roles"][row["answer"]] for row in outcome.rows)
    assert answers["yes"] == answers["no"]
    no = Counter(row["subtask"] for row in outcome.rows)
    spread = [no[kind] for kind in ("spurious", "hallucination") if any(kind == one for one, _ in drawn)]
    assert max(spread, default=0) - min(spread, default=0) <= 1
    places = Counter(row["answer"] for row in outcome.rows)
    assert abs(places[0] - places[1]) <= 2
    assert run(rows, labels, seed) == outcome
    assert run(outcome.rows, labels, seed).dropped == []


def test_labels_are_matched_in_what_the_balance_leaves():
    rows = [stress(n, "no_hallucination", "sadness") for n in range(40)]
    rows += [stress(n, "spurious", "happiness") for n in range(40, 60)]
    rows += [stress(n, "no_hallucination", "happiness") for n in range(60, 80)]
    labels = {"happiness": 50, "sadness": 50}
    outcome = run(rows, labels, tolerance=0.0)
    about = outcome.report["after"]["reasoning_stress_video"]["answers"]
    clips = Counter(row["emotion"] for row in outcome.rows)
    assert about["yes"] == about["no"] > 0
    assert abs(clips["happiness"] - clips["sadness"]) <= 2


@pytest.mark.parametrize(("settings", "said"), [({"tolerance": 2.0}, "tolerance"), ({"longest": 0.5}, "longest")])
def test_settings_out_of_range_are_named(settings, said):
    with pytest.raises(ValueError, match=said):
        stage.Settings(**settings)


STAGES = {
    "captions": {"picture": "server", "sound": "server", "frames": 2},
    "emotions": {"client": "server"},
    "questions": {"client": "server"},
    "filter": {"clients": ["server"], "match_labels": True},
}


def test_from_clips_to_a_filtered_benchmark_and_its_report(folder):
    server = answering(ORACLE)
    try:
        reports = pipeline.run(recipe.from_content(content(folder, server.url, STAGES)))
        asked = len(server.asked)
        again = pipeline.run(recipe.from_content(content(folder, server.url, STAGES)))
    finally:
        server.stop()
    assert [report.rows_in for report in reports] == [3, 3, 3, 27]
    assert again == reports
    assert len(server.asked) == asked
    out = folder / "out"
    rows = [json.loads(line) for line in (out / "filter.jsonl").read_text().splitlines()]
    rejects = [json.loads(line) for line in (out / "filter.rejects.jsonl").read_text().splitlines()]
    assert len(rows) + len(rejects) == 27
    report = json.loads((out / "filter.report.json").read_text())
    assert report["labels"]["source"] == {"happiness": 1.0}
    assert report["dropped"] == dict(reports[-1].rejects)
    assert sum(about["questions"] for about in report["after"].values()) == len(rows) == reports[-1].rows
    assert not (out / "questions.report.json").exists()


def test_another_manifest_makes_the_filter_run_again(folder):
    server = answering(ORACLE)
    try:
        pipeline.run(recipe.from_content(content(folder, server.url, STAGES, format="parquet")))
        videos = sorted(folder.glob("?.mp4"))
        manifest(folder, [*videos, videos[0]], ("happiness", "happiness", "happiness", "fear"))
        *_, report = pipeline.run(recipe.from_content(content(folder, server.url, STAGES, format="parquet")))
    finally:
        server.stop()
    assert len(parquet.read_table(folder / "out" / "filter.parquet")) == report.rows > 0
    report = json.loads((folder / "out" / "filter.report.json").read_text())
    assert report["labels"]["source"] == {"happiness": 0.75, "fear": 0.25}
    assert report["labels"]["missing"] == ["fear"]
