"""Files of preference records in other trainers' layouts: a pair for each rejected response."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from avem_train.curation.export.layouts import LAYOUTS, Record
from avem_train.curation.export.media import Media
from avem_train.data import checks
from avem_train.data.records import Preference
from avem_train.objectives import REJECTED
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.media import has_sound


def write(source: Path, root: Path | None, layout: str, out: Path) -> int:
    """Write the records of a file in a layout of LAYOUTS; returns how many pairs. Stops where that cannot be done.

    root: the folder that the records' paths count from; None = the file's. The columns `modality` and `emotion`, which
    other trainers leave unread, let our reader make the records again.
    """
    if not source.is_file():
        stop(f"{source}: there is no such file; name preference records")
    out = out.expanduser().absolute()
    if out == source.absolute():
        stop(f"{out}: --out is the file itself; name another")
    records = checks.read(source, root)
    own, count = 0, 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with files.draft(out) as draft, draft.open("w", encoding="utf-8") as file:
            for record in tqdm(records, desc=layout, unit="record", disable=None):
                own += bool(record.rejected_video or record.rejected_audio)
                for pair in _pairs(record, layout):
                    file.write(json.dumps(pair, ensure_ascii=False) + "\n")
                    count += 1
    except OSError as error:
        stop(f"{out}: cannot be written ({error.strerror or error})")
    print(
        f"{out}: {count} pairs of {len(records)} records; rejected media, which AVEm-DPO draws, have no place in them "
        f"({own} records bring their own, left out)",
        file=sys.stderr,
    )
    return count


def _pairs(record: Preference, layout: str) -> Iterator[Record]:
    """A pair for each kind of rejected response that the record has."""
    sounds = record.audio is not None or (record.video is not None and has_sound(record.video, unreadable=False))
    media = Media(record.video, record.audio, sounds)
    row: dict[str, Any] = {"id": record.id, "prompt": record.prompt, "chosen": record.chosen}
    for kind in REJECTED:
        if text := record.response(kind):
            pair = LAYOUTS[layout].pair(row, media, f"{record.id}_{kind}", text)
            yield pair | {"modality": record.modality, "emotion": record.emotion}
