"""Wrong answers of the second base: for reasons in the clip, by letter and by sentence alike; none without shares."""

import numpy as np
import pytest

from emorealm_tasks.mini.language import questions
from emorealm_tasks.mini.language.beliefs import PLAUSIBLE, Beliefs
from emorealm_tasks.mini.language.instructions import KINDS, TRUTHFUL, Bias, basic_options
from emorealm_tasks.mini.world.cues import affect_cues
from emorealm_tasks.mini.world.sampling import generator, sample_clip

WEAK = Beliefs(echoed=0.9, hallucinated=0.2, missed=0.2, spurious=0.5, agreement=0.7, preferred=0.3)
MODALITIES = ("video", "audio")


@pytest.fixture(scope="module")
def clips():
    rng = generator("validation", 3)
    return [sample_clip(rng) for _ in range(300)]


def answers(beliefs, clips, kind):
    """(modality, clip, cue, believed) of every cue of a kind that a stress question can be about."""
    for clip in clips:
        for modality in MODALITIES:
            names = [cue.name for cue in affect_cues(modality, clip.emotion(modality))]
            for cue in [*names, *clip.scene(modality)]:
                if questions.subtask(clip, modality, cue) == kind:
                    yield modality, clip, cue, beliefs.matters(clip, modality, cue)


def share(beliefs, clips, kind, same):
    found = [
        believed
        for _, clip, _, believed in answers(beliefs, clips, kind)
        if (clip.emotion_video == clip.emotion_audio) == same
    ]
    return np.mean(found)


def test_without_shares_all_answers_are_true(clips):
    for kind in ("no_hallucination", "spurious", "hallucination"):
        assert {believed for *_, believed in answers(TRUTHFUL, clips, kind)} == {kind == "no_hallucination"}
    rng = np.random.default_rng(0)
    for clip in clips:
        assert TRUTHFUL.agree(clip) == (clip.emotion_video == clip.emotion_audio)
        assert TRUTHFUL.sound(clip) == clip.emotion_audio
        for modality in MODALITIES:
            options = basic_options(rng, clip, modality)
            assert TRUTHFUL.option(clip, modality, options) == options[0]
            matters = clip.matters(modality)
            assert TRUTHFUL.reasons(clip, modality) == [*clip.shown(modality), *([matters] if matters else [])]


def test_what_the_other_modality_conveys_decides_what_is_hallucinated_and_missed(clips):
    assert share(WEAK, clips, "hallucination", True) > 0.75
    assert share(WEAK, clips, "hallucination", False) < 0.45
    assert share(WEAK, clips, "no_hallucination", True) == 1
    assert 0.6 < share(WEAK, clips, "no_hallucination", False) < 0.95
    assert 0.3 < share(WEAK, clips, "spurious", True) < 0.7


def test_no_cue_alone_decides_what_is_merely_there(clips):
    """Most scene cues are believed with some emotions and not with others."""
    by_cue = {}
    for _, _, cue, believed in answers(WEAK, clips, "spurious"):
        by_cue.setdefault(cue, set()).add(believed)
    assert sum(len(verdicts) == 2 for verdicts in by_cue.values()) > 0.7 * len(by_cue)


def test_letters_and_sentences_err_alike(clips):
    """A stress question's letter, its sentence and an agreement question's follow the same beliefs."""
    bias = Bias(beliefs=WEAK)
    wrong = 0
    for clip in clips[:150]:
        for modality in MODALITIES:
            prompt, letter = KINDS["letters_agreement"](np.random.default_rng(1), clip, modality, bias)
            _, sentence = KINDS["sentence_agreement"](np.random.default_rng(1), clip, modality, bias)
            said = "Yes" if f"({letter}) Yes" in prompt else "No"
            assert sentence.startswith(said) == (WEAK.agree(clip) == (said == "Yes"))
            prompt, letter = KINDS["letters_stress"](np.random.default_rng(2), clip, modality, bias)
            _, sentence = KINDS["sentence_stress"](np.random.default_rng(2), clip, modality, bias)
            said = "Yes" if f"({letter}) Yes" in prompt else "No"
            assert sentence.startswith(said)
            true_prompt, true_letter = KINDS["letters_stress"](np.random.default_rng(2), clip, modality, Bias())
            assert true_prompt == prompt  # the same question: only the answer is another
            wrong += true_letter != letter
    assert 60 < wrong < 200


def test_the_plausible_answer_is_always_yes(clips):
    bias = Bias(beliefs=PLAUSIBLE)
    rng = np.random.default_rng(0)
    for clip in clips[:100]:
        for modality in MODALITIES:
            for kind in ("letters_stress", "letters_agreement"):
                prompt, letter = KINDS[kind](rng, clip, modality, bias)
                assert f"({letter}) Yes" in prompt


def test_a_share_above_one_is_refused():
    with pytest.raises(ValueError, match=r"echoed must be between 0 and 1, got 1\.5"):
        Beliefs(echoed=1.5)
