"""Every two runs that answered the same questions, as `emorealm compare` compares them; the page shows it as it is."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from emorealm_results.compare import pairs, report
from emorealm_results.console import progress, words
from emorealm_results.leaderboard.ranking import READING
from emorealm_results.leaderboard.score_rows import Measured
from emorealm_results.runs.samples import FULL
from emorealm_results.runs.saved import Saved


def compared(runs: Sequence[Measured], most: int, reading: str = READING) -> dict[str, dict[str, Any]]:
    """``A/B``, numbers of two runs, A before B -> what :func:`_page_entry` makes of them, or ``why`` they have none.

    Of ``most`` pairs, in the order of the runs' names on the command line: the first run beside each other one, then
    the second. Runs without a question in common have no entry; beyond ``most`` an entry says what to type.
    """
    comparisons: dict[str, dict[str, Any]] = {}
    count = 0
    for (a, first), (b, second) in combinations(_with_questions(runs), 2):
        if count >= most:
            comparisons[f"{a}/{b}"] = {"why": f"Not compared here: {_command(first, second, reading)}"}
            continue
        try:
            common = pairs.in_common(_in_full(first), _in_full(second))
        except pairs.Unlike as error:
            comparisons[f"{a}/{b}"] = {"why": f"Not compared: {error}."}
            continue
        if common:
            names = [runs[number].about["name"] for number in (a, b)]
            progress.step(f"compares {names[0]} with {names[1]}")
            comparisons[f"{a}/{b}"] = _page_entry(common, first, second, names, reading)
            count += 1
    return comparisons


def _command(first: Saved, second: Saved, reading: str) -> str:
    command = f"emorealm compare {words.place(first.folder)} {words.place(second.folder)}"
    return command + ("" if reading == READING else f" --reading {reading}")


def _with_questions(runs: Sequence[Measured]) -> Iterator[tuple[int, Saved]]:
    for number, run in enumerate(runs):
        if run.run and run.run.questions:
            yield number, run.run


def _in_full(run: Saved) -> list[pairs.Answered]:
    return [task for task in pairs.questions(run) if task.part == FULL]


def _page_entry(
    common: Sequence[pairs.Pair], first: Saved, second: Saved, names: Sequence[str], reading: str
) -> dict[str, Any]:
    """``about``, ``notes`` and ``method``: sentences; ``head`` and ``lines`` of the table; ``changed`` by task.

    A line has its ``task`` as samples have it ("" = a group), its ``score``, and ``cells`` as `emorealm compare`
    prints them. ``changed``: counts of changed answers in words, by task and, under "all", of all tasks.
    """
    comparison = report.compare_pairs(common, first, second, reading)
    tasks = {pair.name: pair.task for pair in common}
    changes = {task: [one for one in comparison["changes"] if tasks[one["task"]] == task] for task in tasks.values()}
    return {
        "about": f"{names[0]} (first), {names[1]} (second), {reading} reading",
        "notes": [note.replace("**", "") for note in (*report.asked_lines(comparison), *report.left_out(comparison))],
        "head": report.head(comparison),
        "lines": [
            {"task": tasks.get(line.of, ""), "score": line.score, "cells": line.cells}
            for line in report.lines(comparison)
        ],
        "changed": {
            task: report.counted(of_task) for task, of_task in (changes | {"all": comparison["changes"]}).items()
        },
        "method": report.method(comparison),
    }
