"""How fast a client may be asked: requests and tokens in a minute."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock


@dataclass
class Turn:
    """A request that may start."""

    tokens: int = 0
    """What it took, in and out, once that is known."""


class Pace:
    """Spaces requests evenly, so that at most so many requests and tokens start in a minute; threads share it.

    What a request takes is known when it is answered: until then it counts as much as the requests before it did on
    average, and the difference is made up for afterwards.
    """

    def __init__(self, requests: float | None = None, tokens: float | None = None) -> None:
        """requests, tokens: in a minute; None = any number."""
        self._apart = 60 / requests if requests else 0.0
        self._a_token = 60 / tokens if tokens else 0.0
        self._lock = Lock()
        self._next = 0.0
        self._tokens = 0
        self._answered = 0

    @contextlib.contextmanager
    def turn(self) -> Iterator[Turn]:
        """Wait until the next request may start. `tokens` of what comes is to be filled in within the block."""
        expected = self._wait() if self._apart or self._a_token else 0.0
        turn = Turn()
        try:
            yield turn
        finally:
            if self._a_token:
                self._settle(turn.tokens, expected)

    def _wait(self) -> float:
        with self._lock:
            expected = self._tokens / self._answered if self._answered else 0.0
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + max(self._apart, expected * self._a_token)
        time.sleep(start - now)
        return expected

    def _settle(self, tokens: int, expected: float) -> None:
        with self._lock:
            self._next += (tokens - expected) * self._a_token
            self._tokens += tokens
            self._answered += 1
