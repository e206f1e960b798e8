"""What asking costs: prices, the ledger of an output folder, and its budget."""

import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock


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
                os.write(descriptor, f"{dollars:.9f}\n".encode())
            finally:
                os.close(descriptor)

    def check(self) -> None:
        """Raise BudgetSpent once the budget is used up."""
        if self.budget is not None and (spent := self.dollars) >= self.budget:
            raise BudgetSpent(
                f"${spent:.2f} of the budget of ${self.budget:.2f} are spent; what was answered is kept: the same "
                "command with a larger budget= goes on from here"
            )

    def _total(self) -> float:
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                added = file.read()
        except FileNotFoundError:
            return 0.0
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        self._dollars += sum(float(line) for line in whole.split())
        return self._dollars
