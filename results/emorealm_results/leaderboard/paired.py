"""Every two runs that answered the same questions, as `emorealm compare` compares them; the page shows it as it is."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from emorealm_results.compare import pairs, report
from emorealm_results.console import progress
from emorealm_results.leaderboard.ranking import READING
from emorealm_results.leaderboard.rows import Measured
from emorealm_results.runs.samples import FULL
from emorealm_results.runs.saved import Saved


def compared(runs: Sequence[Measured], most: int, reading: str = READING) -> dict[str, dict[str, Any]]:
    """``A/B``, numbers of two runs, A before B -> what :func:`_shown` makes of them, or ``why`` they have none.

    Of ``most`` pairs, in the order of the runs' names on the command line: the first run beside each other one, then
    the second. Runs without a question in common have no entry; beyond ``most`` an entry says what to type.
    """
    found: dict[str, dict[str, Any]] = {}
    done = 0
    for (a, first), (b, second) in combinations(_asked(runs), 2):
        if done >= most:
            found[f"{a}/{b}"] = {"why": f"Not compared here: {_command(first, second, reading)}"}
            continue
        try:
            common = pairs.in_common(_in_full(first), _in_full(second))
        except pairs.Unlike as error:
            found[f"{a}/{b}"] = {"why": f"Not compared: {error}."}
            continue
        if common:
            names = [runs[number].about["name"] for number in (a, b)]
            progress.step(f"compares {names[0]} with {names[1]}")
            found[f"{a}/{b}"] = _shown(common, first, second, names, reading)
            done += 1
    return found


def _command(first: Saved, second: Saved, reading: str) -> str:
    return f"emorealm compare {first.folder} {second.folder}" + ("" if reading == READING else f" --reading {reading}")


def _asked(runs: Sequence[Measured]) -> Iterator[tuple[int, Saved]]:
    for number, run in enumerate(runs):
        if run.run and run.run.questions:
            yield number, run.run


def _in_full(run: Saved) -> list[pairs.Answered]:
    return [task for task in pairs.questions(run) if task.part == FULL]


def _shown(
    common: Sequence[pairs.Pair], first: Saved, second: Saved, names: Sequence[str], reading: str
) -> dict[str, Any]:
    """``about``, ``notes`` and ``method``: sentences; ``head`` and ``lines`` of the table; ``changed`` by task.

    A line has its ``task`` as samples have it ("" = a group), its ``score``, and ``cells`` as `emorealm compare`
    prints them. ``changed``: counts of changed answers in words, by task and, under "all", of all tasks.
    """
    made = report.compare_pairs(common, first, second, reading)
    tasks = {pair.name: pair.task for pair in common}
    changes = {task: [one for one in made["changes"] if tasks[one["task"]] == task] for task in tasks.values()}
    return {
        "about": f"{names[0]} (first), {names[1]} (second), {reading} reading",
        "notes": [note.replace("**", "") for note in (*report.asked_lines(made), *report.left_out(made))],
        "head": report.head(made),
        "lines": [
            {"task": tasks.get(line.of, ""), "score": line.score, "cells": line.cells} for line in report.lines(made)
        ],
        "changed": {task: report.counted(found) for task, found in (changes | {"all": made["changes"]}).items()},
        "method": report.method(made),
    }
