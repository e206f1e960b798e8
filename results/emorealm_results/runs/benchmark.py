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
    wanted = {"split": "test", "clips": TEST_CLIPS, "seed": 0, "version": VERSION}
    return wanted.items() <= identity.items()


def shown(identity: Identity) -> str:
    """An identity in words."""
    return ", ".join(f"{key} {value}" for key, value in identity.items())


def added(
    differing: Mapping[str, dict[str, str] | None], first: Saved, second: Saved
) -> dict[str, dict[str, str] | None]:
    """Task -> what was asked differently (None: not known), with the benchmark where that is another one."""
    one, other = (request_settings.of_run(run, NAME) for run in (first, second))
    found = dict(differing)
    for task, ways in differing.items():
        mine, theirs = one.get(task), other.get(task)
        if mine and theirs and mine != theirs:
            found[task] = (ways or {}) | {NAME: f"{shown(mine)} | {shown(theirs)}"}
    return found
