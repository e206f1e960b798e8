"""Tasks of the harness, built once and asked time and again of whatever models this process has."""

from collections.abc import Sequence
from typing import Any

from lmms_eval.evaluator import simple_evaluate
from lmms_eval.tasks import TaskManager, get_task_dict

from avem_train.harness import asked
from emorealm_tasks import plugin


class Tasks:
    """The tasks of groups (`asked.GROUPS`) for models of one name. limit: questions of a task; 0 = all."""

    def __init__(self, model: str, groups: Sequence[str], limit: int = 0) -> None:
        plugin.register()
        self._manager = TaskManager("ERROR", include_defaults=False, model_name=model)
        self._groups, self._limit = list(groups), limit
        names = [task for group in self._groups for task in asked.tasks(group)]
        self._tasks = list(get_task_dict(names, self._manager, "chat").values())

    def records(self, model: Any) -> dict[str, list[Any]] | None:
        """What a model of lmms-eval answers, by group, in the order of tasks and questions.

        Every process asks its share; the first one has all records, the others None. Random numbers are left alone.
        """
        seeds: dict[str, Any] = dict.fromkeys(("random_seed", "numpy_random_seed", "torch_random_seed"))
        results = simple_evaluate(
            model=model,
            tasks=self._tasks,
            task_manager=self._manager,
            limit=self._limit or None,
            bootstrap_iters=0,
            verbosity="ERROR",
            distributed_executor_backend="torchrun",
            **seeds,
        )
        if results is None:
            return None
        samples = results["samples"]
        return {
            group: [
                sample[asked.GROUPS[group].carrier]["record"] for task in asked.tasks(group) for sample in samples[task]
            ]
            for group in self._groups
        }
