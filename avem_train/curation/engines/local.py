"""Rows through a stage on this machine, several at a time, results in the rows' order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from avem_train.curation.data.rows import Row
from avem_train.curation.stages.work import Result

_AHEAD = 4  # rows under way or waiting for an earlier one, for each thread


def run(rows: Iterable[Row], work: Callable[[Row], Result], threads: int) -> Iterator[Result]:
    """The result of each row, in order; no more rows are held than are under way. Ends at the first exception."""
    pool = ThreadPoolExecutor(threads, "curate")
    waiting: deque[Future[Result]] = deque()
    try:
        for row in rows:
            waiting.append(pool.submit(work, row))
            if len(waiting) >= _AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also at Ctrl-C: what waits is dropped, what came is in the cache
        pool.shutdown(wait=False, cancel_futures=True)
