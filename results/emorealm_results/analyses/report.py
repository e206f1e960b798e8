"""The estimates of an analysis as JSON, Parquet, Markdown and a plot."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_results.analyses import plots
from emorealm_results.analyses.adversarial import Curve
from emorealm_results.analyses.estimates import Estimate
from emorealm_results.console.markdown import interval, table
from emorealm_results.share import files as writers
from emorealm_results.share.columns import Column, Table
from emorealm_tasks import files

COLUMNS: Table = {
    "analysis": Column("text", "which analysis"),
    "model": Column("text", "the model's arguments"),
    "level": Column("text", "all, task, emotion, subtask; asked (the modality), and of that layer and head"),
    "group": Column("text", "the questions' task, emotion, sub-task or modality"),
    "condition": Column("text", "what was given, or which layer or head; empty for several"),
    "metric": Column("text", "name of the number"),
    "value": Column("number", "the number: percent, points, nats, or an index from 0 to 1"),
    "low": Column("number", "lower end of its 95% interval over clips"),
    "high": Column("number", "upper end of its 95% interval over clips"),
    "p": Column("number", "two-sided p, adjusted by Holm's method over the model's report"),
    "questions": Column("whole", "questions it stands on"),
    "clips": Column("whole", "clips it stands on"),
}
"""One row a number."""
UNITS = (
    "Brackets: 95% intervals over clips. "
    "Accuracies and shares in percent, effects and shifts in nats, an index from 0 to 1."
)

CURVES: Table = {
    "analysis": Column("text", "which analysis"),
    "model": Column("text", "the model's arguments"),
    "altered": Column("text", "the altered modality of the questions: those about the other one"),
    "condition": Column("text", "what was given"),
    "x": Column("number", "log-likelihood of the right answer, in nats"),
    "density": Column("number", "density there"),
}
"""One row a point of a curve."""
QUESTIONS: Table = {
    "analysis": Column("text", "which analysis"),
    "model": Column("text", "the model's arguments"),
    "id": Column("text", "the question's id, unique within its task"),
    "clip": Column("text", "name of the clip"),
    "task": Column("text", "released name of the task"),
    "condition": Column("text", "what was given"),
    "given": Column("text", "the clip of which a modality stands in for the question's own, empty for none"),
    "option": Column("whole", "place of the option among those of the question as it was asked then, from 1"),
    "right": Column("truth", "whether it is the right one"),
    "loglikelihood": Column("number", "of the option, in nats"),
}
"""One row an option of a question under a condition."""
FILES = ("report.json", "plot.png", "estimates.parquet", "densities.parquet", "questions.parquet")
"""What a page takes over of an analysis, as far as it is there."""
_ROWS = 10_000  # of the questions, written at once: what bounds the memory


def write(
    out: Path,
    about: Mapping[str, Any],
    found: Mapping[str, Sequence[Estimate]],
    draw: plots.Draw,
    curves: Mapping[str, Sequence[Curve]],
    questions: Mapping[str, Iterable[Any]],
) -> list[str]:
    """Write the numbers, a plot, and the curves where there are any -> the names of the files.

    about: what was asked. found, curves: by model; questions: what was measured, by model. Raises OSError.
    """
    rows = _of_models(about["analysis"], found)
    lines = _of_models(about["analysis"], curves)
    files.write_json(out / "report.json", {**about, "estimates": rows, **({"densities": lines} if lines else {})})
    writers.parquet(out / "estimates.parquet", COLUMNS, rows)
    files.write(out / "report.md", markdown(about, rows))
    plots.save(out / "plot.png", draw(rows, lines), title(about))
    names = ["report.md", "report.json", "estimates.parquet", "plot.png"]
    if lines:
        names.append("densities.parquet")
        points = [
            {**line, "x": x, "density": density}
            for line in lines
            for x, density in zip(line["x"], line["density"], strict=True)
        ]
        writers.parquet(out / "densities.parquet", CURVES, points)
    options = (
        row for model, lines in questions.items() for one in lines for row in _options(about["analysis"], model, one)
    )
    if first := list(itertools.islice(options, _ROWS)):
        names.append("questions.parquet")
        others = iter(lambda: list(itertools.islice(options, _ROWS)), [])
        writers.parquet_parts(out / names[-1], QUESTIONS, itertools.chain([first], others))
    return names


def _options(analysis: str, model: str, one: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a question; none where no likelihoods were measured."""
    shared = {"analysis": analysis, "model": model} | {name: one[name] for name in ("id", "clip", "task")}
    return [
        {**shared, "condition": condition, "given": of.get("given", ""), "option": place,
         "right": place == of["gold"] + 1, "loglikelihood": score}
        for condition, of in one.get("conditions", {}).items() for place, score in enumerate(of["scores"], 1)
    ]  # fmt: skip


def _of_models(analysis: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    return [{"analysis": analysis, "model": model, **one} for model, of_model in found.items() for one in of_model]


def title(about: Mapping[str, Any]) -> str:
    """What was asked of whom, in a line."""
    part = f"at most {about['limit']} questions a task, drawn" if about["limit"] else "all questions"
    failed = f"; {about['failed']} failed and left out" if about["failed"] else ""
    if study := about.get("study"):
        failed += f"; trainings: {', '.join(f'{name} {count}' for name, count in study['trainings'].items())}"
    return f"{about['analysis']}: {', '.join(about['tasks'])}, {part} by seed {about['seed']}{failed}"


def markdown(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """A table a model, a line a number; ends in a newline."""
    blocks = [
        f"# {title(about)}",
        UNITS,
    ]
    for model in dict.fromkeys(row["model"] for row in rows):
        lines = [["questions about", "n", "given", "number", "value", "p"]]
        for row in rows:
            if row["model"] == model and row["level"] != "head":  # hundreds: in the other files
                p = "" if row["p"] is None else f"{row['p']:.3g}"
                cells = [row["group"], str(row["questions"]), row["condition"], row["metric"], interval(row, 2), p]
                lines.append(cells)
        blocks += [f"## {model}", table(lines)]
    return "\n\n".join(blocks) + "\n"
