"""The estimates of an analysis as JSON, Parquet, Markdown and a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_results.analyses.estimates import Estimate
from emorealm_results.console.markdown import interval, table
from emorealm_results.share import files as writers
from emorealm_results.share.columns import Column, Table
from emorealm_tasks import files

COLUMNS: Table = {
    "analysis": Column("text", "which analysis"),
    "model": Column("text", "the model's arguments"),
    "level": Column("text", "all, task, emotion or subtask"),
    "group": Column("text", "the questions' task, emotion or sub-task"),
    "condition": Column("text", "what was given, empty where the number compares several"),
    "metric": Column("text", "name of the number"),
    "value": Column("number", "the number: percent, points, nats, or an index from 0 to 1"),
    "low": Column("number", "lower end of its 95% interval over clips"),
    "high": Column("number", "upper end of its 95% interval over clips"),
    "p": Column("number", "two-sided p, adjusted by Holm's method over the model's report"),
    "questions": Column("whole", "questions it stands on"),
    "clips": Column("whole", "clips it stands on"),
}
"""One row a number."""
_UNITS = "Brackets: 95% intervals over clips. Accuracies in percent, effects in nats, an index from 0 to 1."
_LEVELS = ("all", "task")


def write(out: Path, about: Mapping[str, Any], found: Mapping[str, Sequence[Estimate]], shown: Sequence[str]) -> None:
    """Write `report.json`, `estimates.parquet`, `report.md` and, where a number is shown, `plot.png`. Raises OSError.

    about: what was asked. found: model -> estimates. shown: the metrics of the plot.
    """
    rows = [
        {"analysis": about["analysis"], "model": model} | one for model, of_model in found.items() for one in of_model
    ]
    files.write_json(out / "report.json", {**about, "estimates": rows})
    writers.parquet(out / "estimates.parquet", COLUMNS, rows)
    files.write(out / "report.md", markdown(about, rows))
    plot(out / "plot.png", about, rows, shown)


def title(about: Mapping[str, Any]) -> str:
    """What was asked of whom, in a line."""
    part = f"at most {about['limit']} questions a task, drawn" if about["limit"] else "all questions"
    failed = f"; {about['failed']} failed and left out" if about["failed"] else ""
    return f"{about['analysis']}: {', '.join(about['tasks'])}, {part} by seed {about['seed']}{failed}"


def markdown(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """A table a model, a line a number; ends in a newline."""
    blocks = [
        f"# {title(about)}",
        _UNITS,
    ]
    for model in dict.fromkeys(row["model"] for row in rows):
        lines = [["questions about", "n", "given", "number", "value", "p"]]
        for row in rows:
            if row["model"] == model:
                p = "" if row["p"] is None else f"{row['p']:.3g}"
                cells = [row["group"], str(row["questions"]), row["condition"], row["metric"], interval(row, 2), p]
                lines.append(cells)
        blocks += [f"## {model}", table(lines)]
    return "\n\n".join(blocks) + "\n"


def plot(path: Path, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], shown: Sequence[str]) -> None:
    """A panel a metric: its value and interval for all questions and for each task, a colour a model or condition."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(shown), figsize=(2 + 3.6 * len(shown), 3.8), sharey=True, squeeze=False)
    groups = list(dict.fromkeys(row["group"] for row in rows if row["level"] in _LEVELS))
    for axis, metric in zip(axes[0], shown, strict=True):
        of_metric = [row for row in rows if row["metric"] == metric and row["level"] in _LEVELS]
        series = list(dict.fromkeys((row["model"], row["condition"]) for row in of_metric))
        for number, key in enumerate(series):
            points = [row for row in of_metric if (row["model"], row["condition"]) == key]
            heights = [groups.index(row["group"]) + 0.6 * (number + 0.5) / len(series) - 0.3 for row in points]
            ends = [[row["value"] if row[end] is None else row[end] for row in points] for end in ("low", "high")]
            label = " ".join(filter(None, key))
            (line,) = axis.plot([row["value"] for row in points], heights, "o", ms=4, label=label)
            axis.hlines(heights, *ends, color=line.get_color(), lw=1)
        axis.axvline(0, color="#d0d4da", lw=0.8, zorder=0)
        axis.set(title=metric.replace("_", " "), yticks=range(len(groups)), yticklabels=groups)
        if len(series) > 1:
            axis.legend(frameon=False, fontsize=7)
    axes[0][0].invert_yaxis()
    figure.suptitle(title(about), fontsize=8)
    figure.tight_layout()
    with files.draft(path) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)
