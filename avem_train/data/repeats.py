"""Which records of many say the same: found by numbers of eight bytes, and told apart by what they say."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

One = TypeVar("One")


def duplicates(records: Sequence[One], content: Callable[[One], Hashable]) -> np.ndarray:
    """Whether an earlier record has the same content, (records,) of bool."""
    found = np.zeros(len(records), dtype=bool)
    for number, _, _ in repeated(records, content):
        found[number] = True
    return found


def repeated(records: Sequence[One], content: Callable[[One], Hashable]) -> Iterator[tuple[int, One, One]]:
    """Number of a record whose content an earlier one has, the first one that has it, and the record itself."""
    marks = numbers(content(record) for record in records)
    values, counts = np.unique(marks, return_counts=True)
    several = set(values[counts > 1].tolist())
    if not several:
        return
    first: dict[Hashable, tuple[int, One]] = {}
    for number, record in enumerate(records):
        if int(marks[number]) in several:
            earlier_number, earlier = first.setdefault(content(record), (number, record))
            if earlier_number != number:
                yield number, earlier, record


def numbers(contents: Iterable[Hashable]) -> np.ndarray:
    """A number for each content, (contents,) of int64; different contents have the same one only by rare chance."""
    return np.fromiter(map(hash, contents), dtype=np.int64)
