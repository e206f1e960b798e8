"""What the stage asks for, and its settings."""

from dataclasses import dataclass

from avem_train.curation.data.rows import Model
from avem_train.curation.stages.base import client


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    clients: list[str] = client([])
    """The clients that guess from the text alone; what all of them guess right is dropped (B.1)."""
    balance: bool = True
    """Whether answers of yes and no become equally frequent in each task."""
    match_labels: bool = True
    """Whether labels are as frequent among the clips as in the manifest (Fig. 7)."""
    tolerance: float = 0.05
    """By how much a label's share may differ from the manifest's, from 0 to 1."""
    longest: float = 2.0
    """A question is dropped whose right option is longer, or shorter, than its wrong ones on average by more than this
    factor, in words; 0 = none is."""


class TextGuess(Model):
    """The option that a model picks without the clip."""

    answer: str
    """A letter."""
