"""The leaderboard's two plots with matplotlib, in the colours of the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from emorealm_results.leaderboard.rows import Row
from emorealm_tasks import files
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.metrics import TASKS

MEASURED, PUBLISHED, FLOOR = "#2a6fb0", "#8a8f98", "#c2410c"
YES_NO = (TASKS[0], *TASKS[3:])
TITLES = {TASKS[0]: "modality agreement", TASKS[3]: "stress test, audio", TASKS[4]: "stress test, video"}
_LEVELS = (20, 40, 60, 80)
_NEAR = 4, 3
"""How near to each other, in both scores, models share a label."""


def tradeoff(rows: Sequence[Row], path: Path) -> bool:
    """Right where the answer is yes against right where it is no, a panel a yes/no task; False where there is nothing.

    Models that say yes to everything lie at the lower right; the dashed diagonal is guessing with any yes-rate, the
    curves have equal F1. Blind runs are drawn as open circles.
    """
    points = pairs_of(rows)
    if not points:
        return False
    names = dict.fromkeys((name, source) for of_task in points.values() for source, name, _ in of_task)
    numbers = {name: number for number, (name, _) in enumerate(names, start=1)}
    figure, axes = plt.subplots(1, 3, figsize=(14.5, 4.6), sharey=True)
    grid = np.linspace(1, 100, 200)
    for axis, task in zip(axes, YES_NO, strict=True):
        for level in _LEVELS:
            with np.errstate(divide="ignore", invalid="ignore"):
                other = np.where(2 * grid > level, level * grid / (2 * grid - level), np.nan)
            axis.plot(grid, np.where(other <= 100, other, np.nan), color="#d0d4da", lw=0.8)
        axis.plot([0, 100], [100, 0], ls="--", lw=0.9, color=FLOOR)
        _scatter(axis, points.get(task, {}), numbers)
        axis.set(title=TITLES[task], xlim=(0, 103), ylim=(0, 103), xlabel="right where the answer is yes, %")
    axes[0].set_ylabel("right where the answer is no, %")
    figure.tight_layout(rect=(0, 0, 0.86, 1))
    for line, (name, source) in enumerate(names):
        label = f"{numbers[name]}  {shorten(name, 32, placeholder='…')}"
        figure.text(0.865, 0.93 - 0.038 * line, label, fontsize=8, color=_colour(source, "full"))
    with files.draft(path) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)
    return True


def _scatter(
    axis: Axes, points: Mapping[tuple[str, str, str], tuple[float, float]], numbers: Mapping[str, int]
) -> None:
    labels: dict[tuple[float, float], list[int]] = {}
    for (source, name, part), (yes, no) in sorted(points.items(), key=lambda point: point[1][0]):
        colour = _colour(source, part)
        axis.scatter(yes, no, s=26, color="none" if part != "full" else colour, edgecolor=colour, zorder=3)
        at = next((at for at in labels if yes - at[0] < _NEAR[0] and abs(no - at[1]) < _NEAR[1]), (yes, no))
        labels.setdefault(at, []).append(numbers[name])
    for at, together in labels.items():  # points that lie on each other get one label, left of the leftmost
        text = ", ".join(map(str, sorted(set(together))))
        axis.annotate(text, at, xytext=(-6, -3), textcoords="offset points", fontsize=7.5, ha="right")


def _colour(source: str, part: str) -> str:
    return FLOOR if part != "full" else (MEASURED if source == "measured" else PUBLISHED)


def pairs_of(rows: Sequence[Row]) -> dict[str, dict[tuple[str, str, str], tuple[float, float]]]:
    """Task -> (source, model, part) -> (precision, recall), where both are there."""
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        if row.task in YES_NO and row.metric in ("precision", "recall") and row.value is not None:
            found.setdefault((row.task, row.source, row.model, row.part), {})[row.metric] = row.value
    points: dict[str, dict[tuple[str, str, str], tuple[float, float]]] = {}
    for (task, *key), scores in found.items():
        if len(scores) == 2:
            points.setdefault(task, {})[tuple(key)] = scores["precision"], scores["recall"]
    return points


def heatmap(recalls: Mapping[str, Sequence[float | None]], path: Path) -> bool:
    """Recall by emotion class, a line a model; False where there is none."""
    if not recalls:
        return False
    values = np.array([[np.nan if value is None else value for value in row] for row in recalls.values()])
    figure, axis = plt.subplots(figsize=(7.5, 1.2 + 0.3 * len(recalls)))
    image = axis.imshow(values, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axis.set_xticks(range(len(EMOTIONS)), EMOTIONS)
    axis.set_yticks(range(len(recalls)), list(recalls))
    for (line, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            axis.text(column, line, f"{value:.0f}", ha="center", va="center", fontsize=7.5,
                      color="white" if value > 60 else "black")  # fmt: skip
    figure.colorbar(image, label="recall, %")
    figure.tight_layout()
    with files.draft(path) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)
    return True
