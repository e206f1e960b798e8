"""Which process answers which questions, where several share a run: all questions about a clip go to one of them.

lmms-eval deals out a task's questions one by one. A clip's questions then lie on several ranks, and each of them
decodes, encodes and prefills that clip for itself. Here a clip is given to a rank as a whole, for all tasks of the run.
Every rank finds the same shares by itself: all build the same tasks in the same order. Questions keep their numbers.
"""

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from emorealm_tasks.benchmarks.rows import Row

_ROW = frozenset({"id", "task", "clip", "video", "audio", "question", "choices", "answer", "left_out"})
"""Fields by which a question of ours is known."""


class ClipShares:
    """Clips dealt out to ranks, task by task, so that each rank has about as many questions of each task.

    lmms-eval repeats questions on the ranks that have fewer of a task than another: shares must be even in each task.
    """

    def __init__(self, ranks: int) -> None:
        self._rank_of: dict[tuple[str, ...], int] = {}
        self._questions = [0] * ranks

    def ranks(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """The rank of each row; the same again for rows that were dealt out before."""
        sizes = Counter(map(_media, rows))
        of_task = [0] * len(self._questions)
        for media, size in sizes.items():
            if media in self._rank_of:
                of_task[self._rank_of[media]] += size
        for media, size in sorted(sizes.items(), key=lambda item: -item[1]):
            if media not in self._rank_of:
                rank = min(range(len(of_task)), key=lambda one: (of_task[one], self._questions[one]))
                self._rank_of[media] = rank
                of_task[rank] += size
                self._questions[rank] += size
        return [self._rank_of[_media(row)] for row in rows]


def _media(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a model encodes for a question; its clip where it is asked with text alone."""
    return (row["video"], row["audio"]) if row["video"] or row["audio"] else (row["clip"],)


@functools.cache
def _shares(ranks: int) -> ClipShares:
    """Those of this process."""
    return ClipShares(ranks)


def by_clip(create_iterator: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """lmms-eval's `create_iterator`, which gives a rank its part of what is numbered, for questions of ours."""

    @functools.wraps(create_iterator)
    def create(raw_iterator: Iterable[Any], rank: int, world_size: int, limit: Any = None, offset: Any = 0) -> Any:
        """A rank's part: of questions of ours whole clips, of others what lmms-eval gives it."""
        items = iter(raw_iterator)
        first = list(itertools.islice(items, 1)) if int(world_size) > 1 else []
        items = itertools.chain(first, items)
        if not (first and _is_ours(first[0])):
            return create_iterator(items, rank, world_size, limit, offset)
        numbered: list[tuple[int, Row]] = list(create_iterator(items, 0, 1, limit, offset))
        ranks = _shares(int(world_size)).ranks([row for _, row in numbered])
        return iter([item for item, owner in zip(numbered, ranks, strict=True) if owner == int(rank)])

    return create


def _is_ours(item: object) -> bool:
    """Whether something numbered is a question of ours; lmms-eval also hands over plain numbers, to count them."""
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Mapping) and item[1].keys() >= _ROW
