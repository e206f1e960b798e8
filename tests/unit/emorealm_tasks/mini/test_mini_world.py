import dataclasses
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.build import text_floor
from emorealm_tasks.mini.build.plan import CHANCE, plan
from emorealm_tasks.mini.build.sizes import sizes
from emorealm_tasks.mini.build.split import items
from emorealm_tasks.mini.language import instructions, questions
from emorealm_tasks.mini.render.canvas import SIZE
from emorealm_tasks.mini.render.picture import draw_frame
from emorealm_tasks.mini.render.sound import LENGTHS, RATE, synthesise
from emorealm_tasks.mini.world.cues import CUES, affect_cues, scene_cues
from emorealm_tasks.mini.world.sampling import companion, cue_records, generator, sample_clip

seeds = st.integers(0, 2**31)


@pytest.fixture(scope="module")
def split():
    return plan(generator("test", 3), 400)


def test_each_emotion_has_three_cues_a_modality_in_different_slots():
    for modality in ("video", "audio"):
        for emotion in EMOTIONS:
            slots = [cue.slot for cue in affect_cues(modality, emotion)]
            assert len(slots) == len(set(slots)) == 3


def test_every_emotion_has_a_companion_of_each_kind():
    for modality, kind in (("video", "object"), ("video", "clothes"), ("audio", "background")):
        assert {companion(modality, kind, e) for e in EMOTIONS} == {c.name for c in scene_cues(modality, kind)}


def test_a_plan_has_the_papers_proportions_and_one_right_answer_each(split):
    counts = Counter(q.task for _, asked in split for q in asked)
    assert counts == sizes(400)
    assert sum(counts.values()) / len(split) == pytest.approx(4000 / 2649, abs=0.02)
    for clip, asked in split:
        for question in asked:
            if "basic" in question.task:
                assert len(question.choices) == 4
            assert question.answer in [choice[1] for choice in question.choices]
            assert question.emotion in (clip.emotion_video, clip.emotion_audio)


def test_yes_and_no_and_the_kinds_of_no_are_balanced(split):
    for modality in ("audio", "video"):
        kinds = Counter(q.subtask for _, asked in split for q in asked if q.task == f"reasoning_stress_{modality}")
        assert kinds["no_hallucination"] == 2 * kinds["spurious"] == 2 * kinds["hallucination"] > 0


def test_text_alone_never_tells_yes_from_no(split):
    """For every pair of cue and emotion the stress test has as many yes as no; agreement likewise by emotion."""
    votes = defaultdict(Counter)
    by_phrase = {phrase: cue.name for cue in CUES for phrase in cue.phrases}
    for _, asked in split:
        for q in asked:
            if "stress" in q.task:
                cue = max((p for p in by_phrase if p in q.text), key=len)
                key = (q.task, by_phrase[cue], q.emotion)
            elif q.task == "modality_agreement":
                key = (q.task, q.emotion)
            else:
                continue
            votes[key][dict(zip("AB", q.choices, strict=True))[q.answer][4:]] += 1
    assert len(votes) > 50
    assert all(vote["Yes"] == vote["No"] for vote in votes.values())


def test_options_of_basic_are_right_equally_often(split):
    """Each set of four claims is asked four times, and each claim is right once."""
    from emorealm_tasks.mini.world.cues import FEELINGS

    cue_of = {phrase: cue.name for cue in CUES for phrase in cue.phrases}
    emotion_of = {noun: emotion for emotion, nouns in FEELINGS.items() for noun in nouns}

    def claim(choice):
        text = choice[4:].rstrip(".").lower()
        return cue_of[max((p for p in cue_of if text.startswith(p)), key=len)], emotion_of[text.split()[-1]]

    right = defaultdict(Counter)
    for _, asked in split:
        for q in asked:
            if "basic" in q.task:
                options = {choice[1]: claim(choice) for choice in q.choices}
                right[(q.task, frozenset(options.values()))][options[q.answer]] += 1
    assert len(right) > 30
    assert all(len(set(votes.values())) == 1 and len(votes) == 4 for votes in right.values())


@pytest.mark.slow
def test_a_fitted_bag_of_words_stays_at_chance():
    """A text-only classifier fitted on four times as many questions; the bound is chance + 3 standard errors."""
    known, asked = items(plan(generator("test", 11), 2400)), items(plan(generator("test", 12), 600))
    scores = text_floor.bag_of_words(known, asked)
    counts = Counter(item["task"] for item in asked)
    for task, chance in CHANCE.items():
        error = 100 * np.sqrt(chance / 100 * (1 - chance / 100) / counts[task])
        assert scores[task] < chance + 3 * error, task


def test_the_bag_of_words_finds_a_leak():
    """The classifier can tell: let yes go with one cue only, and it scores far above chance."""
    asked = [item for item in items(plan(generator("test", 1), 400)) if item["task"] == "reasoning_stress_video"]
    for item in asked:
        yes = "brows" in item["question"] or "top" in item["question"] or "mouth" in item["question"]
        item["answer"] = next(choice[1] for choice in item["choices"] if ("Yes" in choice) == yes)
    half = len(asked) // 2
    assert text_floor.bag_of_words(asked[:half], asked[half:])["reasoning_stress_video"] > 70


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_a_clip_is_what_its_seed_says(seed):
    clip = sample_clip(np.random.default_rng(seed))
    wave = synthesise(clip)
    assert LENGTHS[0] - 0.01 <= len(wave) / RATE <= LENGTHS[1] + 0.01
    assert np.abs(wave).max() <= 1
    assert np.sqrt((wave**2).mean()) > 0.01
    assert np.array_equal(wave, synthesise(clip))
    picture = draw_frame(clip, 0.7)
    assert picture.shape == (SIZE, SIZE, 3)
    assert np.array_equal(picture, draw_frame(clip, 0.7))


@pytest.mark.slow
@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_every_cue_shows(seed):
    """Adding or removing any visual affect cue changes the picture; any audio cue changes the sound."""
    rng = np.random.default_rng(seed)
    clip = sample_clip(rng)
    own = affect_cues("video", clip.emotion_video)
    for cue in own:
        without = dataclasses.replace(clip, seen=tuple(c.name for c in own if c != cue))
        with_it = dataclasses.replace(clip, seen=tuple(c.name for c in own))
        changed = np.abs(draw_frame(with_it, 0.6).astype(int) - draw_frame(without, 0.6)).max(-1) > 25
        assert changed.sum() >= 8, cue.name
    for cue in affect_cues("audio", clip.emotion_audio):
        one, other = (synthesise(dataclasses.replace(clip, heard=h)) for h in ((cue.name,), ()))
        assert np.abs(one - other).max() > 0.03, cue.name


@given(seed=seeds, confounded=st.booleans())
@settings(max_examples=60, deadline=None)
def test_instructions_tell_the_truth(seed, confounded):
    rng = np.random.default_rng(seed)
    clip = sample_clip(rng, confounded)
    for kind in instructions.KINDS:
        for modality in ("video", "audio"):
            prompt, response = instructions.KINDS[kind](rng, clip, modality, instructions.BALANCED)
            assert prompt
            assert response
    for modality in ("video", "audio"):
        options = instructions.basic_options(rng, clip, modality)
        assert len(set(options)) == 4
        assert sum(questions.supports(clip, modality, option) for option in options) == 1
        cue, yes = instructions.stress_cue(rng, clip, modality, instructions.BALANCED)
        assert yes == (questions.subtask(clip, modality, cue) == "no_hallucination")


def test_the_confounded_world_has_shortcuts_and_the_balanced_one_has_none():
    def share(confounded):
        rng = np.random.default_rng(0)
        clips = [sample_clip(rng, confounded) for _ in range(1500)]
        return np.mean([clip.clothes == companion("video", "clothes", clip.emotion_video) for clip in clips])

    assert share(False) == pytest.approx(1 / 7, abs=0.03)
    assert share(True) > 0.6


def test_cue_records_cover_the_table():
    clip = sample_clip(np.random.default_rng(5))
    rows = cue_records(clip)
    assert [row["name"] for row in rows] == [cue.name for cue in CUES]
    present = {row["name"] for row in rows if row["present"]}
    assert present == {*clip.seen, *clip.heard, *clip.scene("video"), *clip.scene("audio")}
    assert all(row["present"] for row in rows if row["matters"])


def test_splits_never_share_a_clip():
    made = {name: {clip.seed for clip, _ in plan(generator(name, 0), 100)} for name in ("validation", "test")}
    assert not made["validation"] & made["test"]
    with pytest.raises(ValueError, match="unknown split"):
        generator("dev", 0)
