"""The side file in which our own adapters state the media a model was really given.

One JSON line a clip: {"clip": path of the video or null, "audio": path that held the sound or null, "frames": count,
"times": seconds of each frame, "audio_seconds": seconds of sound}, and what our reader says of how much of the file it
could decode (`emorealm_tasks.media.Report`). The file is named by EMOREALM_MEDIA_LOG, which
`emorealm_tasks.plugin.register` sets for the process and its children. A file that cannot be written costs
what it would have said, never an answer.
"""

import atexit
import contextlib
import json
import os
import tempfile
from functools import lru_cache
from pathlib import Path

from emorealm_tasks.errors import warn_once
from emorealm_tasks.metrics.types import GivenMedia
from emorealm_tasks.schemas import fit
from emorealm_tasks.untrusted import Unreadable, lines, parse_json, read_bytes

VARIABLE = "EMOREALM_MEDIA_LOG"
_ENTRY = {"clip": (str, None), "audio": (str, None), "frames": int, "times": [float], "audio_seconds": float}


def start() -> None:
    """Name a fresh file for this process and its children, unless one is named already; removed at exit."""
    if not os.environ.get(VARIABLE):
        try:
            handle, path = tempfile.mkstemp(prefix="emorealm-media-", suffix=".jsonl")
        except OSError as error:
            _warn_unwritable(os.environ.get("TMPDIR") or "the folder of temporary files", error)
            return
        os.close(handle)
        os.environ[VARIABLE] = path
        atexit.register(_remove, path, os.getpid())


def append(entry: GivenMedia) -> None:
    """Add one entry; without a named file it is dropped (the adapter is used outside lmms-eval)."""
    path = os.environ.get(VARIABLE)
    if path:
        from emorealm_tasks import media  # its libraries are heavy, and who only reads entries needs none

        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry | media.report(entry["clip"], entry["audio"])) + "\n")
        except OSError as error:
            _warn_unwritable(path, error)


def _warn_unwritable(path: str, error: OSError) -> None:
    why = error.strerror or error
    warn_once("media log", f"{path}: cannot be written ({why}); records will not say what was given of every clip")


def find(video: str | None, audio: str | None) -> GivenMedia | None:
    """What was given of the clip with these paths of its picture and its sound; None when nobody said."""
    path = Path(os.environ.get(VARIABLE) or "")
    if not path.is_file():
        return None
    return _entries(str(path), path.stat().st_size).get((video, audio))


@lru_cache(maxsize=1)
def _entries(path: str, size: int) -> dict[tuple[str | None, str | None], GivenMedia]:
    """All whole lines by (video, audio); `size` makes a file that grew be read again."""
    entries = {}
    with contextlib.suppress(Unreadable):
        complete_lines, _, _ = read_bytes(Path(path)).decode(errors="replace").rpartition("\n")
        for _, line in lines(complete_lines):
            with contextlib.suppress(Unreadable):
                entry = parse_json(line)
                fit(entry, _ENTRY)
                entries[entry["clip"], entry["audio"]] = entry
    return entries


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker inherits the hook
        Path(path).unlink(missing_ok=True)
