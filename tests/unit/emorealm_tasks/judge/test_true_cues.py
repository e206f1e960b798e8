"""The judge of the embedded world: its counts on descriptions written by hand, and on the references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorealm_tasks.judge import true_cues
from emorealm_tasks.metrics.description import CRITERIA
from emorealm_tasks.mini.build import emer_layout
from emorealm_tasks.mini.world.cues import BY_NAME, CUES
from emorealm_tasks.mini.world.sampling import sample_clip

TRUTH = {
    "emotions": ["happiness"],
    "present": ["smile", "clapping", "laughter", "balloon", "clock", "siren"],
    "relevant": ["smile", "clapping", "laughter", "balloon"],
}


def judged(text, truth=TRUTH):
    return tuple(true_cues.verdict(text, truth).scores[name] for name in CRITERIA)


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        # all four relevant cues, the emotion, each a reason, none invented
        ("A wide grin, clapping hands, chuckling and a red balloon convey joy.", (10, 10, 10, 10)),
        # clue F1 = 2 * 1 / (1 + 4) = 0.4 -> 1 + 9 * 0.4 = 4.6 -> 5
        ("The smile shows happiness.", (5, 10, 10, 10)),
        # sobbing: invented (1 of 2), speaks for sadness and not for joy (1 of 2): 1 + 4.5 -> 6; F1 = 2 / 6 -> 4
        ("The smile and the sobbing show happiness.", (4, 10, 6, 6)),
        # the clock is there and means nothing: F1 = 2 / 6 -> 4, spurious 1 of 2 -> 6
        ("The smile and the clock show happiness.", (4, 10, 6, 10)),
        # the wrong emotion, for which a smile does not speak
        ("The smile shows sadness.", (5, 1, 1, 10)),
        # an invented cue with the emotion that it would mean: apt, but not there
        ("Tears on the cheeks show sadness.", (1, 1, 10, 1)),
        # two emotions, one of them conveyed: F1 = 2 / 3 -> 7
        ("Happiness, and some anger.", (1, 7, 1, 10)),
        ("", (1, 1, 1, 10)),
        ("I cannot say.", (1, 1, 1, 10)),
    ],
)
def test_scores_follow_the_counts(text, scores):
    assert judged(text) == scores


def test_what_is_denied_or_said_to_mean_nothing_is_not_claimed():
    said = true_cues.claims("No tears. Sobbing is not heard. She does not seem angry. A scream is absent. A smile.")
    assert said.cues == {"smile"}
    assert said.emotions == frozenset()
    said = true_cues.claims("The clock is merely there and joy is felt.")
    assert (said.cues, said.idle, said.reasons) == ({"clock"}, {"clock"}, frozenset())


def test_every_cue_is_recognised_in_each_of_its_phrases():
    for cue in CUES:
        for phrase in cue.phrases:
            assert true_cues.claims(f"There is {phrase}.").cues == {cue.name}, phrase


@given(st.integers(0, 10**6))
def test_a_reference_is_perfect_and_an_emptied_one_is_not(seed):
    clip = sample_clip(np.random.default_rng(seed))
    truth, reference = emer_layout.truth(clip), emer_layout.reference(clip)
    assert judged(reference, truth) == (10, 10, 10, 10)
    assert judged(reference.split(".")[-2], truth)[1] == 1
    assert set(truth["relevant"]) <= set(truth["present"])
    assert all(BY_NAME[name] for name in truth["present"])


@given(st.text())
def test_any_text_has_scores_in_range(text):
    assert all(1 <= score <= 10 for score in judged(text))
