"""Did two runs answer the same build of the mini world? From what their results files say of it.

`emorealm_tasks.benchmarks.identity` says what is written. Earlier versions wrote nothing: their builds are unknown.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from emorealm_results.runs import request_settings
from emorealm_results.runs.saved import Saved
from emorealm_tasks.benchmarks.identity import Identity
from emorealm_tasks.metrics import TASKS
from emorealm_tasks.mini.build.split import VERSION
from emorealm_tasks.mini.world.sampling import TEST_CLIPS

MARK = "*"
"""Of a row whose run answered another build than the others."""
NAME = "benchmark"
"""Of the difference, beside those of `emorealm_tasks.harness.request_settings`."""
UNKNOWN = "which build of the embedded benchmark it answered is not known"


def of_header(header: Mapping[str, Any]) -> dict[str, Identity]:
    """Task -> the identity of its benchmark, of a results file; anything laid out otherwise is left out."""
    return request_settings.by_task(header, NAME)


def standard(identity: Identity) -> bool:
    """Whether it is the embedded benchmark as it comes, and no other build."""
    defaults = {"split": "test", "clips": TEST_CLIPS, "seed": 0, "version": VERSION}
    return defaults.items() <= identity.items()


def _of_report(report: Mapping[str, Any], benchmark: str) -> Identity | None:
    """The build of a benchmark that a scored run answered in full; None where it does not say."""
    by_task = [of_header(header) for header in report.get("runs", {}).values()]
    return next((of_task[f"{benchmark}_{task}"] for task in TASKS for of_task in by_task
                 if f"{benchmark}_{task}" in of_task), None)  # fmt: skip


def others(reports: Mapping[str, Mapping[str, Any]], benchmark: str) -> dict[str, str]:
    """Run -> its build in words, of the scored runs that answered another build than the one that is compared.

    That is the embedded benchmark as it comes, which a run may have answered that does not say its build; where no run
    answered it, the build of the first run.
    """
    found = _builds(reports, benchmark)
    known = {name: build for name, build in found.items() if build}
    compared = next((build for build in known.values() if standard(build)), None)
    if _none_as_it_comes(found):
        compared = next(iter(known.values()))
    return {name: as_text(build) for name, build in known.items() if build != compared}


def _builds(reports: Mapping[str, Mapping[str, Any]], benchmark: str) -> dict[str, Identity | None]:
    answered = {name: report for name, report in reports.items() if benchmark in report.get("benchmarks", {})}
    return {name: _of_report(report, benchmark) for name, report in answered.items()}


def _none_as_it_comes(found: Mapping[str, Identity | None]) -> bool:
    return bool(found) and all(build and not standard(build) for build in found.values())


def marked(run: str, other_runs: Mapping[str, str]) -> str:
    """A run's name in a table, with MARK where it answered another build (`others`)."""
    return f"{run} {MARK}" if run in other_runs else run


def notes(reports: Mapping[str, Mapping[str, Any]], benchmark: str) -> Iterator[str]:
    """What stands below a table whose rows of runs in `others` bear MARK, a sentence each."""
    found = _builds(reports, benchmark)
    if _none_as_it_comes(found):
        build = next(build for build in found.values() if build)
        yield f"{MARK} Not the embedded benchmark as it comes, but {as_text(build)}."
    for name, other in others(reports, benchmark).items():
        yield f"{MARK} {name}: another build of the benchmark ({other}), not to be compared with the others."


def between(first: Saved, second: Saved) -> str:
    """What a refusal begins with where two runs answered different builds; "" where not, or where that is not known."""
    for build, other in _differing(first, second).values():
        keys = [key for key in {**build, **other} if build.get(key) != other.get(key)]
        differences = ", ".join(f"{key} {other.get(key)} instead of {build.get(key)}" for key in keys)
        return f"{second.folder} answered another build of the benchmark than {first.folder}: {differences}; "
    return ""


def _differing(first: Saved, second: Saved) -> dict[str, tuple[Identity, Identity]]:
    """Task -> its builds in two runs, where both are known and differ; in the order of the first run's tasks."""
    first_builds, second_builds = (request_settings.of_run(run, NAME) for run in (first, second))
    return {
        task: (build, other)
        for task, build in first_builds.items()
        if build and (other := second_builds.get(task)) and build != other
    }


def as_text(identity: Identity) -> str:
    """An identity in words."""
    return ", ".join(f"{key} {value}" for key, value in identity.items())


def added(
    differences: Mapping[str, dict[str, str] | None], first: Saved, second: Saved
) -> dict[str, dict[str, str] | None]:
    """Task -> what was asked differently (None: not known), with the benchmark where that is another one."""
    with_builds = dict(differences)
    for task, (build, other) in _differing(first, second).items():
        if task in differences:
            with_builds[task] = (differences[task] or {}) | {NAME: f"{as_text(build)} | {as_text(other)}"}
    return with_builds
