"""The five tasks' questions about a clip whose cues are known, in the forms of the paper (Fig. 2, Tables 9-11)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from emorealm_tasks.mini.language import wording
from emorealm_tasks.mini.world.sampling import Clip

Option = tuple[str, str]
"""A cue and the emotion it is said to show: an option of the Basic task."""


@dataclass(frozen=True)
class Question:
    """A question about a clip."""

    task: str
    """Released name of the task."""
    text: str
    """The question alone."""
    choices: list[str]
    """Such as "(A) Yes"."""
    answer: str
    """A letter."""
    subtask: str
    """One of "no_hallucination", "spurious", "hallucination" or ""."""
    emotion: str
    """The emotion of the modality asked about; of an agreement question, the emotion it names."""

    @property
    def prompt(self) -> str:
        """The text put to the model, as released: question and choices joined by spaces."""
        return " ".join([self.text, *self.choices])


def supports(clip: Clip, modality: str, option: Option) -> bool:
    """Whether the clip's truth bears the option out: the cue matters there, and the emotion is the modality's."""
    cue, emotion = option
    return emotion == clip.emotion(modality) and (cue in clip.shown(modality) or cue == clip.matters(modality))


def subtask(clip: Clip, modality: str, cue: str) -> str:
    """Stress sub-task a cue belongs to in a clip (Section 3.1): does it matter, is it merely there, or is it absent?"""
    if cue in clip.shown(modality) or cue == clip.matters(modality):
        return "no_hallucination"
    return "spurious" if cue in clip.scene(modality) else "hallucination"


def _yes_no(rng: np.random.Generator, yes: bool) -> tuple[list[str], str]:
    order = ["Yes", "No"] if rng.random() < 0.5 else ["No", "Yes"]
    return wording.lettered(order), wording.LETTERS[order.index("Yes" if yes else "No")]


def basic(
    rng: np.random.Generator, clip: Clip, modality: str, options: list[Option], given: Option | None = None
) -> Question:
    """Reasoning-Basic question from options of which exactly one is borne out; they are put in random order.

    given: the option whose letter is the answer; None = the right one. Raises ValueError unless exactly one option is
    borne out by the clip.
    """
    right = [option for option in options if supports(clip, modality, option)]
    if len(right) != 1:
        raise ValueError(f"{len(right)} of the options {options} are right for {clip}")
    order = [options[i] for i in rng.permutation(len(options))]
    texts = [wording.claim(rng, *option) for option in order]
    answer = wording.LETTERS[order.index(given or right[0])]
    return Question(
        f"reasoning_basic_{modality}",
        wording.basic_stem(rng, modality),
        wording.lettered(texts),
        answer,
        "",
        clip.emotion(modality),
    )


def stress(rng: np.random.Generator, clip: Clip, modality: str, cue: str) -> Question:
    """Stress-test question: does the cue suggest the emotion that the modality really conveys?"""
    kind = subtask(clip, modality, cue)
    choices, answer = _yes_no(rng, kind == "no_hallucination")
    emotion = clip.emotion(modality)
    return Question(
        f"reasoning_stress_{modality}", wording.stress_stem(rng, modality, cue, emotion), choices, answer, kind, emotion
    )


def agreement(rng: np.random.Generator, clip: Clip, emotion: str, given: bool | None = None) -> Question:
    """Modality Agreement question about an emotion that at least one modality conveys.

    given: whether the answer is yes; None = the right one.
    """
    if emotion not in (clip.emotion_video, clip.emotion_audio):
        raise ValueError(f"{emotion} is conveyed by neither modality of {clip}")
    choices, answer = _yes_no(rng, clip.emotion_video == clip.emotion_audio if given is None else given)
    return Question("modality_agreement", wording.agreement_stem(rng, emotion), choices, answer, "", emotion)


def item(question: Question, identifier: str, video: str) -> dict[str, Any]:
    """The question in the released layout, with the sub-task and the emotion as two more fields."""
    return {
        "id": identifier,
        "task": question.task,
        "video": video,
        "question": question.text,
        "choices": question.choices,
        "answer": question.answer,
        "subtask": question.subtask,
        "emotion": question.emotion,
    }
