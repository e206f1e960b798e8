"""How many of each kind may stay, so that all are equally frequent."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

KindT = TypeVar("KindT", bound=Hashable)


def most(counts: Mapping[KindT, int]) -> int:
    """The largest number that can be taken so that no two kinds differ by more than one."""
    least = min(counts.values(), default=0)
    return sum(min(count, least + 1) for count in counts.values())


def share(total: int, counts: Mapping[KindT, int]) -> dict[KindT, int]:
    """`total`, at most `most(counts)`, over the kinds, so that no two differ by more than one."""
    base, rest = divmod(total, max(len(counts), 1))
    largest = sorted(counts, key=lambda kind: -counts[kind])
    return {kind: base + (largest.index(kind) < rest) for kind in counts}


def even(answers: Mapping[str, Mapping[KindT, int]]) -> dict[str, dict[KindT, int]]:
    """Answer -> kind of question -> how many there are; returned: how many stay.

    All answers become equally frequent, and within an answer no two kinds differ by more than one. No larger number
    fulfils that; where an answer has no questions that is none.
    """
    total = min(most(counts) for counts in answers.values())
    return {answer: share(total, counts) for answer, counts in answers.items()}
