"""``emorealm compare``: two runs on the same questions, with paired intervals and the questions that changed."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from emorealm_results import output, pairs, samples
from emorealm_results.arguments import Parser
from emorealm_results.markdown import table
from emorealm_results.table import GROUP_COLUMNS, NAMES

from emorealm_tasks import intervals
from emorealm_tasks.answers import MODES
from emorealm_tasks.metrics import TASKS

_SHOWN = 20


def compare(first: samples.Run, second: samples.Run, reading: str) -> dict[str, Any]:
    """Every difference between two runs, as plain JSON types.

    ``tasks`` (by lmms-eval's name: ``n``, ``n_clips``, the questions ``only_first`` and ``only_second`` that were left
    out, ``scores`` of :func:`pairs.task_differences`, ``mcnemar``), ``groups`` (benchmark and part, where it has all
    five tasks) and ``changes``.
    """
    found = pairs.pair(first, second)
    tasks, groups = {}, {}
    for pair in found:
        rights = ([pairs.right(record, reading) for record in rows] for rows in (pair.first, pair.second))
        tasks[pair.name] = {
            "n": len(pair.first),
            "n_clips": len({record["clip"] for record in pair.first}),
            "only_first": len(pair.only_first),
            "only_second": len(pair.only_second),
            "scores": pairs.task_differences(pair, reading),
            "mcnemar": pairs.mcnemar(*rights),
        }
    for (benchmark, part), members in groupby(found, lambda pair: (pair.benchmark, pair.part)):
        together = list(members)
        if [pair.task for pair in together] == list(TASKS):
            groups[f"{benchmark} {part}"] = pairs.group_differences(together, reading)
    return {
        "first": str(first.folder),
        "second": str(second.folder),
        "reading": reading,
        "interval": {"level": intervals.LEVEL, "resamples": intervals.RESAMPLES, "seed": intervals.SEED},
        "tasks": tasks,
        "groups": groups,
        "changes": [change for pair in found for change in pairs.changes(pair, reading)],
    }


def render(report: Mapping[str, Any], shown: int = _SHOWN) -> str:
    """The report as Markdown, with the first changed questions."""
    level = f"{100 * report['interval']['level']:.0f}%"
    head = [
        "task",
        "questions / clips",
        "score",
        "first",
        "second",
        f"difference [{level}]",
        "only first",
        "only second",
    ]
    rows = [[*head, "McNemar p"]]
    for name, task in report["tasks"].items():
        test = task["mcnemar"]
        flips = [str(test["only_first"]), str(test["only_second"]), f"{test['p']:.3g}"]
        for score, numbers in task["scores"].items():
            about = [name, f"{task['n']} / {task['n_clips']}"] if score == "accuracy" else ["", ""]
            tested = flips if score == "accuracy" else ["", "", ""]
            rows.append([*about, NAMES.get(score, score), *_numbers(numbers), *tested])
    for name, group in report["groups"].items():
        for score, numbers in group.items():
            rows.append([name, "", GROUP_COLUMNS[score], *_numbers(numbers), "", "", ""])
    blocks = [f"# {report['first']} (first), {report['second']} (second), {report['reading']} reading", table(rows)]
    blocks += [
        f"{name}: {task['only_first']} question(s) only in the first, {task['only_second']} only in the second run."
        for name, task in report["tasks"].items()
        if task["only_first"] or task["only_second"]
    ]
    about = report["interval"]
    blocks.append(
        f"Intervals: {level} percentile bootstrap of the difference; clips are drawn, for both runs at once; "
        f"{about['resamples']} resamples, seed {about['seed']}. McNemar: exact, on accuracy."
    )
    return "\n\n".join([*blocks, *changed(report["changes"], shown)]) + "\n"


def changed(changes: Sequence[Mapping[str, Any]], shown: int) -> list[str]:
    """How many questions changed, and the first of them, as blocks of Markdown."""
    counts = [f"{sum(c['change'] == kind for c in changes)} {kind}" for kind in ("gained", "lost", "other answer")]
    blocks = [f"Changed answers: {', '.join(counts)}."]
    if changes:
        rows = [["change", "task", "question", "clip", "gold", "first", "second"]]
        fields = ("change", "task", "id", "clip", "gold")
        for change in changes[:shown]:
            answers = [change[key] or "none" for key in ("first", "second")]
            rows.append([*(str(change[field]) for field in fields), *answers])
        blocks.append(table(rows))
    if len(changes) > shown:
        blocks.append(f"... and {len(changes) - shown} more.")
    return blocks


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm compare", description=__doc__)
    parser.add_argument("first", type=Path, metavar="RUN_A", help="the --output_path of a run with --log_samples")
    parser.add_argument("second", type=Path, metavar="RUN_B", help="another, on the same questions")
    parser.add_argument("--reading", choices=MODES, default="strict")
    parser.add_argument(
        "--json", type=Path, metavar="OUT", help="write everything there, each changed question included"
    )
    parser.add_argument(
        "--show", type=int, default=_SHOWN, metavar="N", help="changed questions to print (%(default)s)"
    )
    arguments = parser.parse_args(argv)
    report = compare(samples.load(arguments.first), samples.load(arguments.second), arguments.reading)
    print(render(report, arguments.show), end="")
    if arguments.json:
        output.write(arguments.json, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return 0


def _numbers(numbers: Mapping[str, float | None]) -> list[str]:
    cells = ["–" if numbers[key] is None else f"{numbers[key]:.1f}" for key in ("first", "second")]
    if numbers["difference"] is None or numbers["low"] is None:
        return [*cells, "–"]
    return [*cells, f"{numbers['difference']:+.1f} [{numbers['low']:+.1f}, {numbers['high']:+.1f}]"]
