"""Runs as pandas data frames (`emorealm_results.load`)."""

import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from emorealm_results.share import tables
from emorealm_results.share.columns import SAMPLES, SCORES

if TYPE_CHECKING:
    import pandas as pd


class Frames(NamedTuple):
    """The two tables, whose columns are those of :mod:`emorealm_results.share.columns`."""

    samples: "pd.DataFrame"
    """A row a reply."""
    scores: "pd.DataFrame"
    """A row a score."""


def load(places: Sequence[str | Path]) -> Frames:
    """As `emorealm_results.load`, of a list."""
    if not places:
        raise ValueError("no run is named: give the --output_path of one, or several")
    captured = io.StringIO()
    try:
        # what ends a command is an error here: a notebook goes on
        with contextlib.redirect_stderr(captured):
            runs = tables.read([Path(place).expanduser() for place in places])
    except SystemExit as stopped:
        raise ValueError(captured.getvalue().strip().removeprefix("emorealm: ") or "it cannot be read") from stopped
    print(captured.getvalue(), end="", file=sys.stderr)
    return Frames(tables.frame(SAMPLES, tables.samples(runs)), tables.frame(SCORES, tables.scores(runs)))
