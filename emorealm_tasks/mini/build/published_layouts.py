"""The embedded world once more in the published layouts of the other benchmarks, so that their readers have files.

`emorealm-mini build` writes them below its folder: `dfew/`, `ravdess/`, `mer2023/`, `emer/`. They share one pool, the
rendered clips whose picture and sound convey the same emotion, and share its files too: a layout holds hard links, or
copies where the disk has no links. A layout is a function `write(folder, pool)`; `WRITERS` has all of them.
"""

import csv
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.build import emer_layout, ownership
from emorealm_tasks.mini.build.clip_pool import PoolClip, balanced, place

DFEW_PARTS = 11
DFEW_LABELS = {emotion: number for number, emotion in enumerate(EMOTIONS, start=1)}
RAVDESS_CODES = {
    "neutral": "01",
    "happiness": "03",
    "sadness": "04",
    "anger": "05",
    "fear": "06",
    "disgust": "07",
    "surprise": "08",
}
MER_NAMES = {"happiness": "happy", "sadness": "sad", "neutral": "neutral", "anger": "angry", "surprise": "surprise"}
Writer = Callable[[Path, Sequence[PoolClip]], None]
"""Writes one layout: the folder to fill (it exists, empty), and the pool, in the order of the clips."""


def write_all(out: Path, clips: Sequence[PoolClip]) -> None:
    """Write every layout below a claimed `out`, replacing what an earlier build left there."""
    begun = out / ownership.BEGUN
    shutil.rmtree(begun, ignore_errors=True)
    for name, write in WRITERS.items():
        (begun / name).mkdir(parents=True)
        write(begun / name, clips)
    written_files = set(ownership.below(begun))
    ownership.mark_layouts(
        out, [*{*files.marked(out).get("layouts", [])} | written_files]
    )  # a kill leaves some of both
    for name in WRITERS:
        shutil.rmtree(out / name, ignore_errors=True)
        (begun / name).rename(out / name)
    begun.rmdir()
    ownership.mark_layouts(out, [*written_files])


def complete(out: Path) -> bool:
    """Whether every layout is there: a folder built by an earlier version lacks them."""
    return all((out / name).is_dir() for name in WRITERS)


def write_dfew(folder: Path, clips: Sequence[PoolClip]) -> None:
    """DFEW's layout: `part_K/N.mp4`, and the first fold's test labels 1 to 7."""
    rows = []
    for number, one in enumerate(balanced(clips), start=1):
        place(one, folder / f"part_{1 + number % DFEW_PARTS}" / f"{number}.mp4")
        rows.append((number, DFEW_LABELS[one.emotion]))
    _write_csv(folder / "dfew_annotation" / "test(single-labeled)" / "set_1.csv", ("video_name", "label"), rows)


def write_ravdess(folder: Path, clips: Sequence[PoolClip]) -> None:
    """RAVDESS's layout, one speech clip an emotion and actor, and what a reader leaves out: actor 1 calm, and singing.

    Codes: modality 01 (audio and video), vocal channel 01 speech or 02 song, emotion, intensity, statement, repetition,
    actor. The world knows no calm: a neutral clip stands for it.
    """
    actors = dict.fromkeys(RAVDESS_CODES, 0)
    for one in balanced(clips):
        actors[one.emotion] += 1
        actor, code = actors[one.emotion], RAVDESS_CODES[one.emotion]
        names = [f"01-01-{code}-01-01-01-{actor:02d}"]
        if actor == 1:
            names.append(f"01-02-{code}-01-01-01-01")
            names += ["01-01-02-01-01-01-01"] if one.emotion == "neutral" else []
        for name in names:
            place(one, folder / f"Actor_{actor:02d}" / f"{name}.mp4")


def write_mer2023(folder: Path, clips: Sequence[PoolClip]) -> None:
    """MER2023's test3: five classes, and one clip of fear as "worried", which a reader leaves out."""
    fear = [one for one in clips if one.emotion == "fear"][:1]
    rows = []
    for number, one in enumerate([*balanced(clips, tuple(MER_NAMES)), *fear]):
        name = f"sample_{number:08d}"
        place(one, folder / "test3" / f"{name}.mp4")
        rows.append((name, MER_NAMES.get(one.emotion, "worried")))
    _write_csv(folder / "test_labels" / "test3-label.csv", ("name", "discrete"), rows)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


WRITERS: dict[str, Writer] = {
    "dfew": write_dfew,
    "ravdess": write_ravdess,
    "mer2023": write_mer2023,
    "emer": emer_layout.write,
}
