"""Two runs on the same questions: paired differences with their tests, and the answers that changed."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from emorealm_results.compare import pairs
from emorealm_results.console.markdown import table
from emorealm_results.rescore.table import GROUP_COLUMNS, NAMES
from emorealm_results.runs import benchmark as builds
from emorealm_results.runs import descriptions, request_settings, saved
from emorealm_tasks import settings
from emorealm_tasks.judge.live import name as judge_name
from emorealm_tasks.metrics import TASKS, description, intervals

_MOST_LISTED = 20
_TESTED = ("accuracy", "war")
"""The scores that McNemar's test is about: shares of right answers."""
_AVERAGES = {"uar": "UAR", "war": "WAR", "weighted_f1": "F1"}


def compare(first: saved.Saved, second: saved.Saved, reading: str, judge: str = "") -> dict[str, Any]:
    """Every difference between two runs, as plain JSON types.

    ``tasks`` (by lmms-eval's name: ``kind``, ``n``, ``n_clips``, the questions ``only_first`` and ``only_second`` that
    were left out, ``scores`` of :func:`pairs.task_differences`, ``mcnemar``, None for descriptions, their ``judge``,
    and ``asked``: what the runs were asked differently, see :func:`asking.compared`), ``groups`` (benchmark and part,
    where it has all five tasks) and ``changes``.
    """
    return compare_pairs(pairs.pair(first, second, judge), first, second, reading)


def compare_pairs(
    run_pairs: Sequence[pairs.Pair], first: saved.Saved, second: saved.Saved, reading: str
) -> dict[str, Any]:
    """:func:`compare` of the runs' tasks as :func:`pairs.pair` has them."""
    tasks, groups = {}, {}
    differences = request_settings.compared(first, second, [pair.name for pair in run_pairs])
    differences = builds.added(differences, first, second)
    for pair in run_pairs:
        is_description = pair.kind == pairs.DESCRIPTIONS
        tasks[pair.name] = {
            "kind": pair.kind,
            "n": len(pair.first),
            "n_clips": len({record["clip"] for record in pair.first}),
            "only_first": len(pair.only_first),
            "only_second": len(pair.only_second),
            "scores": pairs.task_differences(pair, reading),
            "mcnemar": None if is_description else _mcnemar(pair, reading),
            "judge": pair.first[0]["judge"] if is_description else None,
            "asked": differences[pair.name],
        }
    for (benchmark, part), members in groupby(run_pairs, lambda pair: (pair.benchmark, pair.part)):
        group_pairs = list(members)
        if [pair.task for pair in group_pairs] == list(TASKS):
            groups[f"{benchmark} {part}"] = pairs.group_differences(group_pairs, reading)
    return {
        "first": str(first.folder),
        "second": str(second.folder),
        "reading": reading,
        "interval": {"level": intervals.LEVEL, "resamples": intervals.RESAMPLES, "seed": intervals.SEED},
        "tasks": tasks,
        "groups": groups,
        "changes": [change for pair in run_pairs for change in pairs.changes(pair, reading)],
    }


def _mcnemar(pair: pairs.Pair, reading: str) -> dict[str, float | int]:
    return pairs.mcnemar(*([pairs.right(record, reading) for record in rows] for rows in (pair.first, pair.second)))


def render(report: Mapping[str, Any], most: int = _MOST_LISTED) -> str:
    """The report as Markdown, with the first changed questions."""
    blocks = [f"# {report['first']} (first), {report['second']} (second), {report['reading']} reading"]
    blocks += ["**The same run twice**: nothing can differ."] if report["first"] == report["second"] else []
    blocks += [*asked_lines(report), table([head(report), *(line.cells for line in lines(report))])]
    blocks += [*left_out(report), method(report)]
    blocks += [f"{name}: points of 1 to 10, judged by {task['judge']}." for name, task in judged_tasks(report)]
    return "\n\n".join([*blocks, *changed(report["changes"], most)]) + "\n"


class Line(NamedTuple):
    """A line of the report's table."""

    of: str
    """The task or group that it is about."""
    score: str
    """Name of the score."""
    cells: list[str]
    """Its cells as text, in the order of `head`."""


def head(report: Mapping[str, Any]) -> list[str]:
    """The headings above the cells of :func:`lines`."""
    headings = ["task", "questions / clips", "score", "first", "second", f"difference [{_level(report)}]"]
    return [*headings, "only first", "only second", "McNemar p"]


def lines(report: Mapping[str, Any]) -> list[Line]:
    """Every score of both runs, its difference, and McNemar's test beside the shares of right answers."""
    all_lines = []
    for name, task in report["tasks"].items():
        for place, (score, numbers) in enumerate(task["scores"].items()):
            about = ["", ""] if place else [name, f"{task['n']} / {task['n_clips']}"]
            tested = task["mcnemar"] if score in _TESTED else None
            flips = ["", "", ""] if tested is None else [str(tested["only_first"]), str(tested["only_second"])]
            flips += [] if tested is None else [f"{tested['p']:.3g}"]
            cells = _numbers(numbers, 2 if task["kind"] == pairs.DESCRIPTIONS else 1)
            all_lines.append(Line(name, score, [*about, score_name(task["kind"], score), *cells, *flips]))
    for name, group in report["groups"].items():
        for score, numbers in group.items():
            all_lines.append(Line(name, score, [name, "", GROUP_COLUMNS[score], *_numbers(numbers, 1), "", "", ""]))
    return all_lines


def left_out(report: Mapping[str, Any]) -> list[str]:
    """A sentence for each task with questions that only one run answered."""
    return [
        f"{name}: {task['only_first']} question(s) only in the first, {task['only_second']} only in the second run."
        for name, task in report["tasks"].items()
        if task["only_first"] or task["only_second"]
    ]


def method(report: Mapping[str, Any]) -> str:
    """How the intervals and p were made."""
    about = report["interval"]
    return (
        f"Intervals: {_level(report)} percentile bootstrap of the difference; clips are drawn, for both runs at once; "
        f"{about['resamples']} resamples, seed {about['seed']}. McNemar: exact, on right answers."
    )


def _level(report: Mapping[str, Any]) -> str:
    return f"{100 * report['interval']['level']:.0f}%"


def asked_lines(report: Mapping[str, Any]) -> list[str]:
    """What the two runs were asked differently, a block for each set of differences."""
    return request_settings.lines({name: task["asked"] for name, task in report["tasks"].items()})


def judged_tasks(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The tasks whose scores are a judge's."""
    return [(name, task) for name, task in report["tasks"].items() if task["judge"]]


def score_name(kind: str, score: str) -> str:
    """What a score is called in a table; "spurious" is a kind of question, or something that a judge scores."""
    if kind == pairs.DESCRIPTIONS:
        return description.NAMES.get(score, score)
    return NAMES.get(score, score) if kind == pairs.QUESTIONS else _AVERAGES.get(score, score.replace("_", " "))


def counted(changes: Sequence[Mapping[str, Any]]) -> str:
    """How many questions changed, in words."""
    counts = [f"{sum(c['change'] == kind for c in changes)} {kind}" for kind in ("gained", "lost", "other answer")]
    return f"Changed answers: {', '.join(counts)}."


def changed(changes: Sequence[Mapping[str, Any]], most: int) -> list[str]:
    """How many questions changed, and the first of them, as blocks of Markdown."""
    blocks = [counted(changes)]
    if changes:
        rows = [["change", "task", "question", "clip", "gold", "first", "second"]]
        fields = ("change", "task", "id", "clip", "gold")
        for change in changes[:most]:
            answers = [change[key] or "none" for key in ("first", "second")]
            rows.append([*(str(change[field]) for field in fields), *answers])
        blocks.append(table(rows))
    if len(changes) > most:
        blocks.append(f"... and {len(changes) - most} more.")
    return blocks


JUDGE_HELP = "whose verdicts on descriptions to compare: a model, or cues (default: the first run's own)"


def load(first: Path, second: Path, judge: str | None) -> tuple[saved.Saved, saved.Saved, str]:
    """Two runs, with the verdicts that the disk has of a judge, and that judge's full name ("" without one)."""
    runs = saved.load(first), saved.load(second)
    if not judge:
        return *runs, ""
    all_descriptions = [records for run in runs for records in run.descriptions.records.values()]
    if judge in {name for records in all_descriptions for name in descriptions.judges(records)}:
        return *runs, judge
    model = judge.removesuffix(judge_name(""))
    for run in runs:
        descriptions.add_cached(run.descriptions, settings.load(), [model])
    return *runs, judge_name(model)


def _numbers(numbers: Mapping[str, float | None], digits: int) -> list[str]:
    cells = ["–" if numbers[key] is None else f"{numbers[key]:.{digits}f}" for key in ("first", "second")]
    if numbers["difference"] is None or numbers["low"] is None:
        return [*cells, "–"]
    difference, low, high = (f"{numbers[key]:+.{digits}f}" for key in ("difference", "low", "high"))
    return [*cells, f"{difference} [{low}, {high}]"]
