"""The questions about a clip: their forms, what is asked of which clip, and every reason to drop one."""

import contextlib
import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avem_train.curation.asking.asker import Rejected
from avem_train.curation.checks.leaks import named
from avem_train.curation.checks.likeness import alike, holds
from avem_train.curation.data.rows import Question
from avem_train.curation.questions import basic
from avem_train.curation.questions.clip import present
from avem_train.curation.questions.forms import BasicQuestion
from avem_train.curation.stages import questions
from curation import asking, context, cue, described
from emorealm_tasks.answers.task_names import TASKS
from emorealm_tasks.mini.world.cues import BY_NAME, CUES
from emorealm_tasks.mini.world.sampling import sample_clip

SETTINGS = questions.Settings(client="server")


def written(cue):
    return {"cue": cue, "text": f"{cue.capitalize()} reveals how the person feels."}


BASIC = {
    "video": {
        "question": "Which visible cue explains how the person feels?",
        "right": written("a broad smile"),
        "irrelevant": [written("a yellow sweater")],
        "hallucinated": [written("clapping hands"), written("a jump in the air")],
    },
    "audio": {
        "question": "Which audible cue explains how the person feels?",
        "right": written("laughter"),
        "irrelevant": [written("falling rain")],
        "hallucinated": [written("a whistled tune"), written("quick speech")],
    },
}
ABSENT = {"video": ["clapping hands"], "audio": ["a whistled tune"]}


def of_medium(replies):
    return lambda request: replies["video" if "clip's video" in request.text else "audio"]


def outcome(row, basic=BASIC, absent=ABSENT, settings=SETTINGS, matches=(), **more):
    """matches: pairs of words of a statement and of a cue, which the checker matches."""
    cues = {medium: {"cues": texts} for medium, texts in absent.items()}
    checker = {"CueMatches": lambda request: matching(request, matches)}
    ask, _ = asking({"BasicQuestion": of_medium(basic), "AbsentCues": of_medium(cues)} | checker)
    return questions.each(row, ask, context(settings, **more))


def matching(request, pairs):
    notes, statements = (request.values[name].splitlines() for name in ("cues", "statements"))
    return {
        "matches": [
            {"statement": statements.index(one) + 1, "cue": notes.index(note) + 1}
            for words, cue in pairs
            for one in statements
            for note in notes
            if words in one and cue in note
        ]
    }


def by_id(row, **more):
    return {one["id"]: one for one in outcome(row, **more).rows}


def test_an_explained_clip_gets_all_five_tasks():
    made = outcome(described())
    rows = [Question.model_validate(row) for row in made.rows]
    assert made.dropped == []
    assert {row.task for row in rows} == set(TASKS)
    assert len(rows) == 9
    assert {row.id: row.roles[row.answer] for row in rows} == {
        "clip_reasoning_basic_video_1": "right",
        "clip_reasoning_stress_video_1": "yes",
        "clip_reasoning_stress_video_2": "no",
        "clip_reasoning_stress_video_3": "no",
        "clip_reasoning_basic_audio_1": "right",
        "clip_reasoning_stress_audio_1": "yes",
        "clip_reasoning_stress_audio_2": "no",
        "clip_reasoning_stress_audio_3": "no",
        "clip_modality_agreement_1": "yes",
    }


def test_the_questions_say_what_they_should():
    rows = by_id(described())
    asked = {name: (row["subtask"], row["question"], row["cue"]) for name, row in rows.items() if "stress" in name}
    assert asked["clip_reasoning_stress_video_1"] == (
        "no_hallucination",
        "Does the sight of a broad smile suggest happiness of the character?",
        "a broad smile",
    )
    assert asked["clip_reasoning_stress_audio_2"] == (
        "spurious",
        "Does the sound of falling rain suggest happiness of the character?",
        "falling rain",
    )
    assert asked["clip_reasoning_stress_video_3"][::2] == ("hallucination", "clapping hands")
    basic = rows["clip_reasoning_basic_video_1"]
    assert basic["choices"][basic["answer"]] == "A broad smile reveals how the person feels."
    assert sorted(basic["roles"]) == ["hallucinated", "hallucinated", "irrelevant", "right"]
    assert "happiness" in rows["clip_modality_agreement_1"]["question"]
    assert sorted(rows["clip_modality_agreement_1"]["choices"]) == ["No", "Yes"]


def test_a_modality_that_does_not_explain_the_label_gets_neither_basic_nor_no_hallucination():
    rows = by_id(described(guess_audio="fear", explained_by=["video"]))
    assert {name for name in rows if "audio" in name} == {
        "clip_reasoning_stress_audio_2",
        "clip_reasoning_stress_audio_3",
    }
    agreement = rows["clip_modality_agreement_1"]
    assert agreement["roles"][agreement["answer"]] == "no"


def test_a_clip_without_sound_gets_no_question_about_it():
    rows = by_id(described(caption_audio="", guess_audio="", explained_by=["video"]))
    assert {row["modality"] for row in rows.values()} == {"video"}


def test_more_stress_questions_have_numbers_of_their_own():
    row = described()
    row["cues"] += [cue("crinkled eyes"), cue("a wooden chair", relevant=False)]
    absent = {"video": ["clapping hands", "a jump in the air"], "audio": ["a whistled tune", "quick speech"]}
    rows = by_id(row, absent=absent, settings=questions.Settings("server", stress=2))
    video = {name: one["subtask"] for name, one in rows.items() if "stress_video" in name}
    assert [video[f"clip_reasoning_stress_video_{number}"] for number in (1, 4, 2, 5, 3, 6)] == [
        kind for kind in ("no_hallucination", "spurious", "hallucination") for _ in range(2)
    ]


def changed(**changes):
    """The Basic reply about the picture with some fields changed."""
    reply = copy.deepcopy(BASIC)
    for name, value in changes.items():
        reply["video"][name] = value
    return reply


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"question": "What shows that the person is happy?"}, "label in question"),
        ({"question": "Why does she feel such JOY?"}, "label in question"),
        ({"question": " "}, "empty text"),
        ({"right": {"cue": "a broad smile", "text": ""}}, "empty text"),
        ({"right": written("a raised thumb")}, "right cue absent"),
        ({"irrelevant": [written("a blue hat")]}, "irrelevant cue absent"),
        ({"irrelevant": [written("a broad smile")]}, "options alike"),
        ({"irrelevant": []}, "wrong number of options"),
        ({"hallucinated": [written("clapping hands")]}, "wrong number of options"),
        ({"hallucinated": [written("clapping hands"), written("hands that clap")]}, "options alike"),
        ({"hallucinated": [written("clapping hands"), written("a dog")]}, "hallucinated cue present"),
        ({"hallucinated": [written("clapping hands"), written("happy laughter")]}, "hallucinated cue present"),
        (
            {"hallucinated": [written("clapping hands"), {"cue": "a nod", "text": "A broadly smiling nod shows it."}]},
            "wrong option true",
        ),
        ({"hallucinated": "clapping hands"}, "no valid reply"),
    ],
)
def test_a_basic_question_with_a_fault_is_dropped_and_the_others_stay(changes, kind):
    made = outcome(described(), basic=changed(**changes))
    assert [(one.id, one.kind) for one in made.dropped] == [("clip_reasoning_basic_video_1", kind)]
    assert made.dropped[0].reason
    assert len(made.rows) == 8


@pytest.mark.parametrize(
    ("absent", "kind"),
    [
        (["a smile"], "hallucinated cue present"),
        (["laughter"], "hallucinated cue present"),
        (["dogs"], "hallucinated cue present"),
        (["a happy dance"], "label in cue"),
        (["a joyful jump"], "label in cue"),
        (["."], "empty text"),
        ([], "no absent cue"),
    ],
)
def test_a_stress_question_with_a_fault_is_dropped_and_the_others_stay(absent, kind):
    made = outcome(described(), absent=ABSENT | {"video": absent})
    assert [(one.id, one.kind) for one in made.dropped] == [("clip_reasoning_stress_video_3", kind)]
    assert len(made.rows) == 8


BASIC_ID, ABSENT_ID = "clip_reasoning_basic_video_1", "clip_reasoning_stress_video_3"


@pytest.mark.parametrize(
    ("matches", "dropped"),
    [
        ([("jump in the air", "yellow sweater")], [(BASIC_ID, "hallucinated cue by meaning present")]),
        ([("jump in the air", "laughter")], [(BASIC_ID, "hallucinated cue by meaning present")]),
        ([("broad smile", "yellow sweater")], [(BASIC_ID, "right option by meaning irrelevant")]),
        ([("broad smile", "yellow sweater"), ("broad smile", "broad smile")], []),
        ([("yellow sweater", "broad smile")], [(BASIC_ID, "wrong option by meaning true")]),
        ([("yellow sweater", "yellow sweater"), ("broad smile", "broad smile")], []),
        (
            [("lapping hands", "broad smile")],
            [(BASIC_ID, "hallucinated cue by meaning present"), (ABSENT_ID, "hallucinated cue by meaning present")],
        ),
    ],
)
def test_a_question_that_means_what_it_must_not_is_dropped_whatever_its_words(matches, dropped):
    made = outcome(described(), matches=matches)
    assert [(one.id, one.kind) for one in made.dropped] == dropped
    assert len(made.rows) == 9 - len(dropped)


def test_the_checker_is_the_client_named_for_it_and_its_reply_is_checked():
    replies = {"BasicQuestion": of_medium(BASIC), "AbsentCues": {"cues": ["clapping hands"]}}
    ask, asked = asking(replies | {"CueMatches": {"matches": [{"statement": 9, "cue": 1}]}})
    made = questions.each(described(), ask, context(questions.Settings("server", checker="other")))
    assert {one.kind for one in made.dropped} == {"no valid check"}
    clients = {request.reply.__name__: client for client, request in asked}
    assert clients == {"BasicQuestion": "server", "AbsentCues": "server", "CueMatches": "other"}


def test_what_a_clip_lacks_is_said_of_each_question_that_needs_it():
    row = described()
    row["cues"] = [cue("laughter", "audio"), cue("falling rain", "audio", relevant=False), cue("a hat", relevant=False)]
    kinds = {one.id: one.kind for one in outcome(row).dropped}
    assert kinds == {
        "clip_reasoning_basic_video_1": "no relevant cue",
        "clip_reasoning_stress_video_1": "no relevant cue",
    }
    row["cues"] = [one for one in described()["cues"] if one["relevant"]]
    kinds = {one.id: one.kind for one in outcome(row).dropped}
    assert set(kinds.values()) == {"no irrelevant cue"}
    assert len(kinds) == 4


def test_the_order_of_options_comes_from_seed_and_id():
    def order(name, seed):
        return by_id(described(name), seed=seed)[f"{name}_reasoning_basic_video_1"]["roles"]

    assert order("clip", 3) == order("clip", 3)
    orders = {tuple(order(f"clip{number}", 3)) for number in range(12)}
    assert len(orders) > 3
    assert {roles.index("right") for roles in orders} == {0, 1, 2, 3}


SIX_CUES = st.lists(st.text("abcdefgh", min_size=5, max_size=9), min_size=6, max_size=6, unique=True)


@given(SIX_CUES, st.integers(0, 99))
def test_whatever_passes_has_one_right_option_among_four_that_differ(cues, seed):
    telling, idle, other, first, second, third = cues
    row = described("c", caption_video="x", caption_audio="", cues=[])
    row["cues"] = [cue(telling), cue(idle, relevant=False), cue(other, relevant=False)]
    made = None
    with contextlib.suppress(Rejected):
        irrelevant, hallucinated = basic.counts(row, "video", seed)
        reply = BasicQuestion.model_validate(
            {
                "question": "Which of it?",
                "right": written(telling),
                "irrelevant": [written(one) for one in (idle, other)[:irrelevant]],
                "hallucinated": [written(one) for one in (first, second, third)[:hallucinated]],
            }
        )
        made = basic.assembled(reply, row, "video", seed)
    if made is None:
        assert any(alike(a, b) for a in cues for b in cues if a is not b)
        return
    assert made["roles"].count("right") == 1
    assert made["roles"][made["answer"]] == "right"
    assert made["choices"][made["answer"]] == written(telling)["text"]
    assert len(set(made["choices"])) == len(made["roles"]) == 4


@pytest.mark.parametrize(
    ("text", "emotion", "word"),
    [
        ("How angrily does he speak?", "anger", "angrily"),
        ("What contempt is shown?", "contempt", "contempt"),
        ("Is she caught off guard?", "surprise", "caught off guard"),
        ("How helplessly does she look?", "helplessness", "helplessly"),
        ("What in the content of the video explains it?", "happiness", ""),
        ("Which tears explain it?", "sadness", ""),
        ("How sad is it?", "anger", ""),
    ],
)
def test_words_that_name_an_emotion(text, emotion, word):
    assert named(text, emotion) == word


def test_phrases_are_alike_by_the_words_that_tell_something():
    assert alike("a broad smile", "smiling broadly")
    assert alike("clenched fists", "a clenched fist")
    assert alike("smiles", "a broad smile")
    assert not alike("a trembling voice", "a loud voice")
    assert not alike("tears on the cheeks", "hands on the cheeks")
    assert holds("He sits. A dog was barking.", "a barking dog")
    assert not holds("He barks. There is a dog.", "a barking dog")


def test_in_the_embedded_world_every_cue_that_is_there_is_found_and_no_other():
    rng = np.random.default_rng(5)
    for _ in range(30):
        world = sample_clip(rng)
        there = {medium: [*world.shown(medium), *world.scene(medium)] for medium in ("video", "audio")}
        texts = {medium: [BY_NAME[name].phrases[0] for name in names] for medium, names in there.items()}
        row = described(caption_video="; ".join(texts["video"]), caption_audio="; ".join(texts["audio"]))
        row["cues"] = [cue(text, medium) for medium in texts for text in texts[medium]]
        found = {one.name for one in CUES if present(row, one.phrases[0])}
        assert found == {*there["video"], *there["audio"]}
