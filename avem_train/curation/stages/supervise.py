"""Stage 6: instruction data of the same tasks and descriptions (Section D.2). Asks nobody."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    letters: float = 0.5
    """Share of the questions answered by letter; the others in a sentence."""
