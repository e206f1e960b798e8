"""What is asked of the leaderboard's page, and what it shows of analyses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emorealm_results.leaderboard.ranking import READING


@dataclass(frozen=True)
class Options:
    """The command's arguments that concern the page."""

    out: Path
    """Its folder."""
    reading: str = READING
    """How replies are read when the page opens: strict or official."""
    pictures: int = 120
    """Clips whose frames and sound are drawn, at most."""
    pairs: int = 28
    """Pairs of runs that are compared, at most."""
    clips: Path | None = None
    """Where clips are played from as BENCHMARK/CLIP, None for where they lie."""
    copied: int | None = None
    """Megabytes of clips to copy there, at most; None to copy none."""


@dataclass(frozen=True)
class Analyses:
    """What the page shows of analyses beside their numbers in the tables; nothing by default."""

    shown: Mapping[str, Any] = field(default_factory=dict)
    """Of the tab, as plain JSON types; {} = there are none."""
    swaps: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """Benchmark and question -> ``partner``, the clip, and ``models``: model -> cell -> probabilities and log-odds."""
