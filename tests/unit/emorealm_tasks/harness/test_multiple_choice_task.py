"""Replies -> records -> table rows."""

import itertools
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorealm_tasks import metrics
from emorealm_tasks.harness import media_log, multiple_choice
from emorealm_tasks.metrics import intervals

DOC = {
    "id": "s1",
    "clip": "part_1/1.mp4",
    "task": "reasoning_stress_audio",
    "subtask": "spurious",
    "answer": "B",
    "choices": ["(A) Yes", "(B) No"],
    "question": "Does the laughter suggest joy?",
    "video": "/v/1.mp4",
    "audio": "",
    "given_clip": "part_1/1.mp4",
    "left_out": "{}",
}
NAMES = [entry["metric"] for entry in multiple_choice.METRIC_LIST]


@pytest.fixture(autouse=True)
def _no_log(monkeypatch):
    monkeypatch.delenv(media_log.VARIABLE, raising=False)


def test_no_metric_name_contains_another():
    """lmms-eval's groups take every metric whose name contains the one they ask for."""
    clashes = [pair for pair in itertools.permutations(NAMES, 2) if pair[0] in pair[1]]
    assert clashes == []


def test_every_returned_key_is_a_listed_metric():
    """A key that is no listed metric becomes [] in the results, and a group that meets it crashes."""
    left_out = {"left_out": json.dumps({"missing": 1, "unreadable": 0, "soundless": 0, "questions": 2})}
    for task in metrics.TASKS:
        choices = ["(A) x", "(B) y"] if "basic" in task else DOC["choices"]
        scored = multiple_choice.process_results(DOC | left_out | {"task": task, "choices": choices}, ["A"])
        assert set(scored) <= set(NAMES)
        assert next(iter(scored)) == "emorealm_score"


def test_a_record_holds_all_readings():
    record = multiple_choice.process_results(DOC, ["No, there is a laugh."])["emorealm_score"]["record"]
    assert record == {
        "id": "s1",
        "clip": "part_1/1.mp4",
        "task": "reasoning_stress_audio",
        "subtask": "spurious",
        "gold": "B",
        "choices": ["(A) Yes", "(B) No"],
        "question": "Does the laughter suggest joy?",
        "raw": "No, there is a laugh.",
        "official": False,  # a bare "No" never counts there
        "official_lenient": False,  # "a" is taken for choice A
        "strict": "B",
        "error": "",
        "given_clip": "part_1/1.mp4",
        "media": "unknown",
    }


def test_a_failed_request_is_no_answer_in_any_reading():
    scored = multiple_choice.process_results(DOC, ["[LMMS_EVAL_REQUEST_FAILED] B is the answer"])["emorealm_score"]
    record = scored["record"]
    assert (record["official"], record["official_lenient"], record["strict"]) == (False, False, "")
    assert record["error"].startswith("[LMMS_EVAL_REQUEST_FAILED]")
    assert (scored["score"], scored["pred_answer"]) == (0, "none")


@given(st.text(max_size=80))
def test_no_reply_makes_scoring_raise(text):
    """An exception there is retried for 20 minutes and loses the run."""
    scored = multiple_choice.process_results(DOC, [text])
    assert scored["emorealm_score"]["score"] in (0, 1)
    json.dumps(scored)


def test_scoring_that_fails_is_an_error_of_the_record(monkeypatch):
    monkeypatch.setattr(multiple_choice.answers, "choose_option", lambda *_: 1 / 0)
    record = multiple_choice.process_results(DOC, ["B"])["emorealm_score"]["record"]
    assert "ZeroDivisionError" in record["error"]
    assert record["strict"] == ""


@pytest.mark.parametrize(
    ("results", "letter"),
    [
        ([(0.2, True), (3.0, False)], "A"),  # losses
        ([(-3.0, False), (-0.2, True)], "B"),  # log-probabilities
        (["(-3.0, False)", "(np.float64(-0.2), True)"], "B"),  # as lmms-eval 0.7.3 hands them over
        (["(1e-05, True)", "(2.5, False)"], "A"),
    ],
)
def test_the_likeliest_option_is_the_answer(results, letter):
    record = multiple_choice.process_likelihoods(DOC, results)["emorealm_score"]["record"]
    assert (record["strict"], record["official"]) == (letter, letter == "B")


@pytest.mark.parametrize("results", [["(-inf, False)", "(-1.0, False)"], ["nothing", "(1, True)"], [(1.0, True)], []])
def test_likelihoods_that_cannot_be_compared_are_an_error(results):
    record = multiple_choice.process_likelihoods(DOC, results)["emorealm_score"]["record"]
    assert record["error"]
    assert record["strict"] == ""


def _collected(replies: list[tuple[dict, str]]) -> dict[str, list]:
    collected: dict[str, list] = {}
    for doc, reply in replies:
        for name, value in multiple_choice.process_results(doc, [reply]).items():
            collected.setdefault(name, []).append(value)
    return collected


def _table(collected: dict[str, list]) -> dict[str, float | None]:
    aggregations = {entry["metric"]: entry["aggregation"] for entry in multiple_choice.METRIC_LIST}
    return {name: aggregations[name](values) for name, values in collected.items()}


def test_the_table_equals_the_metrics_and_intervals_of_its_records():
    replies = [
        (DOC | {"id": str(n), "clip": f"{n % 7}", "answer": "AB"[n % 2], "subtask": metrics.SUBTASKS[n % 3]},
         ["A", "B", "no idea", "A"][n % 4])
        for n in range(40)
    ]  # fmt: skip
    collected = _collected(replies)
    table = _table(collected)
    records = [value["record"] for value in collected["emorealm_score"]]
    ends = intervals.score_intervals(records, "official")["accuracy"]
    assert (table["accuracy_low_official"], table["accuracy_high_official"]) == ends
    assert table["accuracy_strict"] == metrics.task_scores(records, "strict")["accuracy"]
    scores = metrics.task_scores(records, "official")
    for subtask in ("spurious", "hallucination"):
        assert table[f"sub_{subtask}_official"] == scores[subtask]
    assert table["emorealm_score"] == metrics.task_scores(records, "official")["accuracy"]
    assert table["table5_stress"] == scores["f1"]
    assert table["unparsed_rate"] == 25.0
    assert "table5_basic" not in table
    assert len(table) <= 9  # rows of a task; lmms-eval prints them all, W&B gets a metric each


def test_scores_without_questions_are_none_and_the_groups_mean_bears_it():
    table = _table(_collected([(DOC, "B")]))
    assert table["table5_stress"] is None  # no question whose answer is yes
    assert multiple_choice.unweighted_mean([table["table5_stress"], 50.0], [1, 1], False) is None
    assert multiple_choice.unweighted_mean([100.0, 50.0], [1, 99], False) == 75.0


def test_left_out_clips_are_counted_beside_the_scores():
    left_out = json.dumps({"missing": 3, "unreadable": 1, "soundless": 0, "questions": 6})
    table = _table(_collected([(DOC | {"left_out": left_out}, "B")]))
    assert (table["clips_missing"], table["clips_unreadable"], table["clips_soundless"]) == (3, 1, 0)
    assert table["questions_left_out"] == 6
    assert "clips_missing" not in _table(_collected([(DOC, "B")]))


def test_replies_survive_the_way_between_processes():
    values = multiple_choice.process_results(DOC, ["B"])
    again = pickle.loads(pickle.dumps(values["accuracy_strict"]))
    assert (again.metric, again.record) == ("accuracy_strict", values["emorealm_score"]["record"])
    assert json.loads(json.dumps(again)) == ""  # the answer is saved once, in the record


def test_media_really_given_are_attached_from_the_side_file(monkeypatch, tmp_path):
    monkeypatch.setenv(media_log.VARIABLE, str(tmp_path / "media.jsonl"))
    given_ = {"clip": "/v/1.mp4", "audio": "/v/1.mp4", "frames": 8, "times": [0.0, 0.1], "audio_seconds": 2.0}
    media_log.append(given_)
    media_log.append(given_ | {"clip": "/v/2.mp4"})
    with (tmp_path / "media.jsonl").open("a") as file:
        file.write('{"clip": "/v/3')  # another process is still writing
    unread = {"decoder": None, "decoded": None, "damaged_packets": None, "cut_short": None}  # not by our reader
    assert multiple_choice.make_record(DOC, "B")["media"] == given_ | unread
    assert multiple_choice.make_record(DOC | {"audio": "/w/1.wav"}, "B")["media"] == "unknown"
    assert multiple_choice.make_record(DOC | {"video": ""}, "B")["media"] == "none"


def test_without_a_named_side_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    media_log.append({"clip": None, "audio": None})
    assert list(tmp_path.iterdir()) == []
