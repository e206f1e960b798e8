"""Runs of another build of the embedded benchmark than the one that is ranked: marked, so that they have no rank.

Ranked are runs of the embedded benchmark as it comes; where there is none, of the build that the first run answered.
Of a run that does not say which build it answered, the numbers of its questions tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emorealm_results.leaderboard.rows import RUN
from emorealm_results.leaderboard.score_rows import Measured
from emorealm_results.paper.layouts import GROUP
from emorealm_results.runs import benchmark
from emorealm_results.runs.samples import FULL
from emorealm_tasks.mini.build.sizes import sizes
from emorealm_tasks.mini.world.sampling import TEST_CLIPS

Sizes = Mapping[str, int]
"""Task -> its questions."""


def mark(all_runs: Sequence[Measured]) -> None:
    """Add marks and notes to what is said of the runs, in place."""
    runs = [run for run in all_runs if run.about["origin"].startswith(RUN) and any(row.mini for row in run.rows)]
    builds_of = {number: _distinct(run.about["benchmark"].values()) for number, run in enumerate(runs)}
    sizes_of = {number: _sizes(run) for number, run in enumerate(runs)}
    builds = [build for of_run in builds_of.values() for build in of_run]
    ranked = next(filter(benchmark.standard, builds), None)
    usual = sizes(TEST_CLIPS)
    if ranked is None and not any(_like(sizes_of[number], usual) for number in sizes_of if not builds_of[number]):
        ranked = next(iter(builds), None)
        usual = next((sizes_of[number] for number in sizes_of if sizes_of[number]), {})
    for number, run in enumerate(runs):
        other_builds = [build for build in builds_of[number] if build != ranked]
        run.about["marks"] += [f"another benchmark ({benchmark.as_text(build)})" for build in other_builds]
        if not builds_of[number]:
            run.about["notes"].append(benchmark.UNKNOWN)
            if sizes_of[number] and not _like(sizes_of[number], usual):
                run.about["marks"].append(f"another benchmark ({sum(sizes_of[number].values())} questions)")
        elif ranked in builds_of[number] and not benchmark.standard(ranked):
            run.about["notes"].append(f"not the embedded benchmark as it comes, but {benchmark.as_text(ranked)}")


def _distinct(builds: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    distinct: list[dict[str, Any]] = []
    for build in builds:
        distinct += [] if build in distinct else [build]
    return distinct


def _sizes(run: Measured) -> dict[str, int]:
    """The questions of each full task of EmoReAlM-Mini; {} with --limit, which the marks say already."""
    if any(mark.startswith("--limit") for mark in run.about["marks"]):
        return {}
    rows = [row for row in run.rows if row.mini and row.benchmark == GROUP and row.part == FULL and row.n is not None]
    return {row.task: (row.n or 0) + (row.missing or 0) for row in rows}


def _like(first: Sizes, second: Sizes) -> bool:
    """Whether the tasks that both have are of one size, and there is one."""
    common = first.keys() & second.keys()
    return bool(common) and all(first[task] == second[task] for task in common)
