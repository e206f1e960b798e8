"""Clips of one's own, and those of the embedded world."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from avem_train.curation.data.rows import Clip
from avem_train.data.records import emotion_noun
from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, parse_json, read_bytes, read_text

_NEEDED = ("id", "emotion")
_OPTIONAL = ("video", "audio", "subtitle", "split", "licence", "source")
COLUMNS = (
    "its first line names the columns: id, emotion, video or audio or both, and optionally subtitle, split, licence, "
    "source"
)
"""What a manifest's first line holds, in words."""


def csv_file(path: Path) -> Iterator[Clip]:
    """A CSV file with the columns id, emotion, video or audio or both, and optionally subtitle, split, licence, source.

    Stops at a file that cannot be read or is empty, at missing and unknown columns, or at a row without a clip.
    """
    header = _header(path)
    columns = [*_NEEDED, *(name for name in _OPTIONAL if name in header)]
    seen: set[str] = set()
    for number, row in recognition_rows.read_numbered_csv(path, columns, "mend it"):
        if not row["id"] or not (row.get("video") or row.get("audio")):
            stop(f"{path}, line {number}: a clip has an id, and a video or an audio file")
        if not row["emotion"]:
            stop(f"{path}, line {number}: the clip {brief(row['id'])} has no emotion")
        recognition_rows.refuse_twice(path, number, row["id"], seen)
        fields = {"video": None, **{name: value for name, value in row.items() if value}}
        try:
            yield Clip.model_validate(fields | {"emotion": emotion_noun(row["emotion"])})
        except ValidationError as error:
            stop(f"{path}, line {number}: {brief(error.errors()[0]['msg'])}")


def _header(path: Path) -> list[str]:
    """The columns of a CSV file. Stops, naming all that is wrong with them."""
    try:
        text = read_text(path).lstrip("\ufeff")
    except Unreadable as error:
        stop(f"{path}: {error}; manifest.path names a CSV file")
    if not text.strip():
        stop(f"{path}: is empty; {COLUMNS}")
    header = [name.strip() for name in text.partition("\n")[0].replace('"', "").split(",")]
    missing = [name for name in _NEEDED if name not in header]
    if not {"video", "audio"} & set(header):
        missing.append("video (or audio)")
    unknown = [name for name in header if name not in (*_NEEDED, *_OPTIONAL)]
    faults = [f"it lacks the {_columns(missing)} {', '.join(missing)}"] if missing else []
    if unknown:
        faults.append(f"unknown {_columns(unknown)} {', '.join(map(brief, map(repr, unknown)))}")
    if faults:
        stop(f"{path}: {'; '.join(faults)}; {COLUMNS}")
    return header


def _columns(names: Sequence[str]) -> str:
    return "column" if len(names) == 1 else "columns"


def mini(folder: Path) -> Iterator[Clip]:
    """A split of the embedded world, by its truth. The emotion is the picture's where picture and sound differ."""
    try:
        clips = parse_json(read_bytes(folder / "cues.json"))
        for clip in clips:
            number = Path(clip["clip"]).stem
            yield Clip(
                id=number,
                video=f"videos/{clip['clip']}",
                emotion=clip["emotion_video"],
                licence="Apache-2.0",
                source="EmoReAlM-Mini",
            )
    except (Unreadable, KeyError, TypeError, ValidationError) as error:
        stop(f"{folder}: its cues.json cannot be read ({brief(error)}); build it anew with emorealm-mini build")
