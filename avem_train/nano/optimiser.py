"""The optimiser of the embedded model: Muon for matrices, AdamW for everything else, one schedule for both.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) makes each update of a weight matrix orthogonal.
The video encoder needed a third of AdamW's steps to the same loss, which is what keeps the recipe under half an hour.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then cosine decay."""

    steps: int
    """Of the whole training."""
    learning_rate: float
    """AdamW's peak."""
    matrix_learning_rate: float = 0.02
    """Muon's peak; its updates have a size of their own."""
    warm_up: int = 100
    """Steps of warm-up."""
    floor: float = 0.0
    """Share of the peak that is reached after the last step."""

    def share(self, step: int) -> float:
        """Share of the peak at a step (from 0), in (0, 1]."""
        cosine = self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return min(1.0, (step + 1) / max(1, self.warm_up)) * cosine


class MuonAdamW:
    """Muon for the weights of linear maps inside the model, AdamW for the rest, stepped together.

    matrices: two-dimensional weights. rest: embeddings, convolutions, vectors, and the maps to classes or words, whose
    rows mean something each. `split` tells them apart.
    """

    def __init__(self, matrices: list[nn.Parameter], other_parameters: list[nn.Parameter], schedule: Schedule) -> None:
        self._schedule = schedule
        self._parameters = [*matrices, *other_parameters]
        self._parts = [
            (torch.optim.Muon(matrices, weight_decay=0.01), schedule.matrix_learning_rate),
            (torch.optim.AdamW(other_parameters, betas=(0.9, 0.98), weight_decay=0.01), schedule.learning_rate),
        ]

    def update(self, loss: torch.Tensor, step: int) -> None:
        """One update at `step` (from 0) by the gradient of a scalar loss, its norm clipped to 1."""
        for optimiser, peak in self._parts:
            optimiser.zero_grad(set_to_none=True)
            for group in optimiser.param_groups:
                group["lr"] = peak * self._schedule.share(step)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        for optimiser, _ in self._parts:
            optimiser.step()


def split(model: PreTrainedModel, parameters: Iterable[nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split the parameters: weight matrices of linear maps inside the model (not its map to words), and all others."""
    words = model.get_output_embeddings()
    linear = {id(part.weight) for part in model.modules() if isinstance(part, nn.Linear) and part is not words}
    matrices: list[nn.Parameter] = []
    other_parameters: list[nn.Parameter] = []
    for parameter in parameters:
        (matrices if id(parameter) in linear else other_parameters).append(parameter)
    return matrices, other_parameters
