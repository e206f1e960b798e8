"""Steps of decoding that a GPU replays from one recording, a CUDA graph.

A step of one token is a thousand small kernels, and to launch them takes longer than to run them. A recording always
uses the same tensors, so keys and values lie in tensors with room, and a mask says which of their places are filled.
"""

from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from .growing_cache import GrowingLayer
from .modeling import CACHE

PAYS_FROM = 16
"""New tokens; for fewer, recording takes longer than replaying saves."""


def pays(device: torch.device, attention: str, limit: int) -> bool:
    """Whether at most `limit` new tokens are best decoded by a StepGraph.

    attention: transformers' name for the decoder's. Others than torch's own take no mask of this form: FlashAttention
    none at all, the eager one numbers to be added.
    """
    return device.type == "cuda" and attention.endswith("sdpa") and limit >= PAYS_FROM


class FixedLayer(DynamicLayer):
    """Keys and values (rows, heads, room, size); those of the next token go to `place` (1,), and all are returned."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, place: torch.Tensor) -> None:
        super().__init__()
        self.is_initialized = True
        self.dtype, self.device = keys.dtype, keys.device
        self.keys, self.values = keys, values
        self._all, self._place = (keys, values), place

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put one token's keys and values (rows, heads, 1, size) in; returns those of all places."""
        for held, states in zip(self._all, (key_states, value_states), strict=True):
            held.index_copy_(2, self._place, states)
        return self._all


class StepGraph:
    """A model that goes on from a cache, a token a row at a time; on a GPU from a recording, elsewhere as it is.

    cache: of GrowingLayers, used up. mask: (rows, tokens in the cache), 0 in the padding. positions: (rows, 1), of the
    last token.
    """

    def __init__(
        self, model: PreTrainedModel, cache: DynamicCache, mask: torch.Tensor, positions: torch.Tensor
    ) -> None:
        self._model = model
        self._positions = positions.clone()
        self._ids = torch.zeros_like(positions)
        self._place = torch.zeros(1, dtype=torch.long, device=mask.device)
        self._lay_out(cache.layers, mask[:, None, None].bool())

    def logits(self, token: torch.Tensor) -> torch.Tensor:
        """Of what follows `token` (rows,), (rows, vocabulary); the next call writes over them."""
        if self._filled == self._mask.shape[-1]:
            self._lay_out(self._cache.layers, self._mask)
        self._ids.copy_(token[:, None])
        self._positions += 1
        self._place.fill_(self._filled)
        self._mask[..., self._filled] = True
        self._filled += 1
        if self._ids.device.type != "cuda":
            return self._forward()
        if self._graph is None:
            self._record()
        assert self._graph is not None
        self._graph.replay()
        return self._logits

    def _lay_out(self, layers: list[Any], mask: torch.Tensor) -> None:
        """Take over layers, which are used up one by one, as ones with room, and their mask (rows, 1, 1, filled)."""
        self._graph: torch.cuda.CUDAGraph | None = None
        self._filled = mask.shape[-1]
        self._cache = DynamicCache()
        while layers:
            states = layers.pop(0)
            growing = states if isinstance(states, GrowingLayer) else GrowingLayer.of(states.keys, states.values)
            keys, values = growing.with_room()
            self._cache.layers.append(FixedLayer(keys, values, self._place))
        self._mask = mask.new_zeros(*mask.shape[:-1], keys.shape[-2])
        self._mask[..., : self._filled] = mask

    def _forward(self) -> torch.Tensor:
        logits: torch.Tensor = self._model(
            inputs_embeds=self._model.get_input_embeddings()(self._ids),
            attention_mask=self._mask,
            position_ids=self._positions,
            use_cache=True,
            logits_to_keep=1,
            **{CACHE: self._cache},
        ).logits[:, -1]
        return logits

    def _record(self) -> None:
        """Run the step once beside the others, as a recording needs it, then record it; neither changes a result."""
        before, beside = torch.cuda.current_stream(), torch.cuda.Stream()
        beside.wait_stream(before)
        with torch.cuda.stream(beside):
            self._forward()
        before.wait_stream(beside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = self._forward()
