"""Preference records: their fields, and how they are read from a file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avem_train import config
from avem_train.objectives import REJECTED
from emorealm_tasks.emotions import ADJECTIVES, EMOTIONS
from emorealm_tasks.untrusted import Unreadable, brief, inside

TAG = re.compile(r"<(?:video|audio|image)>")
"""How datasets write that a medium is to be put there."""


def unknown(names: Mapping[str, int], known: Sequence[str]) -> list[str]:
    """A line for each field that is not read. names: in how many records each field is. known: those that are read."""
    return [
        f"unknown field: {name!r} in {count} records is not read; {config.nearest(name, list(known))}"
        for name, count in names.items()
        if name not in known
    ]


FURTHER_EMOTIONS = ("contempt", "anxiety", "helplessness", "disappointment", "worry")
"""Classes of MAFW and MER2025, the paper's sources (Section 4.3), beside the seven."""
SPELLINGS = (
    {adjective: noun for noun, adjective in ADJECTIVES.items()}
    | {noun: noun for noun in (*EMOTIONS, *FURTHER_EMOTIONS)}
    | {"worried": "worry"}
)
"""What labels say -> the emotion's noun."""


def emotion_noun(word: str) -> str:
    """The emotion that a label names, as a noun ("happy" -> "happiness"); a label that is not known, as it is."""
    return SPELLINGS.get(word.strip().lower(), word.strip())


_LEADING_TAGS = re.compile(rf"^(?:\s*{TAG.pattern})+\s*")
_RELEASED = {
    "rejected": "rejected_video_relevant",
    "rejected_2": "rejected_emotion_relevant",
    "video_l": "rejected_video",
    "audio_l": "rejected_audio",
}
_RELEASED_NAME = {ours: theirs for theirs, ours in _RELEASED.items()}
_PATHS = ("video", "audio", "rejected_video", "rejected_audio")
_FURTHER = ("id", "prompt", "modality", "emotion", "form", "right_under_rejected")
"""Fields besides paths and responses. form: the embedded world's, for its tables."""
_RESPONSES = ("chosen", "rejected_video_relevant", "rejected_emotion_relevant", "rejected_irrelevant")


@dataclass(frozen=True)
class Preference:
    """One preference record."""

    id: str
    """Its name in messages; what is drawn for it depends on it."""
    video: Path | None
    """The clip; None for a sound alone."""
    audio: Path | None
    """A file of its own; None = the video's own sound."""
    prompt: str
    """Without media tags."""
    modality: str
    """What the prompt is about, a key of MODALITIES."""
    emotion: str
    """The clip's (in a clip whose picture and sound differ: that of what the prompt is about); "" = unknown."""
    chosen: str
    """y_w."""
    rejected_video_relevant: str
    """y_l^vr, a cue that is there but does not explain the emotion."""
    rejected_emotion_relevant: str
    """y_l^er, a cue of the emotion that is not there."""
    rejected_irrelevant: str = ""
    """y_l^irr, neither."""
    rejected_video: Path | None = None
    """A clip of another emotion; None = to be drawn."""
    rejected_audio: Path | None = None
    """A sound of another emotion; None = to be drawn."""
    right_under_rejected: str = ""
    """Which rejected response (a name in `objectives.REJECTED`) is right under `rejected_video`, `rejected_audio`."""
    taken: tuple[str, ...] = ("video", "audio")
    """Which of its media the model takes."""
    released: bool = False
    """Read from the released layout, whose fields have other names."""

    def field(self, name: str) -> str:
        """The name that a field of ours has in the file."""
        return _RELEASED_NAME.get(name, name) if self.released else name

    def response(self, name: str) -> str:
        """The chosen response for "chosen", or a rejected one by its name in `objectives.REJECTED`."""
        return self.chosen if name == "chosen" else getattr(self, f"rejected_{name}")


@dataclass(frozen=True)
class Problem:
    """Why a record cannot be trained on."""

    id: str
    """The record's, or "line 7" where it could not be read."""
    kind: str
    """Short name of the fault, the same for all records that have it."""
    reason: str
    """One line that says what to correct."""


def unread_fields(names: Mapping[str, int]) -> list[str]:
    """A line for each field that is not read. names: in how many records each is."""
    return unknown(names, [*_FURTHER, *_PATHS, *_RESPONSES, *_RELEASED])


def of_item(item: Mapping[str, Any], where: str, root: Path) -> Preference:
    """The record that an item is. Raises ValueError where a field that must be text is something else."""
    released = "rejected" in item
    if released:
        renamed: dict[Any, Any] = {_RELEASED.get(name, name): value for name, value in item.items()}
        item = renamed | {"modality": item.get("modality") or _about(renamed)}
    for name in ("emotion", "modality", "prompt", "right_under_rejected", *_PATHS, *_RESPONSES):
        if not isinstance(item.get(name) or "", str):
            raise ValueError(f"field {name!r}: expected text, found {brief(repr(item[name]))}")
    texts: dict[str, Any] = {name: item.get(name) or "" for name in _RESPONSES}
    paths: dict[str, Any] = {name: _file(root, item[name], name) if item.get(name) else None for name in _PATHS}
    return Preference(
        id=str(item["id"] if item.get("id") not in (None, "") else where),
        prompt=_LEADING_TAGS.sub("", item.get("prompt") or ""),
        modality=item.get("modality") or "audiovisual",
        emotion=emotion_noun(item.get("emotion") or ""),
        right_under_rejected=_right_there(item),
        released=released,
        **paths,
        **texts,
    )


def _right_there(item: Mapping[str, Any]) -> str:
    """The field `right_under_rejected`. Raises ValueError where it names no rejected response of ours."""
    name: str = item.get("right_under_rejected") or ""
    if name and name not in REJECTED:
        raise ValueError(f"right_under_rejected: expected one of {', '.join(REJECTED)}, found {brief(repr(name))}")
    if name and not (item.get("rejected_video") or item.get("rejected_audio")):
        raise ValueError("right_under_rejected needs rejected_video or rejected_audio: it is about these files")
    return name


def _file(root: Path, path: str, field: str) -> Path:
    """The file that a record names below `root`: whoever wrote the records names no other file of this machine."""
    try:
        return inside(root, path, field)
    except Unreadable as error:
        raise ValueError(f"{error}: name the folder that all the records' files lie below with root=") from None


def _about(item: Mapping[str, Any]) -> str:
    """What the prompt of an item is about that does not say it: what its rejected media would change (Eq. 5)."""
    given_of = [medium for medium in ("video", "audio") if item.get(f"rejected_{medium}")]
    return given_of[0] if len(given_of) == 1 else "audiovisual"


MODALITIES = {"video": ("video",), "audio": ("audio",), "audiovisual": ("video", "audio")}
"""What a prompt can be about -> the media that is."""
