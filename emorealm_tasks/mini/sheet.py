"""A contact sheet of built clips: frames, spectrogram, and one question of each, as a picture to look at."""

import json
import textwrap
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from emorealm_tasks.errors import stop
from emorealm_tasks.files import draft
from emorealm_tasks.media import read_audio, read_frames

FRAMES = 4


def _rows(data: Path, count: int) -> list[dict[str, Any]]:
    """Questions to show: one a clip, of as many different tasks as can be, in the order of the tasks."""
    items = json.loads((data / "emorealm_v1.json").read_text(encoding="utf-8"))
    tasks = list(dict.fromkeys((item["task"], item["subtask"]) for item in items))
    picked, clips = [], set()
    for turn in range(count):
        task = tasks[turn % len(tasks)]
        found = next((i for i in items if (i["task"], i["subtask"]) == task and i["video"] not in clips), None)
        if found:
            picked.append(found)
            clips.add(found["video"])
    return picked


def _caption(item: dict[str, Any], truth: dict[str, Any]) -> str:
    shown = {m: [c["name"] for c in truth["cues"] if c["modality"] == m and c["matters"]] for m in ("video", "audio")}
    lines = [f"{item['task']} {item['subtask']}".strip(), *textwrap.wrap(item["question"], 58)]
    for choice in item["choices"]:
        mark = "  <" if choice[1] == item["answer"] else ""
        lines.append(choice + mark)
    lines.append(f"seen: {truth['emotion_video']} ({', '.join(shown['video'])})")
    lines.append(f"heard: {truth['emotion_audio']} ({', '.join(shown['audio'])})")
    return "\n".join(lines)


def draw_sheet(data: Path, out: Path, count: int = 6) -> None:
    """Write a PNG with `count` clips of a built folder, a row each: frames, spectrogram, question, truth.

    Stops with a message where `data` is not a built folder.
    """
    if not (data / "emorealm_v1.json").exists():
        stop(f"{data} holds no built benchmark: make one with `emorealm-mini build --out {data}`")
    truths = {row["clip"]: row for row in json.loads((data / "cues.json").read_text(encoding="utf-8"))}
    rows = _rows(data, count)
    figure, axes = plt.subplots(
        len(rows), FRAMES + 2, figsize=(17, 2.15 * len(rows)), squeeze=False, width_ratios=[1] * FRAMES + [1.6, 3.1]
    )
    for line, item in zip(axes, rows, strict=True):
        path = data / "videos" / item["video"]
        pictures, times = read_frames(path, FRAMES)
        for axis, picture, moment in zip(line, pictures, times, strict=False):
            axis.imshow(picture)
            axis.set_title(f"{moment:.1f} s", fontsize=8)
            axis.axis("off")
        wave = read_audio(path)
        line[FRAMES].specgram(wave + 1e-5 * np.sin(np.arange(len(wave))), NFFT=512, Fs=16_000, noverlap=384, vmin=-120)
        line[FRAMES].set_ylim(0, 6000)
        line[FRAMES].tick_params(labelsize=7)
        line[FRAMES + 1].text(0, 1, _caption(item, truths[item["video"]]), va="top", fontsize=8.5, family="monospace")
        line[FRAMES + 1].axis("off")
    figure.tight_layout()
    with draft(out) as beside:
        figure.savefig(beside, dpi=80, format=None if out.suffix else "png")
    plt.close(figure)
