"""Did two runs answer the same build of the mini world? From what their results files say of it.

`emorealm_tasks.benchmarks.identity` says what is written. Earlier versions wrote nothing: their builds are unknown.
"""

from collections.abc import Mapping
from typing import Any

from emorealm_results.runs import request_settings
from emorealm_results.runs.saved import Saved
from emorealm_tasks.benchmarks.identity import Identity
from emorealm_tasks.mini.build.split import VERSION
from emorealm_tasks.mini.world.sampling import TEST_CLIPS

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


def as_text(identity: Identity) -> str:
    """An identity in words."""
    return ", ".join(f"{key} {value}" for key, value in identity.items())


def added(
    differences: Mapping[str, dict[str, str] | None], first: Saved, second: Saved
) -> dict[str, dict[str, str] | None]:
    """Task -> what was asked differently (None: not known), with the benchmark where that is another one."""
    first_builds, second_builds = (request_settings.of_run(run, NAME) for run in (first, second))
    with_builds = dict(differences)
    for task, ways in differences.items():
        first_build, second_build = first_builds.get(task), second_builds.get(task)
        if first_build and second_build and first_build != second_build:
            with_builds[task] = (ways or {}) | {NAME: f"{as_text(first_build)} | {as_text(second_build)}"}
    return with_builds
