"""The figures of the analyses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorealm_tasks import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]
Draw = Callable[[Rows, Rows], "Figure"]
"""Estimates and curves, each with its `model` -> a figure."""
_LEVELS = ("all", "task")
_GREY = "#d0d4da"
_LONGEST = 32  # characters of a name


def save(path: Path, figure: "Figure", title: str) -> None:
    """Write a figure as PNG, whole or not at all. Raises OSError."""
    figure.suptitle(title, fontsize=8)
    with files.draft(path) as beside:
        figure.savefig(beside, format="png", dpi=110)


def dots(*shown: str) -> Draw:
    """A panel a metric: its value and interval for all questions and for each task, a colour a model or condition."""

    def draw(rows: Rows, curves: Rows) -> "Figure":
        """The figure of a report's estimates."""
        figure = _figure(2 + 3.6 * len(shown), 3.8)
        axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)
        drawn = [row for row in rows if row["level"] in _LEVELS]
        groups = list(dict.fromkeys(row["group"] for row in drawn))
        keys = ("model", "condition")
        series = _series([row for row in drawn if row["metric"] in shown], keys)
        for axis, metric in zip(axes[0], shown, strict=True):
            points = [{**row, "place": row["group"]} for row in drawn if row["metric"] == metric]
            _points(axis, points, groups, keys, series)
            axis.set_title(metric.replace("_", " "))
        _legend(figure, axes[0])
        return figure

    return draw


def methods(*shown: str) -> Draw:
    """A panel a metric: its value and interval for each group and condition, a colour a method."""

    def draw(rows: Rows, curves: Rows) -> "Figure":
        """The figure of a report's estimates."""
        drawn = [
            {**row, "place": " ".join(filter(None, (row["group"], row["condition"].replace("_", " "))))} for row in rows
        ]
        places = list(dict.fromkeys(row["place"] for row in drawn))
        series = _series(drawn, ("model",))
        figure = _figure(2 + 4.4 * len(shown), 1.5 + 0.7 * len(places))
        axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)
        for axis, metric in zip(axes[0], shown, strict=True):
            _points(axis, [row for row in drawn if row["metric"] == metric], places, ("model",), series)
            axis.set_title(metric.replace("_", " "))
        _legend(figure, axes[0])
        return figure

    return draw


def densities(rows: Rows, curves: Rows) -> "Figure":
    """A line for each altered modality, as in Figure 5: the densities of the right answer's log-likelihood, a panel a
    model, with the clip's own modality filled; and the mean absolute shift by each way, a colour a model.
    """
    altered = [name for name in ("sound", "picture") if any(row["condition"].startswith(name) for row in rows)]
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure = _figure(4 + 3.6 * len(models), 0.6 + 3.2 * len(altered))
    axes = figure.subplots(len(altered), len(models) + 1, squeeze=False)
    for line, modality in zip(axes, altered, strict=True):
        for axis, model in zip(line[:-1], models, strict=True):
            axis.sharex(line[0])
            axis.sharey(line[0])
            for curve in curves:
                if (curve["altered"], curve["model"]) == (modality, model):
                    label = curve["condition"].removeprefix(f"{modality}_")
                    if label == "own":
                        axis.fill_between(curve["x"], curve["density"], color=_GREY, label=label)
                    else:
                        axis.plot(curve["x"], curve["density"], lw=1, label=label)
            axis.set_title(f"{_short(model)}\n{modality} altered", fontsize=8)
            axis.set_xlabel("log-likelihood of the right answer (nats)", fontsize=8)
            if axis.get_legend_handles_labels()[0]:
                axis.legend(frameon=False, fontsize=6)
        points = [
            {**row, "place": row["condition"].removeprefix(f"{modality}_")}
            for row in rows
            if row["level"] == "all" and row["metric"] == "shift_absolute" and row["condition"].startswith(modality)
        ]
        _points(line[-1], points, list(dict.fromkeys(row["place"] for row in points)), ("model",))
        line[-1].set_title("mean absolute shift (nats)", fontsize=8)
    _legend(figure, axes[:, -1])
    return figure


def attention(rows: Rows, curves: Rows) -> "Figure":
    """As in Figure 5, the share of the asked modality in the attention to media; then layer by layer for each."""
    asked = [{**row, "place": f"about the {row['group']}"} for row in rows if row["level"] == "asked"]
    overall = [row for row in asked if row["metric"] == "asked_share"]
    groups = list(dict.fromkeys(row["group"] for row in overall))
    figure = _figure(4 + 3.6 * len(groups), 3.6)
    first, *others = figure.subplots(1, 1 + len(groups), squeeze=False)[0]
    _points(first, overall, list(dict.fromkeys(row["place"] for row in overall)), ("model",))
    first.set(title="attention to the asked modality (%)", xlim=(0, 100))
    for axis, group in zip(others, groups, strict=True):
        for model in dict.fromkeys(row["model"] for row in rows):
            layers = [row for row in rows if (row["level"], row["group"], row["model"]) == ("layer", group, model)]
            low, high = ([row["value"] if row[end] is None else row[end] for row in layers] for end in ("low", "high"))
            (line,) = axis.plot(range(len(layers)), [row["value"] for row in layers], "o-", ms=3, label=_short(model))
            axis.fill_between(range(len(layers)), low, high, color=line.get_color(), alpha=0.15)
        axis.set(title=f"questions about the {group}", xlabel="layer", ylabel=f"{group}, % of media", ylim=(0, 100))
        axis.xaxis.get_major_locator().set_params(integer=True)
    _legend(figure, [first])
    return figure


def figure_5(rows: Rows, curves: Rows) -> "Figure":
    """The paper's four panels: attention for questions about the sound and about the picture, and the right answer's
    log-likelihood with its own and with a conflicting sound and picture; a colour a model, the own modality filled.
    """
    figure = _figure(12, 6)
    axes = figure.subplots(2, 2)
    models = list(dict.fromkeys(row["model"] for row in [*rows, *curves]))
    for axis, modality in zip(axes[0], ("sound", "picture"), strict=True):
        points = [
            {**row, "place": row["model"], "series": "share"}
            for row in rows
            if (row["level"], row["group"], row["metric"]) == ("asked", modality, "asked_share")
        ]
        _points(axis, points, models, ("series",))
        axis.set(
            title=f"questions about the {modality}", xlim=(0, 100), xlabel=f"{modality}, % of the attention to media"
        )
    for axis, modality in zip(axes[1], ("sound", "picture"), strict=True):
        for number, model in enumerate(models):
            for curve in curves:
                if (curve["altered"], curve["model"]) == (modality, model):
                    if curve["condition"] == "own":
                        axis.fill_between(curve["x"], curve["density"], color=f"C{number}", alpha=0.25)
                    elif curve["condition"] == f"{modality}_conflicting":
                        axis.plot(curve["x"], curve["density"], color=f"C{number}", label=_short(model))
        axis.set(
            title=f"{modality} of a conflicting emotion (line)", xlabel="log-likelihood of the right answer (nats)"
        )
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False, fontsize=7)
    return figure


def _points(
    axis: "Axes",
    rows: Rows,
    places: Sequence[str],
    keys: Sequence[str],
    series: Sequence[tuple[str, ...]] = (),
) -> None:
    """Values with their intervals on lines named `places`, from the top; a colour for each value of `keys`.

    series: these values in the colours' order, where panels share a legend; by default those of `rows`.
    """
    series = series or _series(rows, keys)
    for number, name in enumerate(series):
        points = [row for row in rows if tuple(row[key] for key in keys) == name]
        if not points:
            continue
        heights = [places.index(row["place"]) + 0.6 * (number + 0.5) / len(series) - 0.3 for row in points]
        low, high = ([row["value"] if row[end] is None else row[end] for row in points] for end in ("low", "high"))
        colour, label = f"C{number % 10}", " ".join(map(_short, filter(None, name)))
        axis.plot([row["value"] for row in points], heights, "o", ms=4, color=colour, label=label)
        axis.hlines(heights, low, high, color=colour, lw=1)
    axis.axvline(0, color=_GREY, lw=0.8, zorder=0)
    axis.set(yticks=range(len(places)), yticklabels=list(map(_short, places)), ylim=(len(places) - 0.5, -0.5))


def _short(name: str) -> str:
    """A name that leaves room for the panels: its end, where the weights stand."""
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def _series(rows: Rows, keys: Sequence[str]) -> list[tuple[str, ...]]:
    """The values of `keys` that occur, in their order."""
    return list(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))


def _legend(figure: "Figure", axes: "Iterable[Axes]") -> None:
    """Below the panels, where it covers no point; none for a single series."""
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    if len(handles) > 1:
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center", frameon=False, fontsize=7, ncols=4
        )


def _figure(width: float, height: float) -> "Figure":
    """A figure of so many inches that belongs to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
