"""SIGTERM, which a scheduler sends before it stops a job: the update is finished and saved, then the training ends.

With several processes all end after the same update, whichever of them got the signal.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

STATUS = 128 + signal.SIGTERM
"""Exit status of a training that SIGTERM ended, the one that shells show."""


class Termination(TrainerCallback):
    """Whether SIGTERM came. Before the first update, and at a second signal, the process ends at once."""

    def __init__(self) -> None:
        self.requested = False
        self._updating = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signal inside the block; only a main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous_handler = signal.signal(signal.SIGTERM, self._hear)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, previous_handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.requested or not self._updating:
            raise SystemExit(STATUS)
        self.requested = True

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """From now on an update may be under way."""
        self._updating = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and end, where any process got the signal."""
        if args.world_size > 1:
            flag = torch.tensor([float(self.requested)], device=args.device)
            torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
            self.requested = bool(flag.item())
        if self.requested:
            control.should_save = control.should_training_stop = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the process, unless the update was the last one anyway."""
        self._updating = False
        if self.requested and state.global_step < state.max_steps:
            if args.should_save:
                message = (
                    f"emorealm: ended by SIGTERM after step {state.global_step} of {state.max_steps}, which is saved"
                )
                print(f"\n{message}; the same command goes on from there", file=sys.stderr, flush=True)
            raise SystemExit(STATUS)
