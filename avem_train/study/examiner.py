"""The mini world's questions answered through lmms-eval's Python entry, time and again in one process.

An `lmms-eval` command takes 17 s to start. Here the harness, its tasks, the decoded clips and what the frozen encoders
make of them stay from one model to the next; only weights are exchanged.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avem_train.backbones.loading import evaluated_by
from avem_train.harness.tasks import Tasks
from avem_train.study.candidates import CANDIDATES
from emorealm_tasks.metrics import Record

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
        name = evaluated_by(base)
        self._groups = {part: GROUPS[part] for part in parts}
        self._tasks = Tasks(name, list(self._groups.values()))
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
        records = self._tasks.records(self._candidate)
        assert records is not None  # of the one process
        return {part: records[group] for part, group in self._groups.items()}

    def close(self) -> None:
        """Free the model, the decoding threads and the features."""
        self._candidate.end()
