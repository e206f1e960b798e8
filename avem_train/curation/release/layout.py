"""Questions in the layout of `emorealm_v1.json`, as `emorealm_tasks.benchmarks.emorealm` reads it."""

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from avem_train.curation.data.rows import Row
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.media import MediaError, as_wav
from emorealm_tasks.untrusted import Unreadable, inside

FILE, VIDEOS = "emorealm_v1.json", "videos"
_WAVS = ".wavs"
LETTERS = "ABCDEFGH"
Item = dict[str, Any]


def item(row: Row, root: Path, subtitle: bool = False) -> Item:
    """A question as an item of the file; its clip is named as below `root`. Raises Unreadable for one outside."""
    further = {"subtask": row["subtask"], "emotion": row["emotion"], "subtitle": row["subtitle"] if subtitle else ""}
    return {
        "id": row["id"],
        "task": row["task"],
        "video": below(root, row["video"], "video"),
        "question": row["question"],
        "choices": [f"({letter}) {choice}" for letter, choice in zip(LETTERS, row["choices"], strict=False)],
        "answer": LETTERS[row["answer"]],
        **{name: text for name, text in further.items() if text},
    }


def items(rows: Sequence[Row], root: Path, subtitle: bool = False) -> tuple[list[Item], list[Row]]:
    """The items of questions about clips with a picture, and the other questions, for which the layout has no place."""
    shown = [row for row in rows if row["video"]]
    try:
        found = [item(row, root, subtitle) for row in shown]
    except Unreadable as error:
        stop(f"{error}: name the folder that all media lie below with manifest.root=")
    return found, [row for row in rows if not row["video"]]


def below(root: Path, name: str, medium: str) -> str:
    """A file's path as it counts from `root`. Raises Unreadable for one outside."""
    return inside(root, name, medium).relative_to(root.absolute()).as_posix()


def sounds_elsewhere(rows: Sequence[Row], root: Path) -> list[str]:
    """Clips whose sound is a file that the benchmark would not find beside the video."""
    return sorted({row["clip"] for row in rows if row["audio"] and _beside(root, row) != inside(root, row["audio"])})


def copy_clips(rows: Sequence[Row], root: Path, out: Path) -> None:
    """Copy each clip to `out`, at its path below `root`; a sound of its own as wav beside it.

    What is there in the same size and of the same time is left. Raises OSError; stops at a sound that cannot be read.
    """
    clips = {row["clip"]: row for row in rows}
    for row in tqdm(clips.values(), desc="clips", unit="clip", disable=None):
        target = out / below(root, row["video"], "video")
        files.copy(inside(root, row["video"]), target)
        if row["audio"]:
            sound = inside(root, row["audio"], "audio")
            try:
                files.copy(as_wav(sound, out.parent / _WAVS), target.with_suffix(".wav"))
            except MediaError as error:
                stop(str(error))
    shutil.rmtree(out.parent / _WAVS, ignore_errors=True)


def remove_clips(out: Path) -> None:
    """Remove the clips that an earlier release, or one that was killed, copied to `out`."""
    for folder in (out, out.parent / _WAVS):
        shutil.rmtree(folder, ignore_errors=True)


def _beside(root: Path, row: Row) -> Path:
    return inside(root, str(PurePosixPath(below(root, row["video"], "video")).with_suffix(".wav")))
