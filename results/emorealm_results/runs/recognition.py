"""Emotions recognised in a saved run: replies read again, scored, shown; no model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorealm_results.console.markdown import interval, table, value
from emorealm_results.runs.headers import Header, read_header, title
from emorealm_results.runs.samples import newest_files, read_records
from emorealm_tasks.benchmarks import suite
from emorealm_tasks.emotions import EMOTIONS, Words
from emorealm_tasks.harness import recognition
from emorealm_tasks.metrics import intervals
from emorealm_tasks.metrics import recognition as metrics

_NAMES = [name for name, suite_entry in suite.TASK_NAMES.items() if suite_entry.benchmark in suite.PROMPTED]
TASK_NAME = re.compile("|".join(sorted(_NAMES, key=len, reverse=True)))
READINGS = {"strict": "strict", "official": "official (approximate)"}
SHORT = {emotion: f"{emotion[:3].capitalize()}." for emotion in EMOTIONS}
LEGEND = (
    "All scores in percent. UAR: mean of the classes' recalls; WAR: share of right replies; F1: mean of the classes' "
    "F1 by class size; Hap. ... Fea.: recall of each class (the columns of the paper's Table 15). strict: as a careful "
    "reader reads the reply, averaged over the classes that have a clip; unparsed: replies that assert none of the "
    "classes, or several alike; they and errors (no reply) count as wrong. official: approximately as the released "
    "code reads and averages, over the classes that are gold or read together; what it knows no word for is happiness, "
    "and dropped replies (empty, or broken into lines) leave its scores. missing: clips that cannot be used."
)
CONFUSION_LEGEND = "Rows: the clip's class; columns: the class read in the reply (strict), none where there is none."


@dataclass(frozen=True)
class Recognised:
    """The replies of a run about emotions."""

    records: dict[str, list[metrics.Unread]]
    """Task -> its records."""
    headers: dict[str, Header]
    """Task -> what its results file says."""


def load(folder: Path) -> Recognised:
    """Read a run's replies to the tasks of recognition, none of which there need be. Stops at a damaged file."""
    newest, _ = newest_files(folder, TASK_NAME)
    newest = {task: newest[task] for task in _NAMES if task in newest}
    headers = {task: read_header(path.parent / f"{date}_results.json") for task, (date, path) in newest.items()}
    return Recognised({task: read_records(path, metrics.Unread) for task, (_, path) in newest.items()}, headers)


def score(replies: Recognised, words: Words | None = None) -> dict[str, Any]:
    """Task -> ``run`` (its header), the counts of `recognition_metrics.counts`, ``missing``, ``readings``
    (reading -> score -> value, low, high) and ``confusion`` (reading -> gold class -> class read -> replies).

    ``words`` stands in for the lexicon.
    """
    report = {}
    for task, saved in replies.records.items():
        records = [recognition.read(record, words) for record in saved]
        header = replies.headers[task]
        report[task] = {
            "run": {key: value for key, value in header.items() if key != "missing"},
            **metrics.counts(records),
            "missing": header["missing"].get(task, 0),
            "readings": {reading: _scores(records, reading) for reading in metrics.READINGS},
            "confusion": {reading: metrics.confusion(records, reading) for reading in metrics.READINGS},
        }
    return report


def render(report: Mapping[str, Any]) -> str:
    """The report of :func:`score` as Markdown, ending in a newline; "" for an empty one."""
    if not report:
        return ""
    level = f"{100 * intervals.LEVEL:.0f}%"
    head = ["task", "reading", "clips", *(f"{name} [{level}]" for name in ("UAR", "WAR", "F1")), *SHORT.values()]
    rows = [[*head, "unparsed", "dropped", "errors", "missing"]]
    for task, task_scores in report.items():
        rows += [_row(task, task_scores, reading) for reading in READINGS]
    blocks = [
        f"# Emotion recognition: {title(next(iter(report.values()))['run'])}",
        table(rows),
        LEGEND,
    ]
    for task, task_scores in report.items():
        blocks += [f"## {task}: who is taken for whom", _confusion(task_scores["confusion"]["strict"])]
    limits = sorted(
        {task_scores["run"]["limit"] for task_scores in report.values() if (task_scores["run"]["limit"] or 0) > 0}
    )
    notes = [f"**LIMITED RUN**: --limit {limit:g} was used; not comparable to full runs." for limit in limits]
    return "\n\n".join([*blocks, CONFUSION_LEGEND, *notes]) + "\n"


def _scores(records: Sequence[metrics.Record], reading: str) -> dict[str, dict[str, float | None]]:
    values, bounds = metrics.scores(records, reading), metrics.score_intervals(records, reading)
    return {name: {"value": value, "low": bounds[name][0], "high": bounds[name][1]} for name, value in values.items()}


def _row(task: str, task_scores: Mapping[str, Any], reading: str) -> list[str]:
    scores = task_scores["readings"][reading]
    averages = [interval(scores[name]) for name in metrics.AVERAGES]
    recalls = [value(scores.get(f"recall_{emotion}")) for emotion in EMOTIONS]
    count = task_scores["n"] - (task_scores["dropped"] if reading == "official" else 0)
    unparsed = [str(task_scores["unparsed"]), ""] if reading == "strict" else ["", str(task_scores["dropped"])]
    return [task, READINGS[reading], str(count), *averages, *recalls, *unparsed,
            str(task_scores["errors"]), str(task_scores["missing"])]  # fmt: skip


def _confusion(matrix: Mapping[str, Mapping[str, int]]) -> str:
    columns = list(next(iter(matrix.values())))
    rows = [["", *(SHORT.get(column, "none") for column in columns), "clips"]]
    for gold, row in matrix.items():
        rows.append([gold, *(str(row[column]) for column in columns), str(sum(row.values()))])
    return table(rows)
