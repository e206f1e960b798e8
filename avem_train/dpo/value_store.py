"""Numbers by key, as many as there may be: in a temporary database on disk, of which a few MiB are in memory."""

import sqlite3
from collections.abc import Iterable, Iterator

_PAGES_KIB = 8192


class ValueStore:
    """A number for each key, 24 hexadecimal digits; gone with the process."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)  # "": a file without a name
        self._database.execute(f"PRAGMA cache_size = -{_PAGES_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE numbers (key BLOB PRIMARY KEY, value REAL) WITHOUT ROWID")

    def get(self, key: str) -> float | None:
        """The number of a key; None where there is none."""
        row = self._database.execute("SELECT value FROM numbers WHERE key = ?", (bytes.fromhex(key),)).fetchone()
        return None if row is None else float(row[0])

    def add(self, values: Iterable[tuple[str, float]]) -> None:
        """Add numbers; a key that is there gets its new one. Keys that are none are left out."""
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO numbers VALUES (?, ?)", _rows(values))
        self._database.execute("COMMIT")


def _rows(values: Iterable[tuple[str, float]]) -> Iterator[tuple[bytes, float]]:
    for key, value in values:
        try:
            yield bytes.fromhex(key), float(value)
        except (ValueError, OverflowError):  # a line of another kind, in a file that others may have changed
            continue
