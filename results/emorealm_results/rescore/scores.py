"""Saved samples -> every score with its interval; no model, and the raw replies are read again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from emorealm_results.runs.samples import BENCHMARKS, FLOORS, FULL, Run, TaskRun
from emorealm_tasks import metrics
from emorealm_tasks.answers import MODES, choose_option, is_correct
from emorealm_tasks.metrics import intervals

Report = dict[str, Any]
_PACKAGES = ("emorealm", "lmms-eval", "transformers", "torch")
_COUNTS = ("n", "n_clips", "unparsed", "errors")


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made; the defaults are those of the tasks themselves."""

    resamples: int = intervals.RESAMPLES
    """How many times clips are drawn, 1 or more."""
    seed: int = intervals.SEED
    """Of the draws."""
    level: float = intervals.LEVEL
    """Of the interval, between 0 and 1."""


def score(run: Run, bootstrap: Bootstrap | None = None) -> Report:
    """All scores of a run, in percent, as plain JSON types.

    ``report["benchmarks"][benchmark][part]`` (part: "full" or a floor) has ``tasks`` (per released task name: counts,
    ``missing``, ``subtasks`` with their counts, and ``readings[reading][score]``) and ``group``
    (``group[reading][score]``); each score is ``{"value", "low", "high"}``, None where undefined.
    """
    bootstrap = bootstrap or Bootstrap()
    benchmarks = {}
    for benchmark in BENCHMARKS:
        parts = {}
        for part in (FULL, *FLOORS):
            tasks = [task for task in run.tasks if (task.benchmark, task.part) == (benchmark, part)]
            if tasks:
                parts[part] = _score_part(tasks, bootstrap)
        if parts:
            benchmarks[benchmark] = parts
    return {
        "folder": str(run.folder),
        "runs": {date: {k: v for k, v in header.items() if k != "missing"} for date, header in run.headers.items()},
        "interval": {
            "method": intervals.METHOD,
            "level": bootstrap.level,
            "resamples": bootstrap.resamples,
            "seed": bootstrap.seed,
        },
        # lmms-eval's own field names the commit of the working directory, not the release that ran
        "installed": {package: version(package) for package in _PACKAGES},
        "notes": list(run.notes),
        "benchmarks": benchmarks,
    }


def reread(record: metrics.Unread) -> metrics.Record:
    """The record with its raw reply read again in all three ways; a failed request is wrong in each."""
    raw, gold, choices = record["raw"], record["gold"], record["choices"]
    if record["error"]:
        return {**record, "official": False, "official_lenient": False, "strict": ""}
    return {
        **record,
        "official": is_correct(raw, gold, choices, "official"),
        "official_lenient": is_correct(raw, gold, choices, "official_lenient"),
        "strict": choose_option(raw, choices, "strict") or "",
    }


def _score_part(tasks: Sequence[TaskRun], bootstrap: Bootstrap) -> Report:
    records = {task.task: [reread(record) for record in task.records] for task in tasks}
    task_scores = {task.task: _score_task(records[task.task], bootstrap) | {"missing": task.missing} for task in tasks}
    everything = [record for task_records in records.values() for record in task_records]
    group = {
        reading: _with_intervals(
            metrics.group_scores(everything, reading), intervals.group_intervals(everything, reading, **vars(bootstrap))
        )
        for reading in MODES
    }
    return {"tasks": task_scores, "group": group}


def _score_task(records: Sequence[metrics.Record], bootstrap: Bootstrap) -> Report:
    readings = {}
    for reading in MODES:
        scores = metrics.task_scores(records, reading)
        readings[reading] = _with_intervals(scores, intervals.score_intervals(records, reading, **vars(bootstrap)))
    subtasks = {}
    for name in metrics.SUBTASKS:
        if members := [record for record in records if record["subtask"] == name]:
            subtasks[name] = _counts(metrics.task_scores(members, "strict"))
    return _counts(scores) | {"subtasks": subtasks, "readings": readings}


def _counts(scores: Mapping[str, Any]) -> dict[str, int]:
    return {name: scores[name] for name in _COUNTS}


def _with_intervals(scores: Mapping[str, Any], bounds: Mapping[str, intervals.Interval]) -> Report:
    return {name: {"value": scores[name], "low": low, "high": high} for name, (low, high) in bounds.items()}
