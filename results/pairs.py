"""Two runs on the same questions: their records side by side, the difference of every score, and what changed.

Both runs answered the same questions about the same clips, so differences are taken within questions: a bootstrap
resample draws clips once for both (the interval of a difference, not a difference of intervals), and McNemar's test
asks of the questions that only one run got right whether a fair coin would split them so unevenly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from emorealm_results.rescore import reread
from emorealm_results.samples import Run, TaskRun
from scipy.stats import binomtest

from emorealm_tasks import intervals, metrics
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import Record, ScoreFunction

Difference = dict[str, float | None]
"""first, second, difference (second - first), low, high: percent, None where undefined"""
_SAME = ("clip", "gold", "choices", "task", "subtask")


@dataclass(frozen=True)
class Pair:
    """One task in both runs: ``first[i]`` and ``second[i]`` answer the same question."""

    name: str
    benchmark: str
    part: str
    task: str
    first: tuple[Record, ...]
    second: tuple[Record, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def pair(first: Run, second: Run) -> list[Pair]:
    """The tasks that both runs answered, their questions matched by id and read anew.

    Ends with status 2 when no question is in both, or when a question differs between them in more than its answer.
    """
    others = {task.name: task for task in second.tasks}
    pairs = [_pair(task, others[task.name]) for task in first.tasks if task.name in others]
    if not any(pair.first for pair in pairs):
        stop(f"{first.folder} and {second.folder} have no question in common; name two runs of the same tasks")
    return [pair for pair in pairs if pair.first]


def _pair(first: TaskRun, second: TaskRun) -> Pair:
    ours, theirs = ({record["id"]: record for record in run.records} for run in (first, second))
    common = [identity for identity in ours if identity in theirs]
    for identity in common:
        changed = [name for name in _SAME if ours[identity][name] != theirs[identity][name]]
        if changed:
            stop(
                f"{first.name}: question {identity} differs between the runs in {', '.join(changed)}; they did not "
                "answer the same benchmark"
            )
    return Pair(
        first.name,
        first.benchmark,
        first.part,
        first.task,
        tuple(reread(ours[identity]) for identity in common),
        tuple(reread(theirs[identity]) for identity in common),
        tuple(identity for identity in ours if identity not in theirs),
        tuple(identity for identity in theirs if identity not in ours),
    )


def right(record: Record, reading: str) -> bool:
    """Whether a record counts as answered rightly in a reading."""
    return record["strict"] == record["gold"] if reading == "strict" else bool(record[reading])


def task_differences(pair: Pair, reading: str, level: float = intervals.LEVEL) -> dict[str, Difference]:
    """The difference of each score of :func:`metrics.task_scores` that is in percent, by name."""
    (names, before), (_, after) = (metrics.score_function(rows, reading) for rows in (pair.first, pair.second))
    unparsed = [np.array([not r["strict"] and not r["error"] for r in rows]) for rows in (pair.first, pair.second)]

    def with_unparsed(function: ScoreFunction, missing: np.ndarray) -> ScoreFunction:
        def both(weights: np.ndarray) -> np.ndarray:
            return np.column_stack([function(weights), 100 * (weights @ missing) / weights.sum(axis=1)])

        return both

    functions = with_unparsed(before, unparsed[0]), with_unparsed(after, unparsed[1])
    return _differences((*names, "unparsed_rate"), pair.first, *functions, level)


def group_differences(pairs: Sequence[Pair], reading: str, level: float = intervals.LEVEL) -> dict[str, Difference]:
    """The difference of each score of :func:`metrics.group_scores`; clips are drawn jointly over the tasks."""
    first = [row for pair in pairs for row in pair.first]
    second = [row for pair in pairs for row in pair.second]
    (names, before), (_, after) = (metrics.group_function(rows, reading) for rows in (first, second))
    return _differences(names, first, before, after, level)


def _differences(
    names: Sequence[str], records: Sequence[Record], before: ScoreFunction, after: ScoreFunction, level: float
) -> dict[str, Difference]:
    ones = np.ones((1, len(records)))
    values = zip(before(ones)[0], after(ones)[0], strict=True)
    bounds = intervals.clip_bootstraps(records, lambda weights: after(weights) - before(weights), level=level)
    found = {}
    for name, (first, second), (low, high) in zip(names, values, bounds, strict=True):
        numbers = {"first": first, "second": second, "difference": second - first}
        plain = {key: None if np.isnan(value) else float(value) for key, value in numbers.items()}
        found[name] = plain | {"low": low, "high": high}
    return found


def mcnemar(first: Iterable[bool], second: Iterable[bool]) -> dict[str, float | int]:
    """McNemar's exact test on paired right/wrong answers (McNemar 1947).

    ``only_first`` and ``only_second`` count the questions that one run alone got right, ``p`` is the two-sided
    binomial probability of a split at least as uneven; 1 without any. It takes questions as independent.
    """
    both = list(zip(first, second, strict=True))
    only_first = sum(a and not b for a, b in both)
    only_second = sum(b and not a for a, b in both)
    flips = only_first + only_second
    p = binomtest(only_first, flips).pvalue if flips else 1.0
    return {"only_first": only_first, "only_second": only_second, "p": float(p)}


def changes(pair: Pair, reading: str) -> list[Mapping[str, Any]]:
    """The questions whose answer changed: ``change`` is "gained", "lost", or "other answer" (as right as before)."""
    found = []
    for before, after in zip(pair.first, pair.second, strict=True):
        was, now = right(before, reading), right(after, reading)
        if was == now and before["strict"] == after["strict"]:
            continue
        found.append(
            {
                "change": "other answer" if was == now else ("gained" if now else "lost"),
                "task": pair.name,
                "id": before["id"],
                "clip": before["clip"],
                "subtask": before["subtask"],
                "gold": before["gold"],
                "first": before["strict"],
                "second": after["strict"],
                "first_raw": before["raw"],
                "second_raw": after["raw"],
            }
        )
    return found
