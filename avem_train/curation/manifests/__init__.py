"""Labelled clips of public datasets, and of one's own, as rows of one form."""

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from avem_train.curation.data.rows import Clip
from avem_train.curation.data.store import Store, fetched, is_address, plain
from avem_train.curation.manifests import layouts, own
from avem_train.curation.manifests.settings import Manifest
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, without_secrets

READERS: dict[str, Callable[[Path], Iterator[Clip]]] = {
    "csv": own.csv_file,
    "mini": own.mini,
    "mafw": layouts.mafw,
    "mer2025": layouts.mer2025,
    "dfew": layouts.dfew,
    "ravdess": layouts.ravdess,
}
"""Layout -> its reader, from the manifest's file or folder."""


def read(manifest: Manifest, emotions: Sequence[str]) -> Iterator[Clip]:
    """The clips of a manifest, as its split and limit say, without those of other labels, which are counted and told.

    Stops where the file cannot be read, an id stands twice, or no clip is left.
    """
    if manifest.reader not in READERS:
        stop(f"manifest.reader is {manifest.reader!r}: one of {', '.join(READERS)}")
    path = _file(manifest)
    place = manifest.place
    home = Store(place) if is_address(place) else None
    others: Counter[str] = Counter()
    count = 0
    for clip in islice(_labelled(manifest, path, emotions, others), manifest.limit or None):
        count += 1
        yield _relative(clip, place, home)
    if others:
        labels = ", ".join(f"{label} {times}" for label, times in others.most_common())
        print(f"manifest: left out, as their labels are none of the recipe's emotions: {labels}", file=sys.stderr)
    if not count:
        stop(f"{path}: no clip is left{f' of the split {manifest.split!r}' if manifest.split else ''}")


def _file(manifest: Manifest) -> Path:
    """The manifest's file or folder, fetched where it has an address. Stops where it is not there."""
    named = plain(manifest.path)
    if is_address(named):
        if manifest.reader != "csv":
            stop(f"the reader {manifest.reader!r} looks through a folder on disk; an address may name a CSV file")
        return fetched(named)
    path = Path(named).expanduser()
    if not path.exists() and manifest.reader == "mini":
        build = f"emorealm-mini build --split train --clips 400 --preferences --out {shlex.quote(str(path))}"
        stop(f"{path}: is not there; build the clips of the embedded world: {build}")
    if not path.exists():
        stop(f"{path}: is not there; name the dataset's file or folder with manifest.path=")
    return path


def _relative(clip: Clip, place: str, home: Store | None) -> Clip:
    """The clip with its addresses as paths below the manifest's place. Stops at one that lies elsewhere."""
    named = {name: value for name in ("video", "audio") if is_address(value := getattr(clip, name) or "")}
    if not named:
        return clip
    try:
        if home is None:
            raise Unreadable(f"{brief(without_secrets(next(iter(named.values()))))} lies elsewhere than {place}")
        return clip.model_copy(update={name: home.relative(value) for name, value in named.items()})
    except Unreadable as error:
        stop(f"{clip.id}: {error}; name the address that all media lie below with manifest.root=")


def _labelled(manifest: Manifest, path: Path, emotions: Sequence[str], others: Counter[str]) -> Iterator[Clip]:
    seen: set[str] = set()
    for clip in READERS[manifest.reader](path):
        if clip.id in seen:
            stop(f"{path}: the clip {clip.id!r} stands in it twice; a clip has one label: remove one")
        seen.add(clip.id)
        if manifest.split and clip.split != manifest.split:
            continue
        if clip.emotion not in emotions:
            others[clip.emotion] += 1
            continue
        yield clip
