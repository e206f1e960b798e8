"""What is asked of the leaderboard's page."""

from dataclasses import dataclass
from pathlib import Path

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
