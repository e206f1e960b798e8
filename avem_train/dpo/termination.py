"""Ctrl-C, and SIGTERM, which a scheduler sends before it stops a job: what is trained is saved, then the training ends.

One process ends after the batch under way: the weights are those of the last update, and the next one begins again.
Of several processes all end after the same update, whichever of them got the signal.
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

from emorealm_tasks.interruption import SIGNALS, end_now


class Termination(TrainerCallback):
    """Whether a signal came. Before the first update, and at a second signal, the process ends at once.

    The exit status is the one that shells show: 128 and the signal's number.
    """

    def __init__(self) -> None:
        self.requested = False
        self._number: int = signal.SIGTERM
        self._updating = False
        self._saves_at_end = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals inside the block; only a main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]  # nohup
        for number in heeded:
            signal.signal(number, self._hear)
        try:
            yield
        finally:
            for number in heeded:
                signal.signal(number, before[number])

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        if self.requested or not self._updating:
            end_now(number, "the same command goes on from what is saved")
        self.requested = True
        print("\nemorealm: saves as soon as it can, then ends; once more ends it at once", file=sys.stderr, flush=True)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """From now on an update may be under way."""
        self._updating = True

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End within an update, where no other process has to."""
        if self.requested and args.world_size == 1:
            control.should_training_stop = True
            self._saves_at_end = state.global_step > 0  # else there is no update yet

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Where an epoch is broken off, too."""
        control.should_save = control.should_save or self._saves_at_end

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
                name = signal.Signals(self._number).name
                when = f"after step {state.global_step} of {state.max_steps}, which is saved"
                how = "goes on from there" if state.global_step else "begins again"
                when = when if state.global_step else "before the first update"
                print(f"\nemorealm: ended by {name} {when}; the same command {how}", file=sys.stderr, flush=True)
            raise SystemExit(128 + self._number)
