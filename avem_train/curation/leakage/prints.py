"""Fingerprints of a clip's files, made once for each content and kept on disk."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from avem_train.curation.asking.requests import digest
from avem_train.curation.leakage import picture, sound
from emorealm_tasks import files
from emorealm_tasks.media import MediaError, has_sound, read_audio, read_frames
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes

VERSION = 1
"""Raised when the same file would get another fingerprint."""


@dataclass(frozen=True)
class ClipFiles:
    """What is seen and heard of a clip."""

    video: Path | None
    """The file with the picture; None = sound alone."""
    audio: Path | None
    """A file of its own; None = the video's own sound."""

    @property
    def sound(self) -> Path | None:
        """The file that holds the sound."""
        return self.audio or self.video


@dataclass(frozen=True)
class Prints:
    """A clip's fingerprints, empty where there is nothing, or nothing readable."""

    picture: picture.Print
    """uint64 [FRAMES], a hash a frame."""
    sound: sound.Print
    """uint32 [frames]; 0 = a silent frame."""
    unread: str = ""
    """Why its files could not be read; "" = they could."""


def of_clips(clips: Mapping[str, ClipFiles], folder: Path, title: str) -> dict[str, Prints]:
    """The fingerprints of clips, those in `folder` or newly made. title: for the bar. Raises OSError."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda clip: _prints(clip, folder), clips.values())
        return dict(zip(clips, tqdm(found, total=len(clips), desc=title, unit="clip", disable=None), strict=True))


def _prints(clip: ClipFiles, folder: Path) -> Prints:
    empty = np.zeros(0, np.uint64), np.zeros(0, np.uint32)
    seen, why_unseen = _print_of(clip.video, "picture", folder) if clip.video else (empty[0], "")
    heard, why_unheard = _print_of(clip.sound, "sound", folder) if clip.sound else (empty[1], "")
    return Prints(seen.astype(np.uint64), heard.astype(np.uint32), why_unseen or why_unheard)


def _print_of(path: Path, kind: str, folder: Path) -> tuple[np.ndarray, str]:
    """A file's fingerprint of that kind, from disk or made now; and why there is none."""
    try:
        place = folder / kind / f"{digest(path)}.json"
    except OSError as error:
        return np.zeros(0, np.uint64), f"{path}: {error.strerror}"
    if (cached := _cached(place)) is not None:
        return cached, ""
    try:
        fresh = _picture(path) if kind == "picture" else _sound(path)
    except MediaError as error:
        return np.zeros(0, np.uint64), str(error)
    files.write_json(place, {"version": VERSION, "print": fresh.tolist()}, indent=None)
    return fresh, ""


def _cached(place: Path) -> np.ndarray | None:
    """The fingerprint in a file; None where it is not there yet, damaged, or of another version."""
    try:
        content = parse_json(read_bytes(place))
        return np.array(content["print"], np.uint64) if content["version"] == VERSION else None
    except (Unreadable, KeyError, TypeError, ValueError, OverflowError):
        return None


def _picture(path: Path) -> np.ndarray:
    frames, _ = read_frames(path, picture.FRAMES)
    return picture.fingerprint(frames)


def _sound(path: Path) -> np.ndarray:
    if not has_sound(path, unreadable=True):
        return np.zeros(0, np.uint32)
    return sound.fingerprint(read_audio(path, sound.RATE))
