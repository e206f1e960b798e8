"""Floating-point operations of a language model in training: its layers' linear maps, adapters and attention.

A multiplication and an addition are two. Embeddings, the head, norms, encoders and what checkpointing computes again
are left out. Attention counts whole, as the kernels with a mask compute it: half of it is behind the causal mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from avem_train.dpo import memory_estimate

_ATTENTION_BACKWARD = 2.5  # a fused backward pass computes the scores again, beside two products for each of two


@dataclass(frozen=True)
class Operations:
    """What a language model costs; `forward` and `backward` are of rows of so many tokens, none seeing another."""

    linear: int
    """Parameters of all layers' linear maps."""
    adapters: int
    """Parameters of the adapters on them."""
    attention: int
    """Width of the queries of all layers."""
    whole: bool = False
    """Whether the linear maps' own weights have gradients."""

    def forward(self, rows: Sequence[int], adapted: bool = True) -> float:
        """Of a forward pass. adapted: with the adapters."""
        weights = self.linear + self.adapters * adapted
        return sum(2.0 * row * weights + 4 * self.attention * row**2 for row in rows)

    def backward(self, rows: Sequence[int]) -> float:
        """Of a backward pass: gradients of activations everywhere, of weights where they are trained."""
        trained = self.adapters + self.linear * self.whole
        attention = sum(4 * self.attention * row**2 for row in rows)
        return self.forward(rows) + 2 * sum(rows) * trained + (_ATTENTION_BACKWARD - 1) * attention


def of_model(config: Any, adapters: int, whole: bool = False) -> Operations:
    """The operations of a model. config: of the language model. adapters: their parameters (`lora_parameters`)."""
    linear = sum(inputs * outputs for inputs, outputs in _linear_maps(config))
    queries, _ = memory_estimate.widths(config)
    layers = config.num_hidden_layers
    return Operations(layers * linear, adapters, layers * queries, whole)


def lora_parameters(config: Any, rank: int) -> int:
    """Of adapters of one rank on all linear maps."""
    layers: int = config.num_hidden_layers
    return layers * rank * sum(inputs + outputs for inputs, outputs in _linear_maps(config))


def _linear_maps(config: Any) -> list[tuple[int, int]]:
    """Inputs and outputs of a layer's."""
    hidden, inner = config.hidden_size, config.intermediate_size
    queries, keys = memory_estimate.widths(config)
    attention = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
    return [*attention, (hidden, inner), (hidden, inner), (inner, hidden)]
