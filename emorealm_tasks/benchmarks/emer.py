"""EMER's published layout (OV-MERD in MER2025; the embedded world's is the same) -> rows.

    track3_train_ovmerd.csv   name, reason: the reference description of each clip
    video/NAME.mp4            and audio/NAME.wav, which is used where it is there
    truth.json                only in the embedded world: name -> the true cues (emorealm_tasks.mini.build.emer_layout)

MER2025's own file is UTF-8 with commas and quotes; further columns are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorealm_tasks.benchmarks import recognition_rows, registry
from emorealm_tasks.benchmarks.emorealm import HOW_TO_GET_MINI
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import absent, stop
from emorealm_tasks.settings import Settings, load
from emorealm_tasks.untrusted import brief, inside, read_json

if TYPE_CHECKING:
    from datasets import Dataset

BENCHMARKS: dict[str, str] = {
    "emer": "EMER: describe the emotion and its clues; a language model judges the description",
    "emer_mini": "the embedded world in EMER's layout; judged against its true cues",
}
PUBLISHED_CLIPS = 332
"""Clips of OV-MERD; another count is reported. Its authors' code says so: github.com/zeroQiaoba/MERTools at 89120b7,
MER2025/MER2025_Track23/my_affectgpt/datasets/datasets/base_dataset.py, line 382.
"""
CSV_FILE, TRUTH_FILE = "track3_train_ovmerd.csv", "truth.json"
_TRUTH = ("emotions", "present", "relevant")
HOW_TO_GET = (
    "EMER is part of MER2025 (https://huggingface.co/datasets/MERChallenge/MER2025, on request): set EMOREALM_EMER to "
    f"the folder that holds {CSV_FILE} and video/."
)


def root(benchmark: str, settings: Settings) -> Path | None:
    """The folder that holds a benchmark's layout; None where it is not set."""
    return settings.mini / "emer" if benchmark == "emer_mini" else settings.emer


def where(benchmark: str, settings: Settings) -> tuple[str, str]:
    """Where the clips of a benchmark are looked for, and how to get them: two phrases for a report."""
    how = HOW_TO_GET_MINI.format(folder=settings.mini) if benchmark == "emer_mini" else HOW_TO_GET
    return f"{root(benchmark, settings)}/video", how


def read(benchmark: str, settings: Settings) -> list[Row]:
    """All rows of `emer` or `emer_mini`, in the file's order.

    Its id is a clip's name. Stops with the remedy where the layout is absent, and at the first malformed line, naming
    it.
    """
    folder = root(benchmark, settings)
    if folder is None:
        absent(f"EMOREALM_EMER is not set. {HOW_TO_GET}")
    if not (folder / CSV_FILE).is_file():
        absent(f"{folder / CSV_FILE}: no such file. {where(benchmark, settings)[1]}")
    truths = _truths(folder / TRUTH_FILE) if benchmark == "emer_mini" else {}
    rows, seen_names = [], set()
    for number, line in enumerate(recognition_rows.read_csv(folder / CSV_FILE, ("name", "reason")), start=1):
        name, reason = line["name"], line["reason"]
        try:
            if not name or not reason:
                raise ValueError("name and reason must not be empty")
            if name in seen_names:
                raise ValueError(f"{name!r} occurs twice")
            rows.append(_row(benchmark, folder, name, reason, truths))
        except ValueError as error:
            stop(f"{folder / CSV_FILE}, clip {number}: {error}; download the file again")
        seen_names.add(name)
    return rows


def note(benchmark: str, rows: list[Row]) -> str:
    """How the rows differ from the published data set in number, in one line; "" where they do not, or cannot."""
    if benchmark == "emer_mini" or len(rows) == PUBLISHED_CLIPS:
        return ""
    return f"emer: {CSV_FILE} names {len(rows)} clips; it was published with {PUBLISHED_CLIPS}"


def process_docs(dataset: Dataset) -> Dataset:
    """lmms-eval's `process_docs`: replace the packaged placeholder by the rows; `dataset_name` is the benchmark."""
    from datasets import Dataset

    benchmark, settings = dataset.config_name, load()
    usable_rows, left_out = registry.with_clips(read(benchmark, settings), settings, *where(benchmark, settings))
    return Dataset.from_list(
        [{**row, "given_clip": row["clip"], "left_out": json.dumps(left_out)} for row in usable_rows]
    )


def _row(benchmark: str, folder: Path, name: str, reason: str, truths: Mapping[str, Any]) -> Row:
    if benchmark == "emer_mini" and name not in truths:
        raise ValueError(f"{name!r} is not in {TRUTH_FILE}")
    wav = inside(folder, f"audio/{name}.wav")
    return {
        "id": name,
        "task": benchmark,
        "clip": name,
        "video": str(inside(folder, f"video/{name}.mp4")),
        "audio": str(wav) if wav.is_file() else "",
        "question": recognition_rows.PROMPTS["detail"],
        "choices": [],
        "answer": reason,
        "truth": json.dumps(truths[name]) if truths else "",
    }


def _truths(path: Path) -> dict[str, Any]:
    truths: dict[str, Any] = read_json(path, dict, "build the embedded benchmark again")
    for name, truth in truths.items():
        if not isinstance(truth, dict) or not all(isinstance(truth.get(part), list) for part in _TRUTH):
            stop(f"{path}: {brief(name)!r} does not name {', '.join(_TRUTH)}; build the embedded benchmark again")
    return truths
