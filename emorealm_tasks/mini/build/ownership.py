"""What is a built folder's own: `build` writes over that, and refuses a folder in which anything else lies.

The mark (:mod:`emorealm_tasks.files`) holds the number of clips and the files of the other benchmarks' layouts, as far
as they were ever begun. Earlier versions left no mark; their folders are known by their cues.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes

MAKER = "emorealm-mini build"
QUESTIONS, CUES = "emorealm_v1.json", "cues.json"
LAYOUTS = ("dfew", "ravdess", "mer2023", "emer")
BEGUN = "layouts.partial"
"""Where layouts are made, before they take their places."""
_FILES = {QUESTIONS, CUES, "build.json", "floor.json", "instructions.json", "preferences.jsonl", files.MARK}
_CLIP = re.compile(r"videos/part_1/(\d{1,9})\.(?:mp4|partial)")  # partial: of an earlier version that was killed
_EARLIER = re.compile(r"(?:dfew|ravdess|mer2023|emer)/.+\.(?:mp4|csv|json)")
_MOST_EARLIER = 800
"""More files than the layouts of an earlier version could have: 7 emotions, 24 clips, 4 layouts, and what goes with."""


def claim(out: Path, clips: int) -> None:
    """Make `out` the folder of a build of so many clips. Stops where anything lies there that no build made."""
    files.check(out, MAKER, "--out", _earlier)
    mark = files.marked(out)
    known_layouts = mark.get("layouts")
    layouts = known_layouts if isinstance(known_layouts, list) else sorted(_layout_files(out)) if out.is_dir() else []
    most = max(clips, mark["clips"] if isinstance(mark.get("clips"), int) else 0)
    foreign = next(_foreign(out, most if mark else None, set(layouts)), None) if out.is_dir() else None
    if foreign:
        files.refuse(out, foreign, MAKER, "--out")
    out.mkdir(parents=True, exist_ok=True)
    files.mark(out, MAKER, clips=most, layouts=layouts)


def mark_layouts(out: Path, layouts: Sequence[str]) -> None:
    """Note in the mark which files the layouts have."""
    files.mark(out, MAKER, clips=files.marked(out).get("clips", 0), layouts=sorted(layouts))


def below(folder: Path, place: str = "") -> Iterator[str]:
    """Paths of all files below a folder, from it; a linked folder counts as a file."""
    for path in files.entries(folder):
        name = f"{place}{path.name}"
        if path.is_dir() and not path.is_symlink():
            yield from below(path, f"{name}/")
        else:
            yield name


def _foreign(out: Path, clips: int | None, layouts: set[str]) -> Iterator[str]:
    """What no build made. clips: how many there may be, None where an earlier version did not say."""
    for name in below(out):
        clip = _CLIP.fullmatch(name)
        numbered = clip is not None and (clips is None or 1 <= int(clip[1]) <= clips)
        if not (name in _FILES or numbered or name in layouts or name.startswith(f"{BEGUN}/")):
            yield name
    if (out / QUESTIONS).is_file() and not _our_questions(out / QUESTIONS):
        yield QUESTIONS


def _earlier(out: Path) -> bool:
    """Whether a folder without a mark was built by an earlier version: its cues tell."""
    truths = _json(out / CUES)
    if not isinstance(truths, list) or not truths:
        return False
    of_ours = all(isinstance(truth, dict) and {"clip", "emotion_video", "cues"} <= set(truth) for truth in truths)
    return of_ours and len(list(_layout_files(out))) <= _MOST_EARLIER


def _layout_files(out: Path) -> Iterator[str]:
    yield from (name for name in below(out) if _EARLIER.fullmatch(name))


def _our_questions(path: Path) -> bool:
    """Whether a questions file is a build's: its ids say so; the public one's do not."""
    items = _json(path)
    return isinstance(items, list) and all(
        isinstance(item, dict) and str(item.get("id", "")).startswith("mini_") for item in items
    )


def _json(path: Path) -> Any:
    try:
        return parse_json(read_bytes(path))
    except Unreadable:
        return None
