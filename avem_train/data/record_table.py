"""Preference records on disk, as a sequence: a record is in memory only while it is used."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from avem_train.data import tables
from avem_train.data.record_scan import scan
from avem_train.data.records import Preference, Problem

if TYPE_CHECKING:
    import datasets

_PATHS = ("video", "audio", "rejected_video", "rejected_audio")
_RESPONSES = ("chosen", "rejected_video_relevant", "rejected_emotion_relevant", "rejected_irrelevant")
_TEXTS = ("id", "prompt", "modality", "emotion", "right_under_rejected", *_RESPONSES)
_BATCH = 1_000
"""Records that are read at once where all of them are."""
_CLIPS = 1 << 14
"""Paths that are objects at once."""


class Records(Sequence[Preference]):
    """Rows of a table that `read` wrote.

    taken: which media the model takes. numbers: which rows, (records,) in order; None = all.
    """

    def __init__(self, table: "datasets.Dataset", taken: tuple[str, ...], numbers: np.ndarray | None = None) -> None:
        self._table, self._taken, self._numbers = table, taken, numbers

    def __len__(self) -> int:
        return len(self._table) if self._numbers is None else len(self._numbers)

    @overload
    def __getitem__(self, number: int) -> Preference: ...
    @overload
    def __getitem__(self, number: slice) -> list[Preference]: ...
    def __getitem__(self, number: int | slice) -> Preference | list[Preference]:
        if isinstance(number, slice):
            return self.at(range(len(self))[number])
        return self.at([range(len(self))[number]])[0]

    def __iter__(self) -> Iterator[Preference]:
        for start in range(0, len(self), _BATCH):
            yield from self.at(range(start, min(start + _BATCH, len(self))))

    def at(self, numbers: Sequence[int]) -> list[Preference]:
        """The records of these numbers."""
        if not numbers:
            return []
        columns = self._table[list(numbers) if self._numbers is None else self._numbers[list(numbers)]]
        rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
        return [_record(row, self._taken) for row in rows]

    def without(self, left_out: np.ndarray) -> "Records":
        """The records but for those that `left_out`, (records,) of bool, is true of."""
        numbers = np.arange(len(self._table)) if self._numbers is None else self._numbers
        return Records(self._table, self._taken, numbers[~left_out]) if left_out.any() else self


def read(
    path: Path, root: Path, unreadable: Callable[[Problem], None], taken: tuple[str, ...]
) -> tuple[Records, Counter[str]]:
    """The readable records of a file, and in how many of them each field is.

    unreadable: is told of the others. taken: which media the model takes. Stops where the file cannot be read at all.
    """
    import datasets

    features = datasets.Features(
        {name: datasets.Value("string") for name in (*_PATHS, *_TEXTS)} | {"released": datasets.Value("bool")}
    )
    names = Counter[str]()
    with tables.written(features) as rows:
        for one in scan(path, root, names):
            if isinstance(one, Problem):
                unreadable(one)
            else:
                rows.add(_row(one))
    return Records(rows.table, taken), names


def _row(record: Preference) -> dict[str, Any]:
    row = {name: value for name, value in vars(record).items() if name != "taken"}  # of the model, not of the record
    return row | {name: str(row[name]) if row[name] is not None else None for name in _PATHS}


def _record(row: dict[str, Any], taken: tuple[str, ...]) -> Preference:
    return Preference(taken=taken, **row | {name: _path(row[name]) for name in _PATHS})


@lru_cache(_CLIPS)
def _path(name: str | None) -> Path | None:
    """The file of a name; one object for as many records as name it."""
    return None if name is None else Path(name)
