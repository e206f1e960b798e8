"""Media decoded by a few threads ahead of their use; evaluation and training share it."""

import os
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch
from threadpoolctl import threadpool_limits

from emorealm_tasks import settings

_MOST = 32  # media that lie decoded, or are being decoded: memory stays bounded

Medium = TypeVar("Medium", bound=Hashable)
Decoded = TypeVar("Decoded")


def decode_threads() -> int:
    """How many clips are decoded at once (EMOREALM_DECODE_THREADS)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.load().decode_threads or min(4, cores)


class DecodeAhead(Generic[Medium, Decoded]):
    """What `decode` makes of each medium, computed in threads from `start` on, and taken once.

    device: of the model that waits for it. At most 32 media lie ready or are under way; others wait for a place.
    """

    def __init__(self, decode: Callable[[Medium], Decoded], device: torch.device) -> None:
        self._decode = decode
        self._begun: dict[Medium, Future[Decoded]] = {}
        self._waiting: dict[Medium, None] = {}
        begin = _use_one_thread if device.type == "cpu" else None
        self._pool = ThreadPoolExecutor(decode_threads(), "decode", initializer=begin)

    def start(self, media: Iterable[Medium]) -> None:
        """Begin with those that are not under way."""
        self._waiting |= dict.fromkeys(medium for medium in media if medium not in self._begun)
        self._fill()

    def take(self, medium: Medium) -> Decoded:
        """Wait for a medium, started or not. Raises what `decode` raises."""
        self._waiting.pop(medium, None)
        begun = self._begun.pop(medium, None) or self._pool.submit(self._decode, medium)
        self._fill()
        return begun.result()

    def ready(self, medium: Medium) -> Decoded | None:
        """A medium that is decoded already; it stays to be taken. None where it is not, or failed."""
        begun = self._begun.get(medium)
        return None if begun is None or not begun.done() or begun.exception() else begun.result()

    def _fill(self) -> None:
        while self._waiting and len(self._begun) < _MOST:
            medium = next(iter(self._waiting))
            del self._waiting[medium]
            self._begun[medium] = self._pool.submit(self._decode, medium)

    def close(self) -> None:
        """End the threads; forget what nobody has taken."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._begun.clear()
        self._waiting.clear()


def _use_one_thread() -> None:
    """Begin a thread that decodes for a model on the same cores: operators stay on this one thread.

    A team of threads for each decoder would outnumber the cores, and then OpenMP puts the model's own team to sleep
    between any two operators: all of its work takes 1.5 times as long.
    """
    torch.get_num_threads()  # at its first use in a thread torch sets the number; ours must come after
    threadpool_limits(1, user_api="openmp")
