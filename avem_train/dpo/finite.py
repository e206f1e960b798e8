"""A training whose numbers become NaN or infinite: found before an update is made of them, and never saved."""

from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class LossNotFinite(Exception):
    """The loss of a record, a gradient or an adapter is NaN or infinite; the message names it and the step."""


class Finite(TrainerCallback):
    """Looks at the gradients of every update before it is made: a NaN spoils every adapter at once.

    Where a sharded optimiser holds the gradients there are none to look at, and `check_adapters` alone does it.
    """

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Raises LossNotFinite."""
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
