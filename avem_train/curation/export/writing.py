"""Writes an export: JSON Lines or Parquet, whole or not at all; and where each row comes from, beside it."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Row
from avem_train.curation.export import ours, provenance
from avem_train.curation.export.layouts import LAYOUTS, Record
from avem_train.curation.export.media import Media, finder
from avem_train.curation.stages import STAGES
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes

AVEM = "avem"
FORMATS = (AVEM, *LAYOUTS)
WHAT = ("preferences", "supervise")
REJECTED = ("video_relevant", "emotion_relevant", "irrelevant")
INFO = "dataset_info.json"


@dataclass(frozen=True)
class Export:
    """What is to be written where."""

    what: str
    """One of WHAT: the stage whose rows are written."""
    format: str
    """One of FORMATS."""
    out: Path
    """The file."""
    rejected: Sequence[str] = REJECTED[:2]
    """Kinds of rejected responses, of each of which a pair is made; `avem` holds all in one record."""
    parquet: bool = False
    """Whether it is written as Parquet instead of JSON Lines."""


def write(source: Path, root: Path, export: Export) -> int:
    """Write the rows of a stage's file; returns how many records were written. Stops where that cannot be done.

    root: the folder that the rows' media paths count from.
    """
    if not source.exists():
        stop(f"{source}: is not there; run the stage {export.what!r} first")
    if export.parquet and not (export.format in LAYOUTS and LAYOUTS[export.format].parquet):
        stop(f"--parquet: {export.format} reads JSON Lines; leave it out")
    out = export.out.expanduser().absolute()
    rows = tqdm(row_files.read(source, STAGES[export.what].model), desc=export.what, unit="row", disable=None)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with files.draft(out) as draft, files.draft(provenance.beside(out)) as origins:
            with origins.open("w", encoding="utf-8") as file:
                noted = _noted(rows, file)
                count = _write(draft, _records(noted, root.absolute(), out.parent, export), export.parquet)
            if not count:
                stop(f"{source}: holds nothing to export; see the stage's rejects for the reasons")
    except Unreadable as error:
        stop(f"{source}: {error}: name the folder that all media lie below with manifest.root=")
    except OSError as error:
        stop(f"{out}: cannot be written ({error.strerror or error})")
    _register(out, export)
    print(f"{out}: {count} records", file=sys.stderr)
    return count


def _noted(rows: Iterable[Row], file: TextIO) -> Iterator[Row]:
    """The rows, each of which is noted in the file of provenance as it passes."""
    for row in rows:
        file.write(provenance.line(row))
        yield row


def _records(rows: Iterable[Row], root: Path, folder: Path, export: Export) -> Iterator[Record]:
    find = finder(root)
    for row in rows:
        media = find(row)
        if export.format == AVEM:
            yield (ours.record if export.what == "preferences" else ours.instruction)(row, media, folder)
        elif export.what == "supervise":
            yield LAYOUTS[export.format].instruction(row, media)
        else:
            yield from _pairs(row, media, export)


def _pairs(row: Row, media: Media, export: Export) -> Iterator[Record]:
    """A pair for each kind of rejected response that the row has; of equal ones (yes and no by letter) one."""
    seen: set[str] = set()
    for kind in export.rejected:
        text = row[f"rejected_{kind}"]
        if text and text not in seen:
            seen.add(text)
            yield LAYOUTS[export.format].pair(row, media, f"{row['id']}_{kind}", text)


def _write(path: Path, records: Iterator[Record], parquet: bool) -> int:
    if not parquet:
        with path.open("w", encoding="utf-8") as file:
            return sum(file.write(json.dumps(record, ensure_ascii=False) + "\n") > 0 for record in records)
    import pyarrow
    from pyarrow import parquet as arrow_parquet

    table = pyarrow.Table.from_pylist(list(records))
    arrow_parquet.write_table(table, path)
    return int(table.num_rows)


def _register(out: Path, export: Export) -> None:
    """Add the file to the `dataset_info.json` beside it, for a layout that wants one; other entries stay."""
    entry = LAYOUTS[export.format].registered.get(export.what) if export.format in LAYOUTS else None
    if entry is None:
        return
    path = out.with_name(INFO)
    try:
        known = parse_json(read_bytes(path)) if path.exists() else {}
        if not isinstance(known, dict):
            raise Unreadable("it holds no object")
    except Unreadable as error:
        stop(f"{path}: {error}; mend or remove it, then export again")
    files.write_json(path, {**known, out.stem: {"file_name": out.name, **entry}})
