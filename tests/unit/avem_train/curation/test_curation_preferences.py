"""Descriptions, preferences and instruction data: what is written, and what is dropped under which name."""

import copy
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avem_train.curation import pipeline, recipe
from avem_train.curation.asking.asker import Rejected
from avem_train.curation.preferences import checks, lettered
from curation import answering, content, form
from preference_rows import ABSENT, CUES, REPLIES, SPURIOUS, agreement, basic, description, guessed, stress, written

WORDS = st.lists(st.sampled_from(["smile", "tears", "dog", "hat", "a", "the"]), max_size=6).map(" ".join)


def run(folder, stage, settings, replies=REPLIES, **sources):
    """The report, rows and rejects of a stage over rows written by hand, and how often each form was asked for."""
    server = answering(replies)
    stages = {name: {} for name in sources} | {stage: settings}
    for name, rows in sources.items():
        written(folder / "out" / f"{name}.jsonl", rows)
    (folder / "out").mkdir(exist_ok=True)
    (folder / "out" / ".emorealm.json").write_text(json.dumps({"made_by": pipeline.MAKER}))
    try:
        loaded = recipe.from_content(content(folder, server.url, stages))
        (report,) = pipeline.run(loaded, [stage])
    finally:
        server.stop()
    found = [(folder / "out" / f"{stage}{part}.jsonl").read_text().splitlines() for part in ("", ".rejects")]
    rows, rejects = ([json.loads(line) for line in lines] for lines in found)
    return report, rows, rejects, [form(body) for body in server.asked]


def with_reply(name, place, **changed):
    """The fitting replies, of which one is changed: at `place`, or in itself."""
    replies = copy.deepcopy(REPLIES)
    (replies[name][place] if place else replies[name]).update(changed)
    return replies


def test_the_emotion_is_described_from_both_captions_and_from_each_that_is_sufficient(folder):
    clips = [guessed(guess_audio="sadness", explained_by=["video"]), guessed(id="clip1", guess_audio="")]
    replies = {"EmotionDescription": lambda body: {"description": f"It is {told(body)}."}}
    _, rows, rejects, _ = run(folder, "descriptions", {"client": "server"}, replies, emotions=clips)
    assert [(row["clip"], row["modality"], row["emotion"]) for row in rows] == [
        ("clip0", "audiovisual", "happiness"),
        ("clip0", "video", "happiness"),
        ("clip0", "audio", "sadness"),
        ("clip1", "audiovisual", "happiness"),
        ("clip1", "video", "happiness"),
    ]
    assert rejects == []
    assert rows[2]["description"] == "It is sadness."
    assert rows[0]["cues"] == guessed()["cues"]


def told(body):
    """The emotion that a prompt names."""
    return body["messages"][0]["content"].partition("The main person feels: ")[2].partition(".")[0]


@pytest.mark.parametrize(("text", "kind"), [("", "empty text"), ("A broad smile.", "emotion not named")])
def test_a_description_without_the_emotion_is_dropped(folder, text, kind):
    replies = {"EmotionDescription": {"description": text}}
    settings = {"client": "server", "alone": False}
    report, rows, rejects, _ = run(folder, "descriptions", settings, replies, emotions=[guessed()])
    assert (rows, report.rejects, rejects[0]["id"]) == ([], {kind: 1}, "clip0_description_audiovisual")


def test_questions_and_descriptions_become_preferences(folder):
    settings = {"client": "server", "letters": 0, "irrelevant": True}
    replies = REPLIES | {"IrrelevantVariation": irrelevant}
    sources = {"filter": [basic(), stress(), agreement()], "descriptions": [description()]}
    report, rows, rejects, asked = run(folder, "preferences", settings, replies, **sources)
    assert (report.rows_in, rejects) == (4, [])
    assert Counter(asked) == {
        "AnswerVariations": 1,
        "VerdictVariations": 2,
        "DescriptionVariations": 1,
        "IrrelevantVariation": 4,
        "CueMatches": 1,  # all four are by the same cues
    }
    first, verdict, agrees, described = rows
    assert first["chosen"] == "The broad smile shows the happiness of the person."
    assert first["rejected_video_relevant"] == SPURIOUS["text"]
    assert first["rejected_emotion_relevant"] == ABSENT["text"]
    assert [row["rejected_irrelevant"] != "" for row in rows] == [True] * 4
    assert (verdict["chosen"][:4], verdict["rejected_video_relevant"][:3]) == ("Yes,", "No,")
    assert (agrees["modality"], described["form"]) == ("audiovisual", "description")
    assert [len(row["provenance"]) for row in rows] == [3, 3, 3, 3]


def irrelevant(body):
    verdict = 'starts with "No' in body["messages"][0]["content"]
    text = "A barking dog in the garden frightens the person."
    return {"cue": "a barking dog", "text": f"No, {text}" if verdict else text}


def test_letters_stand_for_the_options_that_they_name(folder):
    settings = {"client": "server", "letters": 1, "irrelevant": True}
    _, rows, _, asked = run(folder, "preferences", settings, filter=[basic(), stress()])
    kinds = ("chosen", "rejected_video_relevant", "rejected_emotion_relevant", "rejected_irrelevant")
    assert [[row[kind] for kind in kinds] for row in rows] == [["A", "B", "C", "D"], ["B", "A", "A", "C"]]
    assert rows[1]["prompt"].endswith("of the character? (A) No (B) Yes")
    assert (asked, rows[0]["form"]) == ([], "reasoning_basic_video_letters")


ANSWER, VERDICT, NO_CUES = "AnswerVariations", "VerdictVariations", [one for one in CUES if one["relevant"]]


def meaning(statement, cue):
    return REPLIES | {"CueMatches": {"matches": [{"statement": statement, "cue": cue}]}}


FAULTS = [
    ("video-relevant cue by meaning explains", basic(), meaning(1, 1)),
    ("emotion-relevant cue by meaning present", basic(), meaning(2, 2)),
    ("emotion-relevant cue by meaning present", stress(), meaning(2, 3)),
    ("irrelevant cue by meaning present", description(), meaning(3, 1)),
    ("no valid check", basic(), meaning(2, 5)),
    ("empty text", basic(), with_reply(ANSWER, "video_relevant", cue="the")),
    (
        "same response",
        basic(),
        with_reply(
            ANSWER, "emotion_relevant", cue="happiness", text="the broad smile shows the happiness of the person"
        ),
    ),
    ("lengths differ", basic(), with_reply(ANSWER, "emotion_relevant", text="Raised arms " * 30)),
    ("cue not named", basic(), with_reply(ANSWER, "video_relevant", text="The hat shows the person's happiness.")),
    ("video-relevant cue absent", basic(), with_reply(ANSWER, "video_relevant", cue="a hat", text="A hat shows it.")),
    (
        "video-relevant cue explains",
        basic(),
        with_reply(ANSWER, "video_relevant", cue="the smile", text="The smile shows it."),
    ),
    (
        "emotion-relevant cue present",
        basic(),
        with_reply(ANSWER, "emotion_relevant", cue="a bright voice", text="A bright voice shows happiness."),
    ),
    ("wrong verdict", stress(), with_reply(VERDICT, "video_relevant", text="Yes, the yellow sweater suggests it.")),
    ("wrong verdict", stress(), with_reply(VERDICT, "", chosen="No, the broad smile suggests nothing.")),
    ("cue not named", stress(), with_reply(VERDICT, "", chosen="Yes, it does suggest much happiness.")),
    ("irrelevant cue present", basic(), with_reply("IrrelevantVariation", "", cue="sweater", text="A sweater, no?")),
    (
        "irrelevant names the emotion",
        basic(),
        with_reply("IrrelevantVariation", "", text="A barking dog makes the person happy."),
    ),
    ("no irrelevant cue", basic(cues=NO_CUES), REPLIES),
    ("no valid reply", basic(), REPLIES | {ANSWER: {"video_relevant": SPURIOUS}}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "row", "replies"), FAULTS)
def test_what_is_wrong_in_another_way_than_it_claims_is_dropped(folder, kind, row, replies):
    settings = {"client": "server", "letters": 0, "irrelevant": kind.startswith("irrelevant")}
    source = "descriptions" if row["is_a"] == "description" else "filter"
    report, rows, _, _ = run(folder, "preferences", settings, replies, **{source: [row]})
    assert (rows, report.rejects) == ([], {kind: 1})


def test_a_cue_that_means_an_irrelevant_one_passes_as_video_relevant(folder):
    _, rows, rejects, _ = run(
        folder, "preferences", {"client": "server", "letters": 0}, meaning(1, 2), filter=[basic()]
    )
    assert (len(rows), rejects) == (1, [])


def test_a_question_without_the_option_that_a_letter_stands_for_is_dropped(folder):
    row = basic(roles=["right", "irrelevant", "irrelevant", "irrelevant"])
    report, _, _, _ = run(folder, "preferences", {"client": "server", "letters": 1}, filter=[row])
    assert report.rejects == {"option missing": 1}


@given(chosen=WORDS, first=WORDS, second=WORDS, factor=st.floats(1, 4))
def test_responses_that_pass_differ_and_are_alike_in_length(chosen, first, second, factor):
    try:
        checks.check_texts(chosen, {"first": first, "second": second}, factor)
    except Rejected:
        return
    counts = [len(text.split()) for text in (chosen, first, second)]
    assert len({chosen, first, second}) == 3
    assert min(counts) > 0
    assert all(max(counts[0], count) <= factor * min(counts[0], count) for count in counts[1:])


@given(order=st.permutations(range(4)))
def test_the_right_letter_is_never_rejected(order):
    row = basic()
    moved = {name: [row[name][place] for place in order] for name in ("choices", "roles")}
    row |= moved | {"answer": moved["roles"].index("right")}
    wrong = lettered.rejected(row)
    assert sorted([*wrong.values(), lettered.right(row)]) == list("ABCD")
    assert moved["roles"]["ABCD".index(wrong["video_relevant"])] == "irrelevant"


@given(share=st.floats(0, 1))
def test_the_share_answered_by_letter_is_as_set(share):
    drawn = sum(lettered.by_letter({"id": number}, share, 0) for number in range(500)) / 500
    assert abs(drawn - share) < 0.09


def test_instructions_come_from_the_same_rows_and_ask_nobody(folder):
    spurious = stress(id="s", subtask="spurious", cue="a yellow sweater", answer=0)
    absent = stress(id="h", subtask="hallucination", cue="raised arms", answer=0)
    sources = {
        "filter": [basic(), stress(), spurious, absent, agreement(answer=0)],
        "descriptions": [description()],
    }
    _, rows, rejects, asked = run(folder, "supervise", {"letters": 0}, **sources)
    assert (rejects, asked) == ([], [])
    assert [row["response"] for row in rows] == [
        "The broad smile shows the happiness of the person.",
        "Yes, the sight of a broad smile suggests happiness.",
        "No, the sight of a yellow sweater does not suggest happiness.",
        "No, the sight of raised arms is not in the video.",
        "No, the audio and the video do not both convey happiness.",
        REPLIES["EmotionDescription"]["description"],
    ]
    _, rows, _, _ = run(folder, "supervise", {"letters": 1}, **sources)
    assert [row["response"] for row in rows[:3]] == ["A", "B", "A"]


def test_a_stage_of_several_sources_needs_one_of_them(folder, capsys):
    with pytest.raises(SystemExit):
        run(folder, "preferences", {"client": "server"})
    assert "none of these stages" in capsys.readouterr().err
