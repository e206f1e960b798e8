"""The mini world's questions answered through lmms-eval's Python entry, time and again in one process.

An `lmms-eval` command takes 17 s to start. Here the harness, its tasks, the decoded clips and what the frozen encoders
make of them stay from one model to the next; only weights are exchanged.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmms_eval.evaluator import simple_evaluate
from lmms_eval.tasks import TaskManager, get_task_dict

from avem_train.backbones.loading import evaluated_by
from avem_train.study.candidates import CANDIDATES
from emorealm_tasks import plugin
from emorealm_tasks.metrics import TASKS, Record

GROUPS = {"full": "emorealm_mini", "blind": "emorealm_mini_blind", "shuffled": "emorealm_mini_shuffled"}
"""Part of an examination (`record.PARTS_ANSWERED`) -> group of tasks: the benchmark, its text alone, and with another
clip's media."""
_BATCH = 32


class Examiner:
    """One base model, one mini world, and all that can be kept between evaluations of what the base was trained to.

    base: folder of whole weights. world: a built split. device: auto or cpu. answering: further `key=value` model
    arguments, for ways of answering that need no training. parts: of GROUPS.
    """

    def __init__(
        self, base: Path, world: Path, device: str, answering: Sequence[str] = (), parts: Sequence[str] = (*GROUPS,)
    ) -> None:
        os.environ["EMOREALM_MINI"] = str(world)
        plugin.register()
        name = evaluated_by(base)
        manager = TaskManager("ERROR", model_name=name)
        self._groups = {part: GROUPS[part] for part in parts}
        names = [f"{group}_{task}" for group in self._groups.values() for task in TASKS]
        self._tasks = list(get_task_dict(names, manager, "chat").values())
        self._manager = manager
        self._base = base
        further: dict[str, Any] = dict(argument.split("=", 1) for argument in answering)
        self._candidate = CANDIDATES[name](
            pretrained=str(base),
            device=None if device == "auto" else device,
            batch_size=_BATCH,
            max_errors=0.0,
            **further,
        )

    @property
    def asked_with(self) -> dict[str, str]:
        """What a run's record says of the input: of an Emotion-LLaMA, which `features` stand beside the image."""
        return dict(self._candidate.asked_with)

    def answers(self, trained: Path | None = None) -> dict[str, list[Record]]:
        """The records of each part, by task and question, of the base or of a folder of adapters trained from it."""
        self._candidate.put(trained or self._base)
        results = simple_evaluate(
            model=self._candidate,
            tasks=self._tasks,
            task_manager=self._manager,
            bootstrap_iters=0,
            verbosity="ERROR",
        )
        samples = results["samples"]
        return {
            part: [sample["emorealm_score"]["record"] for task in TASKS for sample in samples[f"{group}_{task}"]]
            for part, group in self._groups.items()
        }

    def close(self) -> None:
        """Free the model, the decoding threads and the features."""
        self._candidate.end()
