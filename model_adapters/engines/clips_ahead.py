"""Clips decoded by a few threads ahead of the one that is asked about."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from model_adapters.base.decode_ahead import decode_threads
from model_adapters.base.media_refs import ClipFiles

_AHEAD = 8

Decoded = TypeVar("Decoded")


class ClipsAhead(Generic[Decoded]):
    """What `read` makes of each of `clips`; they are asked for in that order, each as often as one likes."""

    def __init__(self, read: Callable[[ClipFiles], Decoded], clips: Iterable[ClipFiles]) -> None:
        self._begun = _ahead(read, clips)
        self._clip: ClipFiles | None = None
        self._future: Future[Decoded]

    def __call__(self, clip: ClipFiles) -> Decoded:
        """What `read` makes of `clip`, the last one or one after it. Raises what `read` raises."""
        while self._clip != clip:
            self._clip, self._future = next(self._begun)
        return self._future.result()


def _ahead(
    read: Callable[[ClipFiles], Decoded], clips: Iterable[ClipFiles]
) -> "Iterator[tuple[ClipFiles, Future[Decoded]]]":
    """Each clip with the reading of it, the next few under way."""
    with ThreadPoolExecutor(decode_threads(), "decode") as pool:
        begun: deque[tuple[ClipFiles, Future[Decoded]]] = deque()
        for clip in clips:
            begun.append((clip, pool.submit(read, clip)))
            if len(begun) > _AHEAD:
                yield begun.popleft()
        yield from begun
