"""Reads what runs left behind: tables, audits, comparisons. In Python and notebooks: :func:`load`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emorealm_results.share.frames import Frames

__all__ = ["load"]


def load(paths: "str | Path | Sequence[str | Path]") -> "Frames":
    """The runs at one or several places as two pandas data frames, ``samples`` and ``scores``.

    A place is the --output_path of a run with --log_samples, or a folder of such. ``samples`` has one row a question
    and run, ``scores`` one row a score and run, in percent (of descriptions 1 to 10) with the ends of its 95% interval;
    the scores are made again from the replies. :mod:`emorealm_results.share.columns` lists both tables' columns.
    Raises ValueError, with the place and what to do, where a place holds no such run or a damaged file.
    """
    from emorealm_results.share import frames

    return frames.load([paths] if isinstance(paths, str | Path) else list(paths))
