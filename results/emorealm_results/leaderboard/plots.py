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

from emorealm_results.leaderboard import points
from emorealm_results.leaderboard.score_rows import ScoreRow
from emorealm_results.rescore.table import NAMES
from emorealm_tasks import files
from emorealm_tasks.emotions import EMOTIONS

MEASURED, PUBLISHED, FLOOR = "#2a6fb0", "#8a8f98", "#c2410c"
_SHADES = "Blues"
_BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
"""Behind a label, over the line that leads to its point."""
_KINDS = {"measured": "run", "published": "paper", "blind": "run, blind"}
_MARKERS: dict[str, dict[str, Any]] = {
    "measured": {"marker": "o", "color": MEASURED},
    "published": {"marker": "D", "color": "none", "edgecolor": PUBLISHED},
    "blind": {"marker": "^", "color": "none", "edgecolor": FLOOR},
}


def tradeoff(rows: Sequence[ScoreRow], path: Path) -> bool:
    """Right where the answer is yes against right where it is no, a panel a yes/no task; False where there is nothing.

    Models that say yes to everything lie at the lower right; the dashed diagonal is guessing with any yes-rate, the
    curves have equal F1. Filled circles are runs, diamonds the paper's models, open triangles blind runs.
    """
    panels = points.panels(rows)
    if not any(panel["points"] for panel in panels):
        return False
    figure, axes = plt.subplots(1, 3, figsize=(14.5, 4.6), sharey=True)
    for axis, panel in zip(axes, panels, strict=True):
        for level in points.LEVELS:
            axis.plot(*zip(*points.curve(level), strict=True), color="#d0d4da", lw=0.8)
        axis.plot([0, 100], [100, 0], ls="--", lw=0.9, color=FLOOR)
        _scatter(axis, panel)
        axis.set(title=NAMES[panel["task"]], xlim=(0, 103), ylim=(0, 103), xlabel="right where the answer is yes, %")
    axes[0].set_ylabel("right where the answer is no, %")
    figure.tight_layout(rect=(0, 0, 0.86, 1))
    numbers = points.numbered(points.pairs_of(rows))
    for line, (name, number) in enumerate(numbers.items()):
        label = f"{number}  {shorten(name, 32, placeholder='…')}"
        figure.text(0.865, 0.93 - 0.038 * line, label, fontsize=8, color=MEASURED)
    present = {_kind(point) for panel in panels for point in panel["points"]}
    kinds = [(kind, label) for kind, label in _KINDS.items() if kind in present]
    marks = [axes[0].scatter([], [], s=26, label=label, **_MARKERS[kind]) for kind, label in kinds]
    figure.legend(handles=marks, loc="lower right", fontsize=8, frameon=False)
    with files.draft(path) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)
    return True


def _scatter(axis: Axes, panel: Mapping[str, Any]) -> None:
    for point in panel["points"]:
        axis.scatter(point["yes"], point["no"], s=26, zorder=3, **_MARKERS[_kind(point)])
    for label in panel["labels"]:
        to, at = label["to"], (label["x"], label["y"])
        axis.plot(*zip(to, at, strict=True), lw=0.5, color=PUBLISHED)
        axis.text(*at, label["text"], fontsize=7.5, ha="center", va="center", bbox=_BEHIND)
    if panel["why"]:
        axis.text(50, 50, panel["why"], ha="center", wrap=True)


def _kind(point: Mapping[str, Any]) -> str:
    return "blind" if point["part"] != "full" else str(point["source"])


def _ink(value: float) -> str:
    """Black or white, whichever has more contrast (WCAG 2) on a share's colour in the heat map; value in percent."""
    red, green, blue, _ = matplotlib.colormaps[_SHADES](value / 100)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    luminance = float(np.dot((0.2126, 0.7152, 0.0722), linear))
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def heatmap(recalls: Mapping[str, Sequence[float | None]], path: Path) -> bool:
    """Recall by emotion class, a line a model; False where there is none."""
    if not recalls:
        return False
    values = np.array([[np.nan if value is None else value for value in row] for row in recalls.values()])
    figure, axis = plt.subplots(figsize=(7.5, 1.2 + 0.3 * len(recalls)))
    image = axis.imshow(values, cmap=_SHADES, vmin=0, vmax=100, aspect="auto")
    axis.set_xticks(range(len(EMOTIONS)), EMOTIONS)
    axis.set_yticks(range(len(recalls)), list(recalls))
    for (line, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            axis.text(column, line, f"{value:.0f}", ha="center", va="center", fontsize=7.5,
                      color=_ink(value))  # fmt: skip
    figure.colorbar(image, label="recall, %")
    figure.tight_layout()
    with files.draft(path) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)
    return True
