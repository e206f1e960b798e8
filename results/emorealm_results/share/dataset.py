"""Runs -> the folder of a hub dataset."""

from collections.abc import Sequence
from pathlib import Path

from emorealm_results.console.words import counted
from emorealm_results.share import card, licences, tables
from emorealm_results.share.columns import SAMPLES, SCORES
from emorealm_results.share.files import parquet
from emorealm_tasks import files


def write(folder: Path, repository: str, places: Sequence[Path]) -> str:
    """Write samples.parquet, scores.parquet and the card README.md; returns what they hold, in words.

    Stops where a place holds no run. Raises OSError.
    """
    runs = tables.read(places)
    samples, scores = tables.samples(runs), tables.scores(runs)
    parquet(folder / "samples.parquet", SAMPLES, [licences.publishable(row) for row in samples])
    parquet(folder / "scores.parquet", SCORES, [licences.without_places(row) for row in scores])
    files.write(folder / "README.md", card.render(repository, runs, scores))
    return f"{len(samples):,} samples and {len(scores):,} scores of {counted(len(runs), 'run')}"
