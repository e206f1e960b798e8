"""The layouts of this package: preference records (`avem_train.data.records`) and conversations."""

from pathlib import Path

from avem_train.curation.data.rows import Row
from avem_train.curation.export.layouts import Record, conversation
from avem_train.curation.export.media import Media

_REJECTED = ("rejected_video_relevant", "rejected_emotion_relevant", "rejected_irrelevant")
_TEXTS = ("id", "prompt", "modality", "emotion", "chosen", *_REJECTED, "form")


def record(row: Row, media: Media, folder: Path) -> Record:
    """A preference record, whose paths count from `folder` or, for files elsewhere, are absolute."""
    texts = {name: row[name] for name in _TEXTS if row[name]}
    return texts | _paths(media, folder)


def instruction(row: Row, media: Media, folder: Path) -> Record:
    """A conversation of one prompt and one response; paths as in `record`."""
    texts = {name: row[name] for name in ("id", "modality", "emotion", "form")}
    return {**texts, **_paths(media, folder), "conversations": conversation(row, media)}


def _paths(media: Media, folder: Path) -> Record:
    """Without the sound where it is the video's own."""
    named = {"video": media.video, "audio": media.audio}
    return {name: _path(file, folder) for name, file in named.items() if file}


def _path(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
