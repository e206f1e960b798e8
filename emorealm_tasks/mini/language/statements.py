"""Statements about a clip with their verdicts: many decisions in one sequence, the densest lesson there is in it.

They say of cues that they are there or why they matter, and of the clip what it conveys. A verdict is a word, or the
letter of one of two options; so the step from knowing the answer to finding its letter is learnt with the rest.
"""

import numpy as np

from emorealm_tasks.mini.language import wording
from emorealm_tasks.mini.world.cues import CUES, affect_cues
from emorealm_tasks.mini.world.sampling import Clip, other_emotion

Statement = tuple[str, str]
"""A statement with its question mark (and options, where a letter is asked), and the verdict."""


def _presence(rng: np.random.Generator, clip: Clip, modality: str, true: bool) -> str:
    present = [*clip.shown(modality), *clip.scene(modality)]
    absent = [cue.name for cue in CUES if cue.modality == modality and cue.name not in present]
    return wording.presence(rng, modality, str(rng.choice(present if true else absent)))


def _claim(rng: np.random.Generator, clip: Clip, modality: str, true: bool) -> str:
    """A cue is said to show an emotion; false where the cue is absent or merely there, or the emotion another."""
    emotion, shown, matters = clip.emotion(modality), clip.shown(modality), clip.matters(modality)
    if true:
        return wording.claim(rng, matters if matters and rng.random() < 0.4 else str(rng.choice(shown)), emotion)
    hidden = [cue.name for cue in affect_cues(modality, emotion) if cue.name not in shown]
    idle = [name for name in clip.scene(modality) if name != matters]
    other = other_emotion(rng, emotion)
    strangers = [cue.name for cue in affect_cues(modality, other)]
    wrong = [(names, claimed) for names, claimed in ((hidden, emotion), (idle, emotion), (strangers, other)) if names]
    names, claimed = wrong[int(rng.integers(len(wrong)))]
    return wording.claim(rng, str(rng.choice(names)), claimed)


def _feeling(rng: np.random.Generator, clip: Clip, modality: str, true: bool) -> str:
    emotion = clip.emotion(modality)
    return wording.conveyed(rng, modality, emotion if true else other_emotion(rng, emotion))


def statement(rng: np.random.Generator, clip: Clip, modality: str, lettered: bool) -> Statement:
    """One statement about a modality ("video" or "audio") of a clip. lettered: the verdict is a letter."""
    true, kind = bool(rng.random() < 0.5), rng.random()
    if kind < 0.3:
        text = _presence(rng, clip, modality, true)
    elif kind < 0.75:
        text = _claim(rng, clip, modality, true)
    elif kind < 0.85:
        text = _feeling(rng, clip, modality, true)
    else:
        true = clip.emotion_video == clip.emotion_audio
        text = wording.conveyed(rng, "both", clip.emotion(modality))
    verdict = "Yes" if true else "No"
    if not lettered:
        return f"{text[:-1]}?", verdict
    if rng.random() < 0.15:
        text = f"{verdict}."  # says its own verdict: only the letter is to be found
    options = ["Yes", "No"] if rng.random() < 0.5 else ["No", "Yes"]
    return " ".join([f"{text[:-1]}?", *wording.lettered(options)]), wording.LETTERS[options.index(verdict)]


def statements(
    rng: np.random.Generator, clip: Clip, modality: str, count: int, lettered: float
) -> tuple[str, list[Statement]]:
    """A prompt and `count` statements to judge; with chance `lettered` all the verdicts are letters, else words."""
    by_letter = bool(rng.random() < lettered)
    return wording.PRESENT[modality], [statement(rng, clip, modality, by_letter) for _ in range(count)]
