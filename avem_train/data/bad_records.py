"""Records that cannot be trained on: what is done about them, the list of them, and the one report."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from avem_train.data.records import Problem

BAD_RECORDS = "bad_records.jsonl"
ON_BAD_RECORD = ("stop", "skip")
_MOST_LISTED = 10  # records of each kind of fault spelled out in a report


@dataclass(frozen=True)
class BadRecords:
    """What is done about records that cannot be trained on."""

    out: Path
    """The folder of the list of them, bad_records.jsonl."""
    on_bad_record: str = "stop"
    """"stop" prints the report and stops if any record is bad; "skip" prints it and leaves them out."""
    prints: bool = True
    """Whether this process prints the report and writes the list; of several that read the same records one does."""

    def of_held_out(self) -> "BadRecords":
        """The same for held-out records: listed in a folder of their own, and any bad one stops."""
        return replace(self, out=self.out / "held_out", on_bad_record="stop")

    @property
    def list(self) -> Path:
        """The file that lists them."""
        return self.out / BAD_RECORDS


class Faults:
    """Problems as they are found: each goes to the list, and in memory are counts and the first of each kind.

    bad: where they are listed; None = nowhere. goes_on: whether the list is gone on with; else an earlier run's is
    removed.
    """

    def __init__(self, bad: BadRecords | None = None, goes_on: bool = False) -> None:
        self.records = 0
        """How many records are bad."""
        self._kinds = Counter[str]()
        self._first: dict[str, list[Problem]] = {}
        self._bad = bad if bad is not None and bad.prints else None
        self._file: IO[str] | None = None
        if self._bad is not None and not goes_on:
            self._bad.list.unlink(missing_ok=True)

    def add(self, problems: Sequence[Problem]) -> None:
        """Add those of one record."""
        self.records += bool(problems)
        for problem in problems:
            self._kinds[problem.kind] += 1
            first = self._first.setdefault(problem.kind, [])
            if len(first) < _MOST_LISTED:
                first.append(problem)
            if self._bad is not None:
                self._listing(self._bad).write(json.dumps(asdict(problem)) + "\n")

    def _listing(self, bad: BadRecords) -> IO[str]:
        if self._file is None:
            bad.out.mkdir(parents=True, exist_ok=True)
            self._file = bad.list.open("a", encoding="utf-8")
        return self._file

    def close(self) -> None:
        """Have all of them on disk; what comes later is added there."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def report(self, path: Path, count: int) -> str:
        """The one report: how many of `count` records are bad, and of each kind of fault how often and the first."""
        report_lines = [f"{path}: {self.records} of {count} records cannot be trained on."]
        for kind, times in self._kinds.most_common():
            report_lines.append(f"  {kind}: {times}")
            first = self._first[kind]
            report_lines += [f"    {problem.id}: {problem.reason}" for problem in first]
            if times > len(first):
                report_lines.append(f"    ... and {times - len(first)} more")
        return "\n".join(report_lines)
