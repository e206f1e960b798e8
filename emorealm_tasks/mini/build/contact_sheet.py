"""A contact sheet of built clips: frames, spectrogram, and one question of each, as a picture to look at."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from emorealm_tasks import schemas
from emorealm_tasks.errors import stop
from emorealm_tasks.files import draft
from emorealm_tasks.media import MediaError, read_audio, read_frames
from emorealm_tasks.mini.build import ownership
from emorealm_tasks.untrusted import brief, read_json

FRAMES = 4
_REMEDY = "build the embedded benchmark again"
_ITEM = dict.fromkeys(("task", "subtask", "video", "question", "answer"), str) | {"choices": [str]}
_CUE = {"modality": str, "name": str, "matters": bool}
_TRUTH = {"clip": str, "emotion_video": str, "emotion_audio": str, "cues": [_CUE]}


def _rows(data: Path, count: int) -> list[dict[str, Any]]:
    """Questions to show: one a clip, of as many different tasks as can be, in the order of the tasks."""
    file = data / ownership.QUESTIONS
    items = read_json(file, list, _REMEDY)
    schemas.require(file, items, [_ITEM], _REMEDY)
    tasks = list(dict.fromkeys((item["task"], item["subtask"]) for item in items))
    rows, clips = [], set()
    for turn in range(count if tasks else 0):
        task = tasks[turn % len(tasks)]
        chosen_item = next((i for i in items if (i["task"], i["subtask"]) == task and i["video"] not in clips), None)
        if chosen_item:
            rows.append(chosen_item)
            clips.add(chosen_item["video"])
    return rows


def _media(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        return *read_frames(path, FRAMES), read_audio(path)
    except MediaError as error:
        stop(str(error))


def _caption(item: dict[str, Any], truth: dict[str, Any]) -> str:
    relevant = {
        m: [c["name"] for c in truth["cues"] if c["modality"] == m and c["matters"]] for m in ("video", "audio")
    }
    lines = [f"{item['task']} {item['subtask']}".strip(), *textwrap.wrap(item["question"], 58)]
    for choice in item["choices"]:
        mark = "  <" if choice[1] == item["answer"] else ""
        lines.append(choice + mark)
    lines.append(f"seen: {truth['emotion_video']} ({', '.join(relevant['video'])})")
    lines.append(f"heard: {truth['emotion_audio']} ({', '.join(relevant['audio'])})")
    return "\n".join(lines)


def draw_sheet(data: Path, out: Path, count: int = 6) -> None:
    """Write a PNG with `count` clips of a built folder, a row each: frames, spectrogram, question, truth.

    Stops with a message where `data` is not a built folder.
    """
    if not (data / ownership.QUESTIONS).exists():
        stop(f"{data} holds no built benchmark: make one with `emorealm-mini build --out {data}`")
    cues = read_json(data / ownership.CUES, list, _REMEDY)
    schemas.require(data / ownership.CUES, cues, [_TRUTH], _REMEDY)
    truths = {row["clip"]: row for row in cues}
    rows = _rows(data, count)
    if without_truth := [item["video"] for item in rows if item["video"] not in truths]:
        stop(f"{data / ownership.CUES}: tells nothing of {brief(without_truth[0])}; {_REMEDY}")
    if not rows:
        stop(f"{data / ownership.QUESTIONS}: holds no question to show; {_REMEDY}")
    figure, axes = plt.subplots(
        len(rows), FRAMES + 2, figsize=(17, 2.15 * len(rows)), squeeze=False, width_ratios=[1] * FRAMES + [1.6, 3.1]
    )
    for line, item in zip(axes, rows, strict=True):
        path = data / "videos" / item["video"]
        pictures, times, wave = _media(path)
        for axis, picture, moment in zip(line, pictures, times, strict=False):
            axis.imshow(picture)
            axis.set_title(f"{moment:.1f} s", fontsize=8)
            axis.axis("off")
        line[FRAMES].specgram(wave + 1e-5 * np.sin(np.arange(len(wave))), NFFT=512, Fs=16_000, noverlap=384, vmin=-120)
        line[FRAMES].set_ylim(0, 6000)
        line[FRAMES].tick_params(labelsize=7)
        line[FRAMES + 1].text(0, 1, _caption(item, truths[item["video"]]), va="top", fontsize=8.5, family="monospace")
        line[FRAMES + 1].axis("off")
    figure.tight_layout()
    with draft(out) as beside:
        figure.savefig(beside, dpi=80, format=None if out.suffix else "png")
    plt.close(figure)
