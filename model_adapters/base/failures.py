"""Requests without an answer: how they read, and how many a run may have."""

from loguru import logger

from emorealm_tasks.errors import shown, stop
from emorealm_tasks.harness.failures import FAILED
from emorealm_tasks.untrusted import brief, clean

_LONGEST = 2000
"""Characters of a message in an answer's place."""


class ErrorBudget:
    """Counts the failed requests of one call; beyond `max_errors` (a share, 0 to 1) of `total` the run stops."""

    def __init__(self, owner: str, max_errors: float, total: int, reported: set[str], reason: str) -> None:
        self.owner = owner
        self.max_errors = max_errors
        self.total = total
        self.reason = reason
        self.count = 0
        self._reported = reported

    def spend(self, message: str) -> str:
        """One more failed request: what stands in its answer's place. Each message is warned about once."""
        self.count += 1
        message = brief(message) if len(message) > _LONGEST else shown(clean(message))
        if message not in self._reported:
            self._reported.add(message)
            logger.warning(f"{self.owner}: {message}")
        if self.count > self.max_errors * self.total:
            stop(
                f"{self.owner}: {self.count} of {self.total} requests failed{self.reason}, more than max_errors="
                f"{self.max_errors:g} allows; the last: {message}"
            )
        return FAILED.format(message)


def cut(text: str, until: str | list[str] | None) -> str:
    """A reply at the door: clean text before the first stop string in it, without white space around it."""
    text = clean(text)
    stops = [until] if isinstance(until, str) else until or []
    return text[: min((text.find(mark) for mark in stops if mark and mark in text), default=len(text))].strip()
