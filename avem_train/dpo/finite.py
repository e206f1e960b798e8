"""A training whose numbers become NaN or infinite: found before an update is made of them, and never saved."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class LossNotFinite(Exception):
    """The loss of a record, a gradient or an adapter is NaN or infinite; the message names it and the step."""


class Finite(TrainerCallback):
    """Looks at losses and gradients of every update before it is made: a NaN spoils every adapter at once.

    Once an update, for a look makes the host wait for the device. Where a sharded optimiser holds the gradients there
    are none to look at, and losses and `check_adapters` alone do it.
    """

    def __init__(self) -> None:
        self._losses: list[tuple[Sequence[str], torch.Tensor]] = []

    def note(self, identifiers: Sequence[str], losses: torch.Tensor) -> None:
        """Remember losses (identifiers,) for `check`; identifiers: the record of each."""
        self._losses.append((identifiers, losses.detach().isfinite()))

    def check(self, step: int) -> None:
        """Forget the losses noted so far. Raises LossNotFinite where some are no numbers, which names their records."""
        noted, self._losses = self._losses, []
        pairs = ((names, finite.tolist()) for names, finite in noted)
        bad = dict.fromkeys(one for names, finite in pairs for one, fine in zip(names, finite, strict=True) if not fine)
        if bad:
            raise LossNotFinite(f"the loss of record {', '.join(map(repr, bad))} is no number at step {step}")

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Raises LossNotFinite."""
        self.check(state.global_step + 1)
        gradients = [p.grad for p in kwargs["model"].parameters() if p.grad is not None]
        if not _finite(gradients):
            raise LossNotFinite(f"the gradient is no number at step {state.global_step + 1}")


def check_adapters(model: nn.Module, step: int) -> None:
    """Raises LossNotFinite where what is trained is NaN or infinite after so many steps."""
    if not _finite([p.detach() for p in model.parameters() if p.requires_grad]):
        raise LossNotFinite(f"the adapters are no numbers after step {step}, and are not saved")


def _finite(tensors: list[torch.Tensor]) -> bool:
    """Whether all are finite; of a sharded one this process's part."""
    local = [getattr(tensor, "_local_tensor", tensor) for tensor in tensors]
    return not local or bool(torch.stack([part.isfinite().all() for part in local]).all())
