"""Which build of the mini world a task asks: split, clips, seed, the generator's version, and a hash of its questions.

In a results file, for each such task: {"benchmark": {TASK: {"split": "test", "clips": 800, "seed": 0, "version": 1,
"questions": "88ff3ca064c3"}}}. Runs of earlier versions hold none.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emorealm_tasks import settings
from emorealm_tasks.benchmarks import registry, suite
from emorealm_tasks.mini.build import record

Identity = dict[str, Any]
_BUILT_WITH = ("split", "clips", "seed", "version")


def of_folder(folder: Path) -> Identity:
    """The identity of a built folder, as far as its files say it; {} where there are no questions."""
    digest, about = record.digest(folder), record.built_with(folder)
    return {key: about[key] for key in _BUILT_WITH if key in about} | {"questions": digest} if digest else {}


def by_task(tasks: Iterable[str]) -> dict[str, Identity]:
    """Task -> the identity of the benchmark that it asks, of the embedded ones among the tasks."""
    known_tasks = registry.TASK_NAMES | suite.TASK_NAMES
    embedded = [task for task in tasks if task in known_tasks and known_tasks[task].benchmark.endswith("_mini")]
    mini_identity = of_folder(settings.load().mini) if embedded else {}
    return dict.fromkeys(embedded, mini_identity) if mini_identity else {}
