"""What asking costs: prices, the ledger of an output folder, and its budget."""

import errno
import math
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from emorealm_tasks import chat_batches
from emorealm_tasks.errors import warn_once


class BudgetSpent(Exception):
    """The next request could cost more than the budget allows; the message says what was spent and how to go on."""


@dataclass(frozen=True)
class Price:
    """What tokens cost."""

    tokens_in: float = 0.0
    """US dollars for a million tokens of the prompt."""
    tokens_out: float = 0.0
    """US dollars for a million tokens of the reply."""

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """Dollars."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6

    @property
    def by_batch(self) -> "Price":
        """The price of the same by batch."""
        return Price(self.tokens_in * chat_batches.PRICE, self.tokens_out * chat_batches.PRICE)


class Ledger:
    """Dollars paid for an output folder, one line a paid reply; threads and processes may share it.

    A line is appended as soon as its reply is in the cache, so a process that is killed loses none of the count.
    """

    def __init__(self, path: Path, budget: float | None) -> None:
        """budget: dollars over the folder's whole life; None = no limit."""
        self.path = path
        self.budget = budget
        self._lock = Lock()
        self._read = 0
        self._dollars = 0.0
        self._reserved = 0.0

    @property
    def dollars(self) -> float:
        """All that was paid, by other processes too."""
        with self._lock:
            return self._total()

    def add(self, dollars: float) -> None:
        """Note what a reply cost; nothing is noted of free ones. Raises OSError."""
        if not dollars:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                line = f"\n{dollars:.9f}\n".encode()  # begun anew: what is there may have been cut short
                if os.write(descriptor, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            finally:
                os.close(descriptor)

    def reserve(self, dollars: float) -> None:
        """Take requests that are under way for so much into account; less than 0 = they no longer are."""
        with self._lock:
            self._reserved += dollars

    def left(self) -> float:
        """Dollars of the budget that are neither spent nor reserved; infinity where there is no budget."""
        if self.budget is None:
            return math.inf
        with self._lock:
            return self.budget - self._total() - self._reserved

    def check(self, more: float = 0.0) -> None:
        """Raise BudgetSpent once the budget is used up, or too small for `more` dollars."""
        if self.budget is not None and ((left := self.left()) <= 0 or left < more):
            under_way = f" and ${self._reserved:.2f} under way in batches" if self._reserved else ""
            raise BudgetSpent(
                f"${self.dollars:.2f} of the budget of ${self.budget:.2f} are spent{under_way}; what was answered is "
                "kept: the same command with a larger budget= goes on from here"
            )

    def _dollars_of(self, line: bytes) -> float:
        """What a line says; 0 where a full disk or a power failure left none."""
        try:
            return float(line)
        except ValueError:
            warn_once(str(self.path), f"{self.path}: a line in it is no number, and is not counted as spent")
            return 0.0

    def _total(self) -> float:
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                added = file.read()
        except FileNotFoundError:
            return 0.0
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        self._dollars += sum(map(self._dollars_of, whole.split()))
        return self._dollars
