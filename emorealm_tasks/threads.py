"""Calls in several threads, whose results are taken in the order in which they come."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

AHEAD = 2
"""Calls, for each thread, that are under way or whose results wait to be taken."""

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def as_completed(
    call: Callable[[Item], Outcome], items: Iterable[Item], threads: int
) -> Generator[tuple[Item, Outcome], None, None]:
    """Each item with what `call` made of it, the first to end first. Ends at the first exception, or when closed.

    The caller has seen all results but those of AHEAD x `threads` calls at most: if it stops at what it sees (a server
    that is gone), no more requests than that were sent in vain. `concurrent.futures.as_completed` bounds nothing, and
    what has ended before it is asked comes in any order.
    """
    ended: SimpleQueue[Future[Outcome]] = SimpleQueue()
    under_way: dict[Future[Outcome], Item] = {}
    remaining = iter(items)
    pool = ThreadPoolExecutor(threads)

    def begin(count: int) -> None:
        for item in islice(remaining, count):
            future = pool.submit(call, item)
            under_way[future] = item
            future.add_done_callback(ended.put)

    try:
        begin(AHEAD * threads)
        while under_way:
            future = ended.get()
            yield under_way.pop(future), future.result()
            begin(1)
    finally:  # also at Ctrl-C: what waits is dropped, what is under way comes to its end
        pool.shutdown(wait=True, cancel_futures=True)
