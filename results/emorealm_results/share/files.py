"""The two tables as files: Parquet, CSV, JSON Lines."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_results.share import tables
from emorealm_results.share.columns import Table
from emorealm_tasks import files

Rows = Sequence[Mapping[str, Any]]


def parquet(path: Path, table: Table, rows: Rows) -> None:
    """Typed, each field with its description. Raises OSError, as the others."""
    parquet_parts(path, table, [rows])


def parquet_parts(path: Path, table: Table, parts: Iterable[Rows]) -> None:
    """As `parquet`, of rows that are not in memory all at once."""
    from pyarrow import parquet as writer

    with files.draft(path) as beside, writer.ParquetWriter(beside, tables.arrow(table, []).schema) as into:
        for rows in parts:
            into.write_table(tables.arrow(table, rows))


def as_csv(path: Path, table: Table, rows: Rows) -> None:
    """Empty where there is no value; a list as JSON, true and false as such."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _spelled(value) for name, value in row.items()})
    files.write(path, text.getvalue())


def as_json_lines(path: Path, table: Table, rows: Rows) -> None:
    """An object a line, null where there is no value."""
    files.write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


WRITERS: dict[str, Callable[[Path, Table, Rows], None]] = {"parquet": parquet, "csv": as_csv, "jsonl": as_json_lines}
"""Ending of the file's name -> what writes it."""


def _spelled(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | bool) else value
