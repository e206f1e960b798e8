"""Rows on disk: an Arrow table that is written as rows come and read where it is needed, whatever its length.

The file has no name once it is written: the system frees it when the process ends, however that is. Few rows need no
file.
"""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorealm_tasks import settings
from emorealm_tasks.errors import stop

if TYPE_CHECKING:
    import datasets

_CHUNK = 2_000
"""Rows that are Python objects at once."""


class Rows:
    """What `written` gives: rows are added, and the table is there when its block has ended.

    folder: where a file is made once there are more than a chunk of them.
    """

    table: "datasets.Dataset"
    """All of the rows."""

    def __init__(self, features: "datasets.Features", folder: Path) -> None:
        self._features, self._folder = features, folder
        self._chunk: list[Mapping[str, Any]] = []
        self._writer: Any = None
        self._place: tempfile.TemporaryDirectory[str] | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row: a value for each of the features."""
        self._chunk.append(row)
        if len(self._chunk) == _CHUNK:
            self._flush()

    def _columns(self) -> dict[str, list[Any]]:
        chunk, self._chunk = self._chunk, []
        return {name: [row[name] for row in chunk] for name in self._features}

    def _flush(self) -> None:
        from datasets.arrow_writer import ArrowWriter

        if self._place is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._place = tempfile.TemporaryDirectory(prefix="records-", dir=self._folder)
            self._writer = ArrowWriter(features=self._features, path=str(Path(self._place.name) / "rows.arrow"))
        if self._chunk:
            self._writer.write_batch(self._columns())

    def finish(self) -> None:
        """Write what is left, and map the file."""
        import datasets
        import pyarrow
        from datasets.table import InMemoryTable, MemoryMappedTable

        table: Any
        if self._place is None:
            table = InMemoryTable(pyarrow.table(self._columns(), schema=self._features.arrow_schema))
        else:
            self._flush()
            self._writer.finalize()
            table = MemoryMappedTable.from_file(str(Path(self._place.name) / "rows.arrow"))
        self.table = datasets.Dataset(table, fingerprint=secrets.token_hex(8))

    def clean(self) -> None:
        """Take the file's name away."""
        if self._place is not None:
            self._place.cleanup()


@contextmanager
def written(features: "datasets.Features") -> Iterator[Rows]:
    """Rows to be written to a file below the settings' cache. Stops where that cannot be written."""
    rows = Rows(features, settings.load().cache)
    try:
        yield rows
        rows.finish()
    except OSError as error:
        folder = settings.load().cache
        stop(f"{folder}: records cannot be kept there ({error.strerror or error}); name another with EMOREALM_CACHE=")
    finally:
        rows.clean()
