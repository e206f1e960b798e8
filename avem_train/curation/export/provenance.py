"""Where a row comes from, for the file beside an export or a release."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from avem_train.curation.data.rows import Row
from emorealm_tasks import files

SUFFIX = ".provenance.jsonl"


def beside(path: Path) -> Path:
    """The file beside an export: `train.jsonl` -> `train.provenance.jsonl`; beside a pipe, nothing is kept."""
    if files.is_direct(path):
        return Path(os.devnull)
    return path.with_name(path.stem + SUFFIX)


def line(row: Row) -> str:
    """A row's id, the checks that it passed, and what its clip's row of each stage was asked: one line of JSON.

    Each request has its stage, client, model, prompt (name, version and hash) and the key of the reply.
    """
    about = {name: row[name] for name in ("id", "clip", "checks", "provenance")}
    return json.dumps(about, ensure_ascii=False) + "\n"


def lines(rows: Iterable[Row]) -> str:
    """The lines of all rows."""
    return "".join(map(line, rows))
