"""Checks the datasets of all tasks of a run, before a model is loaded."""

import sys
from collections.abc import Iterable, Mapping, Sequence

from emorealm_tasks.benchmarks import emer, registry, suite
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import DataAbsent, stop
from emorealm_tasks.judge import dispatch
from emorealm_tasks.settings import Settings, load

_Asked = tuple[frozenset[str], Settings]
_looked_at: dict[_Asked, set[str]] = {}
"""What `look_ahead` found, until it is asked for."""


def look_ahead(names: Iterable[str]) -> None:
    """As `find_absent`, before lmms-eval is imported; what was found is kept for the run that follows."""
    settings = load()
    by_benchmark = _by_benchmark(names)
    _looked_at[_asked(by_benchmark, settings)] = _find_absent(by_benchmark, settings)


def find_absent(names: Iterable[str]) -> set[str]:
    """Those of our tasks among `names` whose dataset is missing; names of other tasks are ignored.

    Prints a report for each dataset. Stops where one is missing, unless EMOREALM_ALLOW_MISSING is set and another one
    is there.
    """
    settings = load()
    by_benchmark = _by_benchmark(names)
    found = _looked_at.pop(_asked(by_benchmark, settings), None)
    return _find_absent(by_benchmark, settings) if found is None else found


def _asked(by_benchmark: Mapping[str, Sequence[str]], settings: Settings) -> _Asked:
    return frozenset(task for tasks in by_benchmark.values() for task in tasks), settings


def _find_absent(tasks_by_benchmark: Mapping[str, Sequence[str]], settings: Settings) -> set[str]:
    """See `find_absent`."""
    absent = []
    for benchmark, tasks in tasks_by_benchmark.items():
        try:
            look(benchmark, tasks, settings)
        except DataAbsent:
            if len(tasks_by_benchmark) == 1:
                raise  # its report has said everything
            absent.append(benchmark)
    if not absent:
        return set()
    tally = f"{len(absent)} of {len(tasks_by_benchmark)} data sets cannot be used: {', '.join(absent)}."
    if len(absent) == len(tasks_by_benchmark):
        stop(f"{tally} Nothing is left to ask about.")
    if not settings.allow_missing:
        stop(f"{tally} EMOREALM_ALLOW_MISSING=1 runs the rest.")
    print(f"emorealm: {tally} Going on without them (EMOREALM_ALLOW_MISSING).", file=sys.stderr, flush=True)
    return {task for benchmark in absent for task in tasks_by_benchmark[benchmark]}


def look(benchmark: str, tasks: Sequence[str], settings: Settings) -> tuple[list[Row], dict[str, int]]:
    """The usable rows of a benchmark's tasks, and the counts of what is left out. Reports problems."""
    if benchmark in registry.BENCHMARKS:
        return registry.usable(benchmark, dict.fromkeys(registry.TASK_NAMES[task].task for task in tasks), settings)
    rows = suite.read(benchmark, settings)
    if note := suite.note(benchmark, rows, settings):
        print(f"emorealm: {note}", file=sys.stderr, flush=True)
    clip_rows = registry.with_clips(rows, settings, *suite.where(benchmark, settings))
    if benchmark in emer.BENCHMARKS:
        dispatch.check(settings, embedded=benchmark.endswith("_mini"))  # matters only where there is something to judge
    return clip_rows


def _by_benchmark(names: Iterable[str]) -> dict[str, list[str]]:
    """Benchmark -> those of its tasks among `names` whose clips are needed."""
    tasks: dict[str, list[str]] = {}
    for name in names:
        parts = suite.TASK_NAMES.get(name) or registry.TASK_NAMES.get(name)
        if parts is not None and parts.variant != "blind":
            tasks.setdefault(parts.benchmark, []).append(name)
    return tasks
