"""Media read in threads before they are asked for, while the model works on those before them."""

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

from model_adapters.avere.clips import decode_threads, use_one_thread

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ReadAhead(Generic[Key, Value]):
    """Each value is read once between `start` and `take`, and held for no longer.

    read: raises what `take` shall raise. device: of the model; on a CPU each thread keeps to one core.
    """

    def __init__(self, read: Callable[[Key], Value], device: torch.device) -> None:
        self._read = read
        self._under_way: dict[Key, Future[Value]] = {}
        begin = use_one_thread if device.type == "cpu" else None
        self._pool = ThreadPoolExecutor(decode_threads(), "read", initializer=begin)

    def start(self, keys: Iterable[Key]) -> None:
        """Begin to read what is not under way."""
        for key in keys:
            if key not in self._under_way:
                self._under_way[key] = self._pool.submit(self._read, key)

    def take(self, key: Key) -> Value:
        """The value; waits for it, or reads it now."""
        waiting = self._under_way.pop(key, None)
        return waiting.result() if waiting else self._read(key)

    def close(self) -> None:
        """End the threads and forget what they read."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._under_way.clear()
