"""Reports of several analyses -> one Markdown page with their figures; its sentences follow from the numbers."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_results.analyses import plots, report, sentences
from emorealm_results.analyses.kinds import KINDS
from emorealm_results.console.markdown import interval, table
from emorealm_tasks import files, schemas
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_json

FIGURE_5 = "figure_5.png"
_STUDY = "study"
_OF_METHODS = (
    "Means over the trainings of a method; intervals over clips and seeds. Differences are over the same questions and "
    "pair the trainings of one seed."
)
_NUMBER = (float, None)
_ESTIMATE = {"model": str, "level": str, "group": str, "condition": str, "metric": str, "value": float}
_CURVE = {"model": str, "altered": str, "condition": str, "x": [float], "density": [float]}
_REPORT = {
    "analysis": str, "model": str, "model_args": [str], "tasks": [str], "limit": int, "seed": int, "questions": int,
    "failed": int, "estimates": [{**_ESTIMATE, "low": _NUMBER, "high": _NUMBER, "p": _NUMBER, "questions": int}],
    "densities?": [_CURVE], "study?": {"settings": [str], "trainings": {str: int}},
}  # fmt: skip
EXPECTED = (
    "In the paper's Figure 5, after training more of the attention goes to the asked modality, and the likelihood of "
    "the right answer shifts less. Each line compares a model with the first one, over the same questions. Where the "
    "interval holds 0, no change is seen. Intervals are over clips, of one training each: they know nothing of other "
    "seeds (`emorealm analyse study` compares methods over seeds), and are not adjusted for how many are looked at."
)


def read(folders: Sequence[Path]) -> dict[Path, dict[str, Any]]:
    """The report of each folder, in the page's order. Stops where one is none, or two are of the same analysis."""
    found: dict[Path, dict[str, Any]] = {}
    for folder in folders:
        path = folder / "report.json"
        one = report_of(path, "it must be a folder that `emorealm analyse` wrote")
        if any(stem(other) == stem(one) for other in found.values()):
            stop(f"{path}: a second report of {heading(one)}; name one folder of each analysis")
        found[folder] = one
    order = stems()
    return dict(sorted(found.items(), key=lambda item: order.index(stem(item[1]))))


def report_of(path: Path, remedy: str) -> dict[str, Any]:
    """An analysis's report. Stops where the file is none."""
    one: dict[str, Any] = read_json(path, dict, remedy)
    schemas.require(path, one, _REPORT, remedy)
    if one["analysis"] not in KINDS:
        stop(f"{path}: no analysis is called {one['analysis']}; {remedy}")
    return one


def stems() -> list[str]:
    """What the files of analyses are called on a page, in its order."""
    return [*KINDS, *(f"{_STUDY}_{name}" for name in KINDS)]


def stem(one: Mapping[str, Any]) -> str:
    """What the files of an analysis are called on a page."""
    return f"{_STUDY}_{one['analysis']}" if _STUDY in one else str(one["analysis"])


def heading(one: Mapping[str, Any]) -> str:
    """What stands above an analysis."""
    return f"{one['analysis']}, the study's methods" if _STUDY in one else str(one["analysis"])


def write(folders: Sequence[Path], out: Path) -> list[str]:
    """Write README.md, and for each analysis its figure and its numbers, into `out` -> their names. Raises OSError."""
    reports = read(folders)
    by_name = {stem(one): one for one in reports.values()}
    out.mkdir(parents=True, exist_ok=True)
    names = []
    for folder, one in reports.items():
        for source in filter(lambda name: (folder / name).is_file(), report.FILES):
            names.append(_name(stem(one), source))
            with files.draft(out / names[-1]) as beside:
                shutil.copyfile(folder / source, beside)
    if {"attention", "adversarial"} <= set(by_name):
        names.append(FIGURE_5)
        curves = by_name["adversarial"].get("densities", [])
        plots.save(out / names[-1], plots.figure_5(by_name["attention"]["estimates"], curves), "As Figure 5")
    files.write(out / "README.md", markdown(list(reports.values())))
    return ["README.md", *names]


def _name(analysis: str, source: str) -> str:
    """What a file of an analysis's folder is called on the page: swap.json, swap.png, swap_questions.parquet."""
    what, suffix = source.split(".")
    return f"{analysis}.{suffix}" if what in ("report", "plot", "estimates") else f"{analysis}_{source}"


def markdown(reports: Sequence[Mapping[str, Any]]) -> str:
    """The page; ends in a newline."""
    names = {stem(one) for one in reports}
    blocks = ["# Why a model answers so", report.UNITS + " Made by `emorealm analyse page`."]
    if {"attention", "adversarial"} <= names:
        blocks.append(f"![The four panels of Figure 5]({FIGURE_5})")
    lines = [line for one in reports for line in says(one)]
    if lines:
        blocks += ["## What the numbers say", EXPECTED, "\n".join(f"- {line}" for line in lines)]
    for one in reports:
        blocks += [f"## {heading(one)}", f"{report.title(one)}; {one['questions']} questions. `{command(one)}`"]
        blocks += [f"![Figure of {heading(one)}]({stem(one)}.png)", legend(one), table(cells(one))]
    return "\n\n".join(blocks) + "\n"


def says(one: Mapping[str, Any]) -> list[str]:
    """What an analysis shows, in sentences."""
    return sentences.of_methods(one) if _STUDY in one else KINDS[one["analysis"]].says(one)


def legend(one: Mapping[str, Any]) -> str:
    """What the shown numbers of an analysis mean."""
    of_kind = KINDS[one["analysis"]].legend
    return f"{of_kind} {_OF_METHODS}" if _STUDY in one else of_kind


def command(one: Mapping[str, Any]) -> str:
    """What made a report."""
    if study := one.get(_STUDY):
        parts = f"--limit {one['limit']} --seed {one['seed']} --out DIR"
        return " ".join(["emorealm analyse study", one["analysis"], *study["settings"], parts])
    models = " ".join(f"--model_args {name}" for name in one["model_args"] if name)
    parts = f"--tasks {','.join(one['tasks'])} --limit {one['limit']} --seed {one['seed']}"
    return " ".join(f"emorealm analyse {one['analysis']} --model {one['model']} {models} {parts} --out DIR".split())


def cells(one: Mapping[str, Any]) -> list[list[str]]:
    """The numbers of a report that a page shows: a head, then a line a number with a column a model."""
    kind = KINDS[one["analysis"]]
    models = list(dict.fromkeys(row["model"] for row in one["estimates"]))
    texts: dict[tuple[str, str, str], dict[str, str]] = {}
    for level in kind.levels:
        for metric in list(dict.fromkeys(row["metric"] for row in one["estimates"])) if _STUDY in one else kind.shown:
            for row in sentences.rows(one, metric, (level,)):
                key = (row["group"], row["condition"], metric.replace("_", " "))
                tested = "" if row["p"] is None else f", {sentences.p_value(row)}"
                texts.setdefault(key, {})[row["model"]] = interval(row, 3 if "index" in metric else 2) + tested
    lines = [[*key, *(by_model.get(model, "") for model in models)] for key, by_model in texts.items()]
    return [["questions about", "given", "number", *models], *lines]
