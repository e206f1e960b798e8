"""Labelled clips of public datasets, and of one's own, as rows of one form."""

import csv
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from avem_train.curation.data.rows import Clip
from avem_train.curation.manifests.settings import Manifest
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief


def _csv(path: Path) -> Iterator[Clip]:
    """A CSV file with the columns id, video, emotion, and optionally audio, subtitle, split, licence, source."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                values = {name: value for name, value in row.items() if value}
                yield Clip.model_validate({"video": None, **values})
            except ValidationError as error:
                fault = error.errors()[0]
                stop(f"{path}: line {number}: {'.'.join(map(str, fault['loc']))}: {brief(fault['msg'])}")


READERS: dict[str, Callable[[Path], Iterator[Clip]]] = {"csv": _csv}
"""Layout -> its reader."""


def read(manifest: Manifest) -> Iterator[Clip]:
    """The clips of a manifest, as its split and limit say. Stops where the file cannot be read."""
    if manifest.reader not in READERS:
        stop(f"manifest.reader is {manifest.reader!r}: one of {', '.join(READERS)}")
    path = Path(manifest.path).expanduser()
    if not path.exists():
        stop(f"{path}: is not there; name the dataset's file or folder with manifest.path=")
    clips = READERS[manifest.reader](path)
    wanted = (clip for clip in clips if not manifest.split or clip.split == manifest.split)
    yield from islice(wanted, manifest.limit or None)
