"""lmms-eval with few lines: warnings and progress, and of its table a row for each group or single task."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from emorealm_results.console import terminal

_MAIN = ("emorealm_score", "emotion_score", "emer_score")
_BOUNDS = ("accuracy_{}_official", "war_{}_strict", "mean_{}")
"""Of the main scores, in their order."""
_PATIENCE = 5
"""Seconds that a loop of lmms-eval must last before its bar is shown; the bar goes when the loop ends."""


def shorten() -> None:
    """Shorten what lmms-eval and transformers print in this process, from now on."""
    import datasets.builder
    import lmms_eval.__main__ as harness
    import lmms_eval.api.task
    from lmms_eval import evaluator

    for loops, bar in ((lmms_eval.api.task, "tqdm"), (evaluator, "tqdm"), (datasets.builder, "hf_tqdm")):
        setattr(loops, bar, partial(getattr(loops, bar), delay=_PATIENCE, leave=False))
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    long_table = harness.make_table
    harness.make_table = lambda results, column="results": (
        table(results) or long_table(results) if column == "results" else ""
    )
    harness.get_eval_banner = lambda **_: ""


def table(results: Mapping[str, Any]) -> str:
    """The main score of each of our groups, and of our tasks that are in none; "" where there are others' tasks.

    Of a single group its tasks too. A group of groups has no score, its members have.
    """
    values = {name: _values(scores) for name, scores in results["results"].items()}
    main = {name: _place(of_task) for name, of_task in values.items()}
    groups = {name: tasks for name, tasks in (results.get("group_subtasks") or {}).items() if tasks}
    scored = [name for name in groups if main.get(name) is not None]
    inside = {task for name in scored for task in groups[name]} if len(scored) > 1 else set()
    rows = [["task", "score", "95%", "strict", "unparsed"]]
    for name, of_task in values.items():
        if name in inside or (main[name] is None and name in groups):
            continue
        place = main[name]
        if place is None:
            return ""
        low, high = (of_task.get(_BOUNDS[place].format(end)) for end in ("low", "high"))
        bounds = "" if low is None or high is None else f"[{_cell(low)}, {_cell(high)}]"
        rates = [_cell(of_task.get(key)) for key in ("accuracy_strict", "unparsed_rate")]
        rows.append([name, _cell(of_task[_MAIN[place]]), bounds, *rates])
    used = [column for column in zip(*rows, strict=True) if any(column[1:])]  # groups alone have no intervals
    return terminal.table("", [list(row) for row in zip(*used, strict=True)]).rstrip() if len(rows) > 1 else ""


def _place(of_task: Mapping[str, Any]) -> int | None:
    """Which of the main scores a task or group has; None = none of them."""
    return next((at for at, key in enumerate(_MAIN) if key in of_task), None)


def _values(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {key.partition(",")[0]: value for key, value in scores.items()}


def _cell(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) else ""
