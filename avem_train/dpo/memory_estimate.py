"""How much memory a training takes: counted tensor by tensor for the largest batch, before anything is allocated.

What a layer keeps for the backward pass is what PyTorch saves in Llama's and Qwen's layers with LoRA on every linear
map whose own weights are frozen (such a map keeps its input for the adapter alone).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from avem_train.dpo import model_inputs
from emorealm_tasks import media

if TYPE_CHECKING:
    from avem_train.data.responses import Responses
    from avem_train.dpo.dataset import PreferenceDataset

_CANDIDATES = 4  # records of each ranking that are looked at
_LINEARS = 7  # with adapters, in a layer


@dataclass(frozen=True)
class Batch:
    """The size of a batch."""

    rows: int
    """Number of rows."""
    length: int
    """Tokens of each row."""
    places: int
    """How many predict a token of a response."""
    masked: int = 0
    """Numbers of the masks."""
    in_parts: bool = False
    """Whether rows are attended in parts that are joined again: prefix and branches, or several trees."""

    @property
    def tokens(self) -> int:
        """Of all rows."""
        return self.rows * self.length


@dataclass(frozen=True)
class ComputeOptions:
    """How a training is computed."""

    rank: int
    """Of the adapters."""
    half: bool
    """In bfloat16, whatever the weights are in."""
    half_weights: bool
    """The weights are in bfloat16, else in float32."""
    on_cpu: bool
    """On a CPU, else on a GPU."""
    checkpointing: bool
    """Every layer keeps its input alone, and one at a time all else."""

    @property
    def number_bytes(self) -> int:
        """Bytes of a number."""
        return 2 if self.half else 4

    @property
    def attention_bytes(self) -> int:
        """Bytes of a number in attention, which a CPU computes in float32 for weights in bfloat16 (`attention`)."""
        return 4 if self.on_cpu and self.half_weights else self.number_bytes


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak."""

    weights: int
    """Of the whole model."""
    optimiser: int
    """Gradients and AdamW's moments."""
    layers: int
    """What the layers keep for the backward pass."""
    mask: int
    """The one that the layers share."""
    logits: int
    """Log-probabilities, their gradient and that of the logits."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.optimiser + self.layers + self.mask + self.logits


def largest(dataset: "PreferenceDataset", count: int) -> Batch:
    """A batch of the `count` longest records.

    Only the media of candidates are encoded: the longest clips, the longest texts, and those long in both.
    """
    records = dataset.responses(0)
    clip, text = np.zeros(len(records)), np.zeros(len(records))
    for number, one in enumerate(records):
        clip[number] = sum(_seconds(source.path) for source in _sources(one))
        text[number] = sum(len(response.prompt) + len(response.text) for response in one.media.values())
    combined = clip / (clip.max() or 1) + text / (text.max() or 1)
    tried_each = max(_CANDIDATES, count)
    rankings = (ranking.argsort(kind="stable")[-tried_each:].tolist() for ranking in (clip, text, combined))
    candidates = {number for ranking in rankings for number in ranking}
    sizes = {i: batch_of(dataset, [records[i]]).tokens for i in sorted(candidates)}
    chosen = sorted(sizes, key=sizes.__getitem__)[-count:]
    return batch_of(dataset, [records[i] for i in chosen])


def batch_of(dataset: "PreferenceDataset", records: Sequence["Responses"]) -> Batch:
    """The batch that these records make; their media are encoded."""
    responses = list(dict.fromkeys(response for one in records for response in one.media.values()))
    with torch.no_grad():
        dataset.backbone.encode([response.sources for response in responses])
    inputs = model_inputs.of_responses(dataset.backbone, responses, dataset.packing)
    masks = [inputs.allowed, *(one.mask for one in inputs.trees)]
    masked = sum(mask.numel() for mask in masks if mask is not None and mask.ndim == 4)
    rows, length = inputs.ids.shape
    return Batch(rows, length, len(inputs.targets), masked, in_parts=masked > 0 or len(inputs.trees) > 0)


def _sources(one: "Responses") -> list[Any]:
    return list(dict.fromkeys(source for response in one.media.values() for source in response.sources))


@cache
def _seconds(path: str) -> float:
    try:
        return media.probe(Path(path)).seconds
    except media.MediaError:  # whoever decodes it says so
        return 0.0


def layers(config: Any, batch: Batch, running: ComputeOptions) -> int:
    """Bytes that all layers keep for the backward pass. config: of the language model."""
    hidden, inner, heads = config.hidden_size, _inner(config), config.num_attention_heads
    queries, keys = widths(config)
    number_bytes, attention_bytes = running.number_bytes, running.attention_bytes
    norms = 4 * (2 * hidden + 2)  # in float32 always
    # where autocast makes them half, each adapter has its own; else queries, keys and values share one, as gate and up
    shared = (5 if running.half and not running.half_weights else 2) * hidden
    inputs = number_bytes * (shared + inner + (queries if running.half else 0))
    attended = attention_bytes * (2 * queries + 2 * keys) + 4 * heads
    if batch.in_parts:  # what is joined is kept too; with a mask, keys and values go to every head
        attended += (0 if running.half else number_bytes * queries) + (
            2 * attention_bytes * queries if keys < queries and batch.masked else 0
        )
    one = batch.tokens * (norms + inputs + attended + number_bytes * (3 * inner + _LINEARS * running.rank))
    one += _mask(batch, running)
    if running.half:  # copies in bfloat16: of the adapters, and of weights that are not
        one += 2 * running.rank * (_LINEARS * hidden + 2 * queries + 2 * keys + 3 * inner)
        one += 0 if running.half_weights else 2 * hidden * (2 * queries + 2 * keys + 3 * inner)
    count: int = config.num_hidden_layers
    return one + count * batch.tokens * hidden * number_bytes if running.checkpointing else count * one


def _mask(batch: Batch, running: ComputeOptions) -> int:
    """Bytes of a layer's own copy of the mask."""
    if running.half and not running.half_weights:
        return 2 * batch.masked
    return 4 * batch.masked if running.half and running.on_cpu else 0


def estimate(config: Any, parameters: Sequence[torch.nn.Parameter], batch: Batch, running: ComputeOptions) -> Memory:
    """What training takes. parameters: of the model with its adapters and of its encoders."""
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    mask = batch.masked * (2 if running.half_weights else 4)
    weights = sum(p.numel() * p.element_size() for p in parameters)
    # log-probabilities, their gradient and that of the logits, all in float32
    logits = 12 * batch.places * config.vocab_size
    return Memory(weights, 12 * trained, layers(config, batch, running), mask, logits)


def _inner(config: Any) -> int:
    """Numbers of a token between the two halves of an MLP, of all experts that it goes to."""
    of_experts: int = getattr(config, "num_experts_per_tok", 0) * getattr(config, "moe_intermediate_size", 0)
    return of_experts or int(config.intermediate_size)


def widths(config: Any) -> tuple[int, int]:
    """Numbers of a token's queries, and of its keys."""
    heads: int = config.num_attention_heads
    size: int = getattr(config, "head_dim", None) or config.hidden_size // heads
    return heads * size, (getattr(config, "num_key_value_heads", None) or heads) * size
