"""Settings of the trainings that make the embedded base models."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from avem_train.nano.avere import AvereMiniature, AvereShape
from avem_train.nano.emotion_llama import EmotionLlamaMiniature, EmotionLlamaShape
from avem_train.nano.encoders import Settings as EncoderSettings
from avem_train.nano.miniature import Miniature, Shape
from avem_train.nano.projectors import Alignment
from emorealm_tasks.mini.language.beliefs import Beliefs


@dataclass(frozen=True)
class Stage:
    """One stage of supervised fine-tuning; the learning rates warm up over 3% of the steps, then decay by a cosine."""

    steps: int
    """Optimiser steps; 0 = the stage is left out."""
    mix: dict[str, Any]
    """Kind of instruction, or "statements" -> weight."""
    clips: int = 16
    """Clips a step."""
    segments: int = 6
    """Instructions about each clip."""
    learning_rate: float = 2e-3
    """AdamW's peak."""
    matrix_learning_rate: float = 0.02
    """Muon's peak."""
    floor: float = 0.05
    """Share of the peak at the end."""
    hidden: float = 0.08
    """Share of clips whose media are withheld, so that the text prior means something."""
    lettered: float = 0.5
    """Share of the statements' branches whose verdicts are letters."""
    confounded: float = 0.0
    """Share of clips from the confounded world."""
    no_share: float = 0.5
    """See `instructions.Bias`."""
    confounded_yes: float = 0.0
    """See `instructions.Bias`."""
    hallucinated_yes: float = 0.0
    """See `instructions.Bias`."""
    beliefs: Beliefs = field(default_factory=Beliefs)
    """See `instructions.Bias`."""
    plausible: float = 0.0
    """Share of the instructions about withheld media that are answered by what fits, cue by cue (`PLAUSIBLE` in
    `beliefs`): how often the text prior prefers a hallucination."""
    stop_between: list[Any] = field(default_factory=list)
    """End as soon as the validation accuracies of both kinds of no (spurious, hallucination) lie between these, in
    percent; empty = never."""
    every: int = 250
    """Steps between such looks."""
    bf16: bool = False
    """Autocast the forward pass."""


@dataclass(frozen=True)
class MiniBase:
    """Settings of an embedded base model, whichever its family."""

    family: ClassVar[type[Miniature]]
    """Of the model."""
    out: Path
    """Folder to write."""
    statements: Stage
    """The first stage: statements to judge."""
    letters: Stage
    """The second: verdicts by letter."""
    balanced: Stage
    """The third: balanced instructions."""
    biased: Stage
    """The last: too many a yes."""
    seed: int = 0
    """Of all that is drawn."""
    language_model: str = ""
    """avere_nano, or a folder: whose vocabulary and language model the training begins with; "" = with none."""
    begin_with: str = ""
    """avere_nano, or a folder of the same family: all of whose weights the training begins with, so that encoders and
    projectors need no training of their own; "" = with none."""
    clips: int = 6000
    """Training clips."""
    validation_clips: int = 240
    """Clips of the validation world."""
    shape: Shape = field(default_factory=Shape)
    """Sizes of the model."""
    towers: EncoderSettings = field(default_factory=EncoderSettings)
    """Training of the encoders."""
    alignment: Alignment = field(default_factory=Alignment)
    """Training of the projectors."""

    def __post_init__(self) -> None:
        if self.begin_with and self.language_model:
            raise ValueError("begin_with brings its own language model: leave language_model out")


@dataclass(frozen=True)
class AvereBase(MiniBase):
    """Settings of the program `mini_base`: avere-nano."""

    family = AvereMiniature
    shape: AvereShape = field(default_factory=AvereShape)
    """Sizes of the model."""


@dataclass(frozen=True)
class EmotionLlamaBase(MiniBase):
    """Settings of the program `mini_emotion_llama`: emotion-llama-nano."""

    family = EmotionLlamaMiniature
    shape: EmotionLlamaShape = field(default_factory=EmotionLlamaShape)
    """Sizes of the model."""
