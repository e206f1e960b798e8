"""What the stage asks for, and its settings."""

from dataclasses import dataclass

from avem_train.curation.data.rows import Model
from avem_train.curation.stages.base import client


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    client: str = client()
    """The client that writes options and names cues that are not there."""
    stress: int = 1
    """Stress questions of each kind about each modality of a clip."""


class WrittenOption(Model):
    """An option of a Basic question."""

    cue: str
    """What it explains the emotion by."""
    text: str


class BasicQuestion(Model):
    """A Basic question with its four options."""

    question: str
    right: WrittenOption
    irrelevant: list[WrittenOption]
    hallucinated: list[WrittenOption]


class AbsentCues(Model):
    """Cues that often come with an emotion and are not in the clip."""

    cues: list[str]
