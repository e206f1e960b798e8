"""Scored runs for a terminal of 80 columns: the scores that are looked at first. `table` and the others hold all."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from emorealm_results.console import terminal
from emorealm_results.console.markdown import interval, value
from emorealm_results.rescore.table import GROUP_COLUMNS, NAMES, READINGS
from emorealm_results.runs import benchmark as builds
from emorealm_results.runs import recognition
from emorealm_results.runs.headers import title, when
from emorealm_results.runs.samples import FLOORS, FULL
from emorealm_tasks.metrics import description
from emorealm_tasks.metrics.description import CRITERIA

_SECONDS = re.compile(r"(?<=:\d\d):\d\d\b")
_READINGS = ("strict", "official")
_FLOORS = {"blind": "blind", "shuffled": "shuf.", "swap_audio": "snd.", "swap_video": "pic.", "likelihood": "likely"}
_FAILURES = ("unparsed", "errors", "missing")


def render(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """Reports of :func:`emorealm_results.rescore.report.report` by the name of their run -> text.

    One reading is shown where the strict and the official one agree on every score shown.
    """
    parts = [part for name, report in reports.items() for part in _run(name, report)]
    parts += _groups(reports)
    for name, report in reports.items():
        parts += [terminal.text(f"{name}: {line}") for line in _remarks(report)]
    return "".join(
        [*parts, terminal.text("Percent, with 95% intervals over clips; --wide or --markdown shows everything.")]
    )


def _run(name: str, report: Mapping[str, Any]) -> Iterator[str]:
    for benchmark, parts in report.get("benchmarks", {}).items():
        if FULL in parts:
            model, began = title(next(iter(report["runs"].values()))), _began(report["runs"].values())
            for reading, of_reading in _readings(parts):
                yield terminal.table(_head(f"{name}: {benchmark}, {model}, {reading}", began), of_reading)
    if recognised := report.get("recognition"):
        began = _began(task["run"] for task in recognised.values())
        yield terminal.table(_head(f"{name}: emotion recognition", began), list(_recognition(recognised)))
    for task, described in report.get("descriptions", {}).items():
        if described["judges"]:
            about = f"{name}: {task}, 1 to 10, {described['n']} clips"
            yield terminal.table(_head(about, _began([described["run"]])), list(_descriptions(described)))
        else:
            yield terminal.text(f"{name}: {task}: {described['n']} descriptions, not judged yet: see emorealm rescore")


def _head(about: str, began: str) -> str:
    """What stands above a table; the date on a line of its own where both are too long for one."""
    return f"{about},{' ' if len(about) + len(began) + 2 <= terminal.WIDTH else chr(10)}{began}"


def _began(headers: Iterable[Mapping[str, Any]]) -> str:
    """When a run's evaluations began, to the minute; of several the first and the last."""
    dates = sorted({_SECONDS.sub("", when(header)) for header in headers})
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def _readings(parts: Mapping[str, Any]) -> list[tuple[str, list[list[str]]]]:
    """Name of a reading -> rows of the tasks; one entry for both readings where they agree."""
    strict, official = (_tasks(parts, reading) for reading in _READINGS)
    if strict == official:
        return [("both readings", strict)]
    return [(f"{READINGS[reading]} reading", rows) for reading, rows in zip(_READINGS, (strict, official), strict=True)]


def _tasks(parts: Mapping[str, Any], reading: str) -> list[list[str]]:
    floors = [floor for floor in FLOORS if floor in parts]
    rows = [["task", "n", "accuracy", "F1", *(_FLOORS[floor] for floor in floors)]]
    for task, task_scores in parts[FULL]["tasks"].items():
        scores = task_scores["readings"][reading]
        floor_scores = [parts[floor]["tasks"].get(task, {}).get("readings", {}).get(reading, {}) for floor in floors]
        f1 = value(scores["f1"]) if "f1" in scores else ""
        cells = [
            interval(scores["accuracy"]),
            f1,
            *(value(floor_score.get("accuracy")) for floor_score in floor_scores),
        ]
        rows.append([NAMES[task], str(task_scores["n"]), *cells])
    return rows


def _groups(reports: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A table for each benchmark: a row for each run that answered whole tasks of it, two where its readings differ."""
    for benchmark in dict.fromkeys(name for report in reports.values() for name in report.get("benchmarks", {})):
        columns = {"accuracy": "mean acc.", **{key: name for key, name in GROUP_COLUMNS.items() if key != "accuracy"}}
        rows = [["run", *columns.values()]]
        other_builds = builds.others(reports, benchmark)
        for run, report in reports.items():
            name = builds.marked(run, other_builds)
            if group := report.get("benchmarks", {}).get(benchmark, {}).get(FULL, {}).get("group"):
                group_cells = {reading: _group(group[reading]) for reading in _READINGS}
                alike = group_cells["strict"] == group_cells["official"]
                rows += [[name if alike else f"{name}, {key}", *cells] for key, cells in group_cells.items()][
                    : 1 if alike else 2
                ]
        if len(rows) > 1:
            yield terminal.table(f"{benchmark}, side by side" if len(rows) > 2 else benchmark, rows)
            yield from map(terminal.text, builds.notes(reports, benchmark))


def _group(scores: Mapping[str, Any]) -> list[str]:
    return [interval(scores["accuracy"]), *(value(scores[key]) for key in GROUP_COLUMNS if key != "accuracy")]


def _recognition(report: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["task", "reading", "UAR", "WAR", "F1"]
    for task, task_scores in report.items():
        for reading in recognition.READINGS:
            scores = task_scores["readings"][reading]
            averages = [interval(scores[name]) for name in ("uar", "war")]
            yield [task, reading, *averages, value(scores["weighted_f1"])]


def _descriptions(report: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["judge", *(description.NAMES[name] for name in CRITERIA), "mean"]
    for judge, judge_scores in report["judges"].items():
        scores = judge_scores["scores"]
        yield [judge, *(value(scores[name], 2) for name in CRITERIA), interval(scores["mean"], 2)]


def _remarks(report: Mapping[str, Any]) -> Iterator[str]:
    """What must be known of a run before its scores are believed, a line each."""
    all_scores = [
        task
        for parts in report.get("benchmarks", {}).values()
        for task in parts.get(FULL, {}).get("tasks", {}).values()
    ]
    all_scores += report.get("recognition", {}).values()
    counts = {name: sum(task[name] for task in all_scores) for name in _FAILURES}
    if any(counts.values()):
        yield ", ".join(f"{count} {name}" for name, count in counts.items())
    of_tasks = [*report.get("recognition", {}).values(), *report.get("descriptions", {}).values()]
    headers = [*report.get("runs", {}).values(), *(task["run"] for task in of_tasks)]
    for limit in sorted({header["limit"] for header in headers if (header["limit"] or 0) > 0}):
        yield f"LIMITED RUN: --limit {limit:g} was used; not comparable to full runs"
    yield from report.get("notes", ())
