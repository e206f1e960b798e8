"""The folder that `emorealm analyse page` wrote, on the leaderboard: numbers in a table, a tab, and swapped samples."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emorealm_results.analyses import estimates, page, report, swap
from emorealm_results.analyses.scoring import Options
from emorealm_results.console import words
from emorealm_results.leaderboard import score_rows
from emorealm_results.leaderboard.page_options import Analyses
from emorealm_results.leaderboard.score_rows import Measured, ScoreRow
from emorealm_results.paper.layouts import ANALYSES, GROUP
from emorealm_results.rescore.table import READINGS
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief

Report = Mapping[str, Any]
_MINI = "emorealm_mini"
_REMEDY = "name a folder that `emorealm analyse page` wrote"
_NUMBERS = {
    "swap": {"shortcut_index": ("all", "all", "", "shortcut_index")},
    "attention": {f"attention_{name}": ("asked", name, "", "asked_share") for name in ("sound", "picture")},
    "adversarial": {
        f"shift_{name}": ("all", "all", f"{name}_conflicting", "shift_absolute") for name in ("sound", "picture")
    },
}
"""Analysis -> metric of the layout -> level, group, condition and metric of the report."""
_LABEL = ("level", "group", "condition", "metric")


def read(folder: Path) -> list[Report]:
    """The reports of a page's folder, in its order. Stops where there is none."""
    paths = [path for name in page.stems() if (path := folder / f"{name}.json").is_file()]
    reports: list[Report] = [page.report_of(path, _REMEDY) for path in paths]
    if not reports:
        stop(f"{folder}: holds no analysis; {_REMEDY}")
    return reports


def joined(runs: Sequence[Measured], reports: Sequence[Report], folder: Path) -> list[Measured]:
    """The runs, with the numbers of those whose model was analysed, and after them the models that have no run here."""
    found = list(runs)
    for one in reports:
        for label in dict.fromkeys(row["model"] for row in one["estimates"]):
            numbers = _numbers(one, label)
            places = [place for place, run in enumerate(found) if _is_of(run.about, one, label)]
            if numbers and not places:
                places = [len(found)]
                found.append(Measured(_about(one, label, folder), (), None))
            for place in places:
                rows = tuple(_rows(one, numbers, found[place].about["name"], place))
                found[place] = replace(found[place], rows=found[place].rows + rows)
    return found


def _numbers(one: Report, label: str) -> dict[str, Mapping[str, Any]]:
    wanted = {what: metric for metric, what in _NUMBERS.get(one["analysis"], {}).items()}
    rows = {tuple(row[name] for name in _LABEL): row for row in one["estimates"] if row["model"] == label}
    return {metric: rows[what] for what, metric in wanted.items() if what in rows}


def _rows(one: Report, numbers: Mapping[str, Mapping[str, Any]], name: str, number: int) -> Iterator[ScoreRow]:
    for metric, row in numbers.items():
        for reading in READINGS:
            yield ScoreRow(
                "measured", name, "A,V", GROUP, _mini(one), ANALYSES, "full", metric, reading, row["value"],
                row["low"], row["high"], n=row["questions"], run=number, note=report.title(one),
            )  # fmt: skip


def _is_of(about: Mapping[str, Any], one: Report, label: str) -> bool:
    """Whether a run is of an analysed model: the same row of a study, or the same adapter with the same weights."""
    if "study" in one or about["origin"].startswith("study"):
        return "study" in one and about["origin"].startswith("study") and about["name"] == label
    arguments = "" if label == one["model"] else label
    same = _checkpoint(arguments) in (_checkpoint(about["model_args"]), about["weights"])
    return bool(about["model"] == one["model"]) and same


def _checkpoint(arguments: str) -> str:
    found = re.search(r"(?:^|,)pretrained=([^,]+)", arguments)
    return Path(found[1]).name if found else ""


def _about(one: Report, label: str, folder: Path) -> dict[str, Any]:
    """What the page says of a model that was analysed and has no run."""
    known = {"name": _checkpoint(label) or label, "origin": "analyses", "model": one["model"], "model_args": label}
    return score_rows.unknown() | known | {"folder": words.place(folder)}


def _mini(one: Report) -> bool:
    return all(task.startswith(_MINI) for task in one["tasks"])


def shown(reports: Sequence[Report], folder: Path) -> Analyses:
    """The page's tab, and the four cells of every question that was swapped."""
    parts = [
        {"name": page.heading(one), "title": report.title(one), "command": page.command(one),
         "legend": page.legend(one), "figure": _picture(folder / f"{page.stem(one)}.png"), "cells": page.cells(one)}
        for one in reports
    ]  # fmt: skip
    tab = {
        "about": report.UNITS,
        "expected": page.EXPECTED,
        "sentences": [line for one in reports for line in page.says(one)],
        "figure_5": _picture(folder / page.FIGURE_5),
        "parts": parts,
    }
    swaps = (_cells(one, folder) for one in reports if page.stem(one) == "swap")
    return Analyses(tab, next(swaps, {}))


def _picture(path: Path) -> str:
    """A PNG as a data URI; "" where there is none."""
    if not path.is_file():
        return ""
    try:
        return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
    except OSError as error:
        stop(f"{path}: cannot be read ({error.strerror})")


def _cells(one: Report, folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Benchmark and question -> partner, and for each model the probabilities and log-odds of the four cells."""
    from pyarrow import ArrowException
    from pyarrow import parquet as reader

    path = folder / "swap_questions.parquet"
    if not path.is_file():
        return {}
    try:
        rows = reader.read_table(path, columns=list(report.QUESTIONS)).to_pylist()
    except (ArrowException, OSError) as error:
        stop(f"{path}: cannot be read ({brief(str(error))}); {_REMEDY}")
    options: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        options.setdefault((row["id"], row["model"], row["condition"]), []).append(row)
    benchmark = _MINI if _mini(one) else GROUP
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for (name, model, cell), of_cell in options.items():
        entry = found.setdefault((benchmark, name), {"partner": "", "models": {}})
        entry["partner"] = of_cell[0]["given"] or entry["partner"]
        entry["models"].setdefault(model, {})[cell] = _chances(of_cell)
    return {key: entry for key, entry in found.items() if entry["partner"] and _complete(entry)}


def _complete(entry: Mapping[str, Any]) -> bool:
    return all(set(cells) == set(swap.CELLS) for cells in entry["models"].values())


def _chances(of_cell: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Probabilities of the options in their order, and the log-odds of the right one in nats."""
    rows = sorted(of_cell, key=lambda row: row["option"])
    gold = next((place for place, row in enumerate(rows) if row["right"]), 0)
    measured = Options(gold=gold, scores=[row["loglikelihood"] for row in rows])
    chances = [round(float(chance), 4) for chance in estimates.chances(measured)]
    return {"p": chances, "odds": round(estimates.log_odds(measured), 2)}
