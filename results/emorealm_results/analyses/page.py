"""Reports of several analyses -> one Markdown page with their figures; its sentences follow from the numbers."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_results.analyses import adversarial, attention, cues, plots, report, swap
from emorealm_results.console.markdown import interval, table
from emorealm_tasks import files, schemas
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_json

_NUMBER = (float, None)
_ESTIMATE = {"model": str, "level": str, "group": str, "condition": str, "metric": str, "value": float}
_CURVE = {"model": str, "altered": str, "condition": str, "x": [float], "density": [float]}
_REPORT = {
    "analysis": str, "model": str, "model_args": [str], "tasks": [str], "limit": int, "seed": int, "questions": int,
    "failed": int, "estimates": [{**_ESTIMATE, "low": _NUMBER, "high": _NUMBER, "questions": int}],
    "densities?": [_CURVE],
}  # fmt: skip
_SHOWN = {
    "swap": ("shortcut_index", "effect_sound", "effect_picture", swap.CHANGE),
    "attention": (*attention.METRICS, attention.CHANGE),
    "adversarial": ("shift_absolute", "changed", adversarial.CHANGE),
    "modalities": ("accuracy", "lost"),
    "options": ("accuracy_mean", "accuracy_corrected", "consistency", "position_bias"),
    "cues": ("used", "followed", "effect", "changed_anyway"),
}
"""The numbers that the page shows of each analysis; the others are in the reports."""
_LEGENDS = {
    "swap": "Effects are sizes with their sign, on the log-odds of the right option; the index is 0 for a model that "
    "goes by the asked modality alone, 1 for one that goes by the other alone.",
    "attention": "Of the last token of the prompt. asked share: of the attention to media, that to the asked modality.",
    "adversarial": "The modality that is not asked about is altered. changed: questions with another likeliest option.",
    "cues": "used: of the cues that the answer names, those that it no longer names once they are taken out; "
    "followed: of those that it denies and that are absent, those that it names once they are added; effect: on the "
    "log-odds of naming the cue; changed anyway: answers that change where the same cues are drawn with other seeds.",
}
_LEVELS = ("all", "asked")
_EXPECTED = (
    "In the paper's Figure 5, after training more of the attention goes to the asked modality, and the likelihood of "
    "the right answer shifts less. Each line compares a model with the first one, over the same questions. Where the "
    "interval holds 0, no change is seen. Intervals are over clips, of one training each: they know nothing of other "
    "seeds, and are not adjusted for how many are looked at."
)
_NO_CHANGE = "does not change clearly"


def read(folders: Sequence[Path]) -> dict[Path, dict[str, Any]]:
    """The report of each folder, in the page's order. Stops where one is none, or two are of the same analysis."""
    found: dict[Path, dict[str, Any]] = {}
    for folder in folders:
        path, remedy = folder / "report.json", "it must be a folder that `emorealm analyse` wrote"
        one = read_json(path, dict, remedy)
        schemas.require(path, one, _REPORT, remedy)
        if one["analysis"] not in _SHOWN:
            stop(f"{path}: no analysis is called {one['analysis']}; {remedy}")
        if any(other["analysis"] == one["analysis"] for other in found.values()):
            stop(f"{path}: a second report of {one['analysis']}; name one folder of each analysis")
        found[folder] = one
    order = list(_SHOWN)
    return dict(sorted(found.items(), key=lambda item: order.index(item[1]["analysis"])))


def write(folders: Sequence[Path], out: Path) -> list[str]:
    """Write README.md, and for each analysis its figure and its report, into `out` -> their names. Raises OSError."""
    reports = read(folders)
    by_name = {one["analysis"]: one for one in reports.values()}
    out.mkdir(parents=True, exist_ok=True)
    names = []
    for folder in folders:
        for kind in ("report.json", "plot.png"):
            names.append(reports[folder]["analysis"] + Path(kind).suffix)
            with files.draft(out / names[-1]) as beside:
                shutil.copyfile(folder / kind, beside)
    if {"attention", "adversarial"} <= set(by_name):
        names.append("figure_5.png")
        curves = by_name["adversarial"].get("densities", [])
        plots.save(out / names[-1], plots.figure_5(by_name["attention"]["estimates"], curves), "As Figure 5")
    files.write(out / "README.md", markdown(list(reports.values())))
    return ["README.md", *names]


def markdown(reports: Sequence[Mapping[str, Any]]) -> str:
    """The page; ends in a newline."""
    names = {one["analysis"] for one in reports}
    blocks = ["# Why a model answers so", report.UNITS + " Made by `emorealm analyse page`."]
    if {"attention", "adversarial"} <= names:
        blocks.append("![The four panels of Figure 5](figure_5.png)")
    said = [line for one in reports for line in sentences(one)]
    if said:
        blocks += ["## What the numbers say", _EXPECTED, "\n".join(f"- {line}" for line in said)]
    for one in reports:
        blocks += [f"## {one['analysis']}", f"{report.title(one)}; {one['questions']} questions. `{command(one)}`"]
        blocks += [f"![Figure of {one['analysis']}]({one['analysis']}.png)"]
        blocks += [*filter(None, [_LEGENDS.get(one["analysis"])]), _table(one)]
    return "\n\n".join(blocks) + "\n"


def command(one: Mapping[str, Any]) -> str:
    """What made a report."""
    models = " ".join(f"--model_args {name}" for name in one["model_args"] if name)
    parts = f"--tasks {','.join(one['tasks'])} --limit {one['limit']} --seed {one['seed']}"
    return " ".join(f"emorealm analyse {one['analysis']} --model {one['model']} {models} {parts} --out DIR".split())


def sentences(one: Mapping[str, Any]) -> list[str]:
    """What the comparison of the first model with the others shows, and where it shows nothing."""
    makers: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
        "swap": _of_swap, "attention": _of_attention, "adversarial": _of_adversarial, "cues": _of_cues
    }  # fmt: skip
    return makers[one["analysis"]](one) if one["analysis"] in makers else []


def _of_swap(one: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['model']}: the shortcut index {_direction(row)} ({interval(row, 3)})."
        for row in _rows(one, swap.CHANGE, ("all",))
    ]


def _of_attention(one: Mapping[str, Any]) -> list[str]:
    names = {"all": "over all questions", "sound": "of questions about the sound", "picture": "about the picture"}
    return [
        f"{row['model']}: {names[row['group']]}, the share of the asked modality in the attention to media "
        f"{_direction(row)} ({interval(row, 2)} points)."
        for row in _rows(one, attention.CHANGE, _LEVELS)
    ]


def _of_adversarial(one: Mapping[str, Any]) -> list[str]:
    rows = _rows(one, adversarial.CHANGE, ("all",))
    found = []
    for model in dict.fromkeys(row["model"] for row in rows):
        ways: dict[str, list[str]] = {}
        for row in rows:
            if row["model"] == model:
                ways.setdefault(_direction(row), []).append(row["condition"].replace("_", " "))
        found += [f"{model}: the mean absolute shift {how} for {', '.join(names)}." for how, names in ways.items()]
    return found


def _of_cues(one: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['model']}: used {interval(row, 1)} % of the {row['questions']} cues that its answers name."
        for row in _rows(one, "used", ("all",))
        if row["condition"] == cues.NAMED
    ]


def _direction(row: Mapping[str, Any]) -> str:
    """In which direction a difference goes, as far as its interval says so."""
    if row["low"] is None or row["low"] <= 0 <= row["high"]:
        return _NO_CHANGE
    return "grows" if row["low"] > 0 else "shrinks"


def _rows(one: Mapping[str, Any], metric: str, levels: Sequence[str]) -> list[Mapping[str, Any]]:
    return [row for row in one["estimates"] if row["metric"] == metric and row["level"] in levels]


def _table(one: Mapping[str, Any]) -> str:
    """A line a number, a column a model."""
    models = list(dict.fromkeys(row["model"] for row in one["estimates"]))
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for metric in _SHOWN[one["analysis"]]:
        for row in _rows(one, metric, _LEVELS):
            key = (row["group"], row["condition"], metric.replace("_", " "))
            cells.setdefault(key, {})[row["model"]] = interval(row, 3 if "index" in metric else 2)
    lines = [[*key, *(by_model.get(model, "") for model in models)] for key, by_model in cells.items()]
    return table([["questions about", "given", "number", *models], *lines])
