"""The data card's plots (Figs. 7 to 9), in colours that stay apart for colour-blind readers (Okabe and Ito)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from emorealm_tasks import files

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_GREY = "#B3B3B3"
_LANGUAGES = 15
"""Languages with a bar of their own."""


def draw(numbers: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Write the plots that the numbers allow, PNG; returns file name -> what it shows. Raises OSError."""
    shown = {}
    for name, (alt, data, paint) in _PLOTS.items():
        content = data(numbers)
        if not content:
            continue
        figure, axes = plt.subplots(figsize=(7, 3.6))
        paint(axes, content)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        figure.tight_layout()
        folder.mkdir(parents=True, exist_ok=True)
        with files.draft(folder / f"{name}.png") as beside:
            figure.savefig(beside, dpi=120)
        plt.close(figure)
        shown[f"{name}.png"] = alt
    return shown


def _words(name: str) -> str:
    return name.replace("_", " ")


def _tasks(axes: Axes, counts: Mapping[str, int]) -> None:
    _bars(axes, counts, "questions")


def _languages(axes: Axes, counts: Mapping[str, int]) -> None:
    first = dict(list(counts.items())[:_LANGUAGES])
    others = sum(counts.values()) - sum(first.values())
    _bars(axes, first | ({"others": others} if others else {}), "clips")


def _bars(axes: Axes, counts: Mapping[str, int], unit: str) -> None:
    """One horizontal bar a name, the first on top, its count beside it."""
    bars = axes.barh([_words(name) for name in counts], list(counts.values()), color=_COLOURS[0])
    axes.bar_label(bars, padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.margins(x=0.12)


def _labels(axes: Axes, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Two bars a label: the source's share and the release's."""
    names = list(shares["source"])
    for number, (part, colour) in enumerate((("source", _GREY), ("release", _COLOURS[0]))):
        places = [place + 0.4 * number - 0.2 for place in range(len(names))]
        heights = [100 * shares[part].get(name, 0.0) for name in names]
        axes.bar(places, heights, width=0.4, color=colour, label=part)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_ylabel("percent of clips")
    axes.legend(frameon=False)


def _subtasks(axes: Axes, counts: Mapping[str, Mapping[str, int]]) -> None:
    """A bar a task, made of its sub-tasks."""
    names = sorted({name for of in counts.values() for name in of})
    left = dict.fromkeys(counts, 0)
    for colour, name in zip(_COLOURS, names, strict=False):
        widths = [of.get(name, 0) for of in counts.values()]
        bars = axes.barh([_words(task) for task in counts], widths, left=list(left.values()), color=colour,
                         label=_words(name))  # fmt: skip
        axes.bar_label(bars, labels=[str(width) if width else "" for width in widths], label_type="center", fontsize=8)
        left = {task: start + width for (task, start), width in zip(left.items(), widths, strict=True)}
    axes.invert_yaxis()
    axes.set_xlabel("questions")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=len(names))


def _task_counts(numbers: Mapping[str, Any]) -> Mapping[str, int]:
    return {task: about["questions"] for task, about in numbers["tasks"].items()}


def _label_shares(numbers: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
    return {part: about["share"] for part, about in numbers["labels"].items()}


_PLOTS: Mapping[str, Any] = {
    "tasks": ("Questions of each task", _task_counts, _tasks),
    "labels": ("Share of each label among the clips, in the source and in the release", _label_shares, _labels),
    "languages": ("Clips in each language", lambda numbers: numbers["languages"].get("clips"), _languages),
    "subtasks": ("Sub-tasks of the stress tests", lambda numbers: numbers["subtasks"], _subtasks),
}
"""Name -> what it shows, its data from the numbers, and who paints them."""
