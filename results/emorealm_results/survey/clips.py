"""The clips and subtitles that a page shows to everybody."""

import base64
import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.media.facts import has_sound
from emorealm_tasks.untrusted import Unreadable, below, brief, clean, read_json


@dataclass(frozen=True)
class Clip:
    """What is seen and heard of one clip; the paths are absolute."""

    picture: Path
    """A video, or a sound file."""
    sound: Path | None = None
    """A wav beside a video that has no sound of its own."""

    def digest(self) -> str:
        """A hash of the content of its files."""
        return "+".join(_digest(path) for path in self._paths())

    def embedded(self) -> dict[str, str]:
        """``picture`` and ``sound`` as data addresses; ``sound`` is "" where the picture's own is heard."""
        return {"picture": _address(self.picture), "sound": _address(self.sound) if self.sound else ""}

    def _paths(self) -> list[Path]:
        return [self.picture, *([self.sound] if self.sound else [])]


def find(folder: Path, name: object, where: str) -> Clip:
    """The clip that data names below a folder, all links followed; stops at any other place and at any other file."""
    try:
        picture = below(folder, name)
        beside = below(folder, str(picture.with_suffix(".wav")))
    except Unreadable as error:
        stop(f"{where}: {error}; name its folder with --clips")
    if not picture.is_file():
        stop(f"{where}: {picture} does not exist")
    if not (mimetypes.guess_type(picture.name)[0] or "").startswith(("video/", "audio/")):
        stop(f"{where}: {picture.name} is no video or sound by its name")
    has_own_sound = beside != picture and beside.is_file() and not has_sound(picture, True)
    return Clip(picture, beside if has_own_sound else None)


def subtitles(path: Path | None, items: Iterable[Mapping[str, Any]], clip: str) -> dict[str, str]:
    """Item's id -> subtitle, "" where there is none.

    An item's own field ``subtitle`` is taken first. ``path`` is a JSON object of clip or id -> text; ``clip`` is the
    name of the item's field that names its clip. Stops at a file that fits no item.
    """
    in_file = read_json(path, dict, "it needs an object: clip or id -> subtitle") if path else {}
    if not_text := [name for name, text in in_file.items() if not isinstance(text, str)]:
        stop(f"{path}: the subtitle of {brief(not_text[0])!r} is no text; it needs an object: clip or id -> subtitle")
    by_id: dict[str, str] = {}
    fitting: set[str] = set()
    for item in items:
        names = [str(item["id"]), str(item.get(clip))]
        item_subtitle = item.get("subtitle")
        fitting.update(name for name in names if name in in_file)
        candidates = [
            item_subtitle if isinstance(item_subtitle, str) else "",
            *(in_file.get(name, "") for name in names),
        ]
        by_id[names[0]] = clean(next(filter(None, candidates), ""))
    if path and not fitting:
        stop(f"{path}: none of its {len(in_file)} names is a clip or an id of the study; look at how both are written")
    return by_id


@cache
def _digest(path: Path) -> str:
    return files.sha256(path)


def _address(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
