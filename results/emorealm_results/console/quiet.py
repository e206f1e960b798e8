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
    """The main score of each of our groups, and of our tasks that are in none; "" where there are others' tasks."""
    values = {name: _values(scores) for name, scores in results["results"].items()}
    inside = {task for tasks in (results.get("group_subtasks") or {}).values() for task in tasks}
    rows = [["task", "score", "95%", "strict", "unparsed"]]
    for name, of_task in values.items():
        if name not in inside:
            place = next((place for place, main in enumerate(_MAIN) if main in of_task), None)
            if place is None:
                return ""
            low, high = (of_task.get(_BOUNDS[place].format(end)) for end in ("low", "high"))
            bounds = "" if low is None or high is None else f"[{_cell(low)}, {_cell(high)}]"
            rates = [_cell(of_task.get(key)) for key in ("accuracy_strict", "unparsed_rate")]
            rows.append([name, _cell(of_task[_MAIN[place]]), bounds, *rates])
    if not any(row[2] for row in rows[1:]):  # groups alone: their intervals need the samples
        rows = [[*row[:2], *row[3:]] for row in rows]
    return terminal.table("", rows).rstrip() if len(rows) > 1 else ""


def _values(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {key.partition(",")[0]: value for key, value in scores.items()}


def _cell(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) else ""
