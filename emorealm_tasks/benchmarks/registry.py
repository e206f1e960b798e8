"""Readers: a benchmark's published files -> rows. Here: from a task's name to the rows lmms-eval asks about."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emorealm_tasks.benchmarks import availability, controls, emorealm, swaps
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import absent, stop
from emorealm_tasks.settings import Settings, load

if TYPE_CHECKING:
    from datasets import Dataset

BENCHMARKS: dict[str, str] = {
    "emorealm": "EmoReAlM, on DFEW's clips",
    "emorealm_mini": "EmoReAlM-Mini, the embedded benchmark",
}
VARIANTS: dict[str, str] = {
    "": "",
    "blind": "asked with text only: what needs no eyes or ears",
    "shuffled": "asked with the media of another clip of another emotion",
    "swap_audio": "asked with the sound of another clip of another answer",
    "swap_video": "asked with the picture of another clip of another answer",
    "likelihood": "answered by the likelihood of each option's letter",
}


_CONTROLS: dict[str, Callable[[Sequence[Row]], list[Row]]] = {
    "blind": controls.blind,
    "shuffled": controls.shuffled,
    "swap_audio": swaps.swap_audio,
    "swap_video": swaps.swap_video,
}


@dataclass(frozen=True)
class TaskParts:
    """A task of EmoReAlM, by the parts of its name."""

    benchmark: str
    """One of BENCHMARKS: emorealm or emorealm_mini."""
    variant: str
    """A control, e.g. blind, or likelihood; "" = the task as it was published."""
    task: str
    """Released name, e.g. reasoning_basic_audio."""


TASK_NAMES: dict[str, TaskParts] = {
    "_".join(filter(None, (benchmark, variant, task))): TaskParts(benchmark, variant, task)
    for benchmark in BENCHMARKS
    for variant in VARIANTS
    for task in emorealm.TASKS
}


def process_docs(dataset: Dataset) -> Dataset:
    """lmms-eval's `process_docs`: replace the packaged placeholder by the rows of the task it stands for.

    The placeholder's configuration name (`dataset_name` in the YAML) is the benchmark and, where media are withheld or
    exchanged, the variant; its split (`test_split`) is the task. Stops when clips cannot be used.
    """
    from datasets import Dataset

    parts = TASK_NAMES[f"{dataset.config_name}_{dataset.split}"]
    return Dataset.from_list(rows(parts, load()))


def rows(parts: TaskParts, settings: Settings) -> list[Row]:
    """The rows of one task in its variant.

    They have a reader's keys, `given_clip` (whose media the model gets, "" = none) and `left_out` (a JSON object with
    the number of clips left out for each kind of problem, and of questions).
    """
    benchmark, variant, task = parts.benchmark, parts.variant, parts.task
    if variant == "blind":
        usable_rows, left_out = of_tasks(benchmark, [task], settings, media=False), dict.fromkeys(availability.KINDS, 0)
        left_out["questions"] = 0
    else:
        usable_rows, left_out = usable(benchmark, [task], settings)
    try:
        variant_rows = _CONTROLS.get(variant, _with_own_clip)(usable_rows)
    except ValueError as error:
        stop(f"{benchmark}_{variant}_{task}: {error}")
    return [{**row, "left_out": json.dumps(left_out)} for row in variant_rows]


def usable(benchmark: str, tasks: Iterable[str], settings: Settings) -> tuple[list[Row], dict[str, int]]:
    """The usable rows of `tasks`, and the counts of what is left out; see `with_clips`."""
    task_rows = of_tasks(benchmark, list(tasks), settings)
    return with_clips(task_rows, settings, *emorealm.where(benchmark, settings))


def with_clips(
    task_rows: Sequence[Row], settings: Settings, location: str, remedy: str
) -> tuple[list[Row], dict[str, int]]:
    """Rows whose clips can be decoded, and the counts of what is left out: clips by kind of problem, and questions.

    With any problem it stops with the report, unless `settings.allow_missing`: then the report is only printed.
    location, remedy: for the report, where the clips were looked for and how to get them.
    """
    problems = availability.find_problems(task_rows, settings.cache)
    usable_rows = [row for row in task_rows if row["clip"] not in problems]
    if problems:
        total = len({row["clip"] for row in task_rows})
        text = availability.report(problems, total, location, remedy)
        if not settings.allow_missing:
            absent(f"{text}\nEMOREALM_ALLOW_MISSING=1 goes on without them and counts them beside the scores.")
        if not usable_rows:
            absent(f"{text}\nNothing is left to ask about.")
        print(f"emorealm: {text}\nGoing on without them (EMOREALM_ALLOW_MISSING).", file=sys.stderr, flush=True)
    return usable_rows, {**availability.count(problems.values()), "questions": len(task_rows) - len(usable_rows)}


def of_tasks(benchmark: str, tasks: Sequence[str], settings: Settings, media: bool = True) -> list[Row]:
    """Rows of `tasks`, unchecked; with `media` false the clips may be absent. Stops at a task without an item."""
    if not tasks:
        return []
    rows_of_tasks = [row for row in emorealm.read(benchmark, settings, media) if row["task"] in tasks]
    for task in tasks:
        if not any(row["task"] == task for row in rows_of_tasks):
            stop(f"the questions of {benchmark} hold no item of task {task!r}; is the file complete?")
    return rows_of_tasks


def _with_own_clip(rows: Sequence[Row]) -> list[Row]:
    return [{**row, "given_clip": row["clip"]} for row in rows]
