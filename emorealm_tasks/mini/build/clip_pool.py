"""Which clips of the mini world the other benchmarks' layouts show, and how each class is filled."""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.world.sampling import Clip

PER_CLASS = 24
"""Most clips of one emotion in the layouts of recognition: as many as RAVDESS has actors."""


@dataclass(frozen=True)
class PoolClip:
    """A rendered clip in which both modalities convey one emotion."""

    clip: Clip
    """What is true in it."""
    emotion: str
    """The emotion that both modalities convey."""
    file: Path
    """The clip itself: mp4 (H.264, AAC)."""


def pool(clips: Iterable[tuple[Clip, Path]]) -> list[PoolClip]:
    """The pool of (clip, its mp4) pairs: those whose modalities agree, in their order."""
    return [
        PoolClip(clip, clip.emotion_video, file) for clip, file in clips if clip.emotion_video == clip.emotion_audio
    ]


def balanced(clips: Sequence[PoolClip], emotions: Sequence[str] = EMOTIONS, most: int = PER_CLASS) -> list[PoolClip]:
    """The first clips of each of the emotions, at most `most` of each, in the pool's order."""
    by_emotion: dict[str, list[PoolClip]] = {emotion: [] for emotion in emotions}
    chosen = []
    for one in clips:
        if one.emotion in by_emotion and len(by_emotion[one.emotion]) < most:
            by_emotion[one.emotion].append(one)
            chosen.append(one)
    return chosen


def place(clip: PoolClip, path: Path) -> None:
    """Put the clip's mp4 at `path`: a hard link, or a copy where none can be made. Folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(clip.file, path)
    except OSError:
        shutil.copyfile(clip.file, path)
