"""What the leaderboard's page and CSV hold."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

from emorealm_results.console import progress
from emorealm_results.console.words import counted
from emorealm_results.leaderboard import paired, points, ranking, sample_browser
from emorealm_results.leaderboard.page_media import media
from emorealm_results.leaderboard.page_options import Analyses, Options
from emorealm_results.leaderboard.score_rows import Measured, ScoreRow
from emorealm_results.paper import printed
from emorealm_results.paper.layouts import LAYOUTS, SCALES, Layout
from emorealm_results.rescore.table import NAMES, READINGS
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import stop
from emorealm_tasks.settings import Settings
from emorealm_tasks.untrusted import brief, read_json
from model_adapters.catalogue import MODELS

_SCRIPTS = (
    *("dom", "address", "scores", "columns", "plots", "published", "analyses"),
    *("paired", "player", "swap", "samples", "tabs"),
)
OPENS_ON = "table3"
"""The layout that the page opens on: few columns, the ranking one among them."""
_ABOUT_READING = {
    "strict": "Strict reading, as in leaderboard.md and emorealm compare, and first in emorealm table: what a careful "
    "reader takes for the answer. The paper's rows are in its official reading; choose official to rank runs as the "
    "paper does.",
    "official": "Official reading, as the paper's released code scores: a reply is right when the gold letter occurs "
    "in it.",
    "official_lenient": "Official reading, lenient: the released code's second parser (the first "
    "listed letter in the reply).",
}
_LEGEND = (
    "Percent where nothing else is said; EMER: a judge's scores. "
    "Bars: value with its 95% interval (over clips), and as a triangle what is "
    "reached without the clip (the run's own blind score, else chance). Choose a score for what stands behind it. Runs "
    "with --limit or missing clips and unfinished studies are marked and never ranked. Ranks are among all rows of the "
    "benchmark that can be ranked, also those that a filter hides. A study's rows are means over its trainings, with "
    "intervals over clips and seeds. "
    "Size: parameters, as the name of the checkpoint says; of embedded weights as they are."
)
_CELL = ("value", "low", "high", "n", "n_clips", "unparsed", "errors", "missing", "table", "note")


def survey_rows(path: Path) -> list[ScoreRow]:
    """The shares of ``emorealm survey tally --json`` as measured rows."""
    report = read_json(path, dict, "it must be what `emorealm survey tally --json` writes")
    try:
        questions = report["questions"].items()
        shares = [(model, metric, share) for metric, by_model in questions for model, share in by_model.items()]
        for _, _, share in shares:
            if not all(isinstance(share[name], int | float | None) for name in ("value", "low", "high")):
                raise TypeError("a share is no number")
    except (KeyError, AttributeError, TypeError) as error:
        stop(f"{path}: not what `emorealm survey tally --json` writes ({brief(repr(error))})")
    what = ("emer_survey", False, "emer_survey", "full")
    return [
        ScoreRow("measured", model, "", *what, metric, reading, share["value"], share["low"], share["high"],
            n=report["participants"])
        for model, metric, share in shares for reading in READINGS
    ]  # fmt: skip


def page_data(
    rows: Sequence[ScoreRow],
    runs: Sequence[Measured],
    cells: Sequence[printed.Cell],
    settings: Settings,
    options: Options,
    analyses: Analyses,
) -> dict[str, Any]:
    """Everything the page shows, as plain JSON types; copies clips where that is asked."""
    abouts = [run.about for run in runs]
    sources = {name: sample_browser.source(name, settings) for name in ("emorealm", "emorealm_mini")} if runs else {}
    browser_samples = sample_browser.collect([run.run.questions if run.run else None for run in runs], sources)
    for sample in browser_samples:
        if swap := analyses.swaps.get((sample["benchmark"], sample["id"])):
            sample["swap"] = swap
    progress.step("draws clips")
    return {
        "about": f"{_count_text(runs)} and the tables of AVERE (ICLR 2026); made {_today()} with emorealm "
        f"{version('emorealm')}.",
        "legend": _LEGEND,
        "reading": options.reading,
        "readings": list(READINGS),
        "about_reading": _ABOUT_READING,
        "names": {key: name.removeprefix("- ") for key, name in NAMES.items()} | {"emorealm": "all five tasks"},
        "scales": SCALES,
        "layouts": [dataclasses.asdict(layout) for layout in LAYOUTS if _has_rows(layout, rows)],
        "opens_on": OPENS_ON,
        "lines": _ranked(_page_lines(rows, cells, abouts), abouts),
        "runs": abouts,
        "plots": _plots(rows),
        "curves": {str(level): points.curve(level) for level in points.LEVELS},
        "comparisons": ranking.comparisons(rows, abouts),
        "samples": browser_samples,
        "analyses": analyses.shown,
        "pairs": paired.compared(runs, options.pairs, options.reading),
    } | media(browser_samples, sources, options)


def _has_rows(layout: Layout, rows: Sequence[ScoreRow]) -> bool:
    columns = {(column.task, column.metric) for column in layout.columns}
    return any((row.task, row.metric) in columns for row in rows)


def _plots(rows: Sequence[ScoreRow]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """World ("public", "mini") -> reading -> the panels of `points.panels`."""
    return {
        world: {reading: points.panels(drawn_rows(rows, world == "mini", reading)) for reading in READINGS}
        for world in ("public", "mini")
    }


def drawn_rows(rows: Sequence[ScoreRow], mini: bool, reading: str) -> list[ScoreRow]:
    """The rows that the yes-against-no plots are made of: asked in full or blind, the paper's in its own reading."""
    return [
        row
        for row in rows
        if row.mini == mini and row.part in ("full", "blind") and (row.reading == reading or row.source == "published")
    ]


def _page_lines(
    rows: Sequence[ScoreRow], cells: Sequence[printed.Cell], abouts: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    printed_sizes = {model.published: model.parameters for model in MODELS}
    floors = ranking.Floors(rows, cells)
    page_columns = {(column.task, column.metric) for layout in LAYOUTS for column in layout.columns}
    by_key: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=ranking.preference):
        if (row.task, row.metric) in page_columns:
            names = ("source", "model", "modality", "part", "run", "mini")
            key = tuple(getattr(row, name) for name in names)
            line = by_key.setdefault(key, dict(zip(names, key, strict=True)) | {"cells": {}})
            size = printed_sizes.get(row.model, "") if row.source == "published" else ""
            line["parameters"] = size if row.run is None else abouts[row.run]["parameters"]
            line["features"] = "" if row.run is None else abouts[row.run]["features"]
            cell = {name: value for name in _CELL if (value := getattr(row, name)) not in (None, "")}
            cell |= {"value": row.value, "floor": floors.of(row)}
            line["cells"].setdefault(f"{row.task}/{row.metric}", {}).setdefault(row.reading, cell)
    return list(by_key.values())


def _ranked(lines: list[dict[str, Any]], abouts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The lines with their ``ranks``: reading -> column -> rank among all lines of the same benchmark."""
    for line in lines:
        line["ranks"] = {reading: {} for reading in READINGS}
    marked = {number for number, about in enumerate(abouts) if about["marks"]}
    able = [line for line in lines if line["part"] == "full" and line["run"] not in marked]
    columns = {(column.task, column.metric): column.lower for layout in LAYOUTS for column in layout.columns}
    for (task, metric), lower in columns.items():
        name = f"{task}/{metric}"
        for mini, reading in product((False, True), READINGS):
            beside = [line for line in able if line["mini"] == mini]
            values = [_value(line, name, reading) for line in beside]
            for line, rank in zip(beside, ranking.places(values, lower), strict=True):
                line["ranks"][reading] |= {} if rank is None else {name: rank}
    return lines


def _value(line: Mapping[str, Any], name: str, reading: str) -> float | None:
    readings: dict[str, dict[str, float | None]] = line["cells"].get(name, {})
    return readings.get("official" if line["source"] == "published" else reading, {}).get("value")


def to_csv(rows: Sequence[ScoreRow], abouts: Sequence[Mapping[str, Any]]) -> str:
    """Every score a line, with the run's marks, seeds and versions."""
    names = [field.name for field in dataclasses.fields(ScoreRow)]
    about = (
        "origin",
        "weights",
        "parameters",
        "features",
        "marks",
        "notes",
        "seeds",
        "versions",
        "model_args",
        "folder",
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *about])
    for row in rows:
        facts = [_flat(abouts[row.run][name]) for name in about] if row.run is not None else [""] * len(about)
        writer.writerow(["" if getattr(row, name) is None else getattr(row, name) for name in names] + facts)
    return text.getvalue()


def heat_rows(rows: Sequence[ScoreRow], reading: str) -> dict[str, list[float | None]]:
    """Model (marked as paper or run) -> its recall of each emotion on DFEW; without the mini."""
    recalls: dict[str, dict[str, float | None]] = {}
    for row in rows:
        is_dfew = (row.task, row.part, row.mini) == ("dfew", "full", False)
        if is_dfew and (row.reading == reading or row.source == "published") and row.metric.startswith("recall_"):
            recalls.setdefault(f"{row.model} ({'paper' if row.source == 'published' else 'run'})", {})[row.metric] = (
                row.value
            )
    return {name: [scores.get(f"recall_{emotion}") for emotion in EMOTIONS] for name, scores in recalls.items()}


def _count_text(runs: Sequence[Measured]) -> str:
    studied = sum(run.about["origin"].startswith("study") for run in runs)
    analysed = sum(run.about["origin"] == "analyses" for run in runs)
    rows = f", {counted(studied, 'row')} of a study in miniature" if studied else ""
    rows += f", {counted(analysed, 'analysed model')} without a run" if analysed else ""
    return f"{counted(len(runs) - studied - analysed, 'run')}{rows}"


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {one}" for name, one in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
