"""A cache of keys and values with room for the next tokens, so that a step of decoding copies none of the former ones.

transformers' own joins old and new ones at every step: with many rows behind long prefixes that moves more memory than
the step itself reads.
"""

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

ROOM = 128  # tokens by which a layer grows: a question and a short answer


class GrowingLayer(DynamicLayer):
    """As transformers' `DynamicLayer`, but `keys` and `values` are the filled part of larger tensors.

    keys, values: (rows, heads, tokens, size). rows: which of them to take, repeats allowed; None = all, uncopied.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        super().__init__()
        self.is_initialized = True
        self.dtype, self.device = keys.dtype, keys.device
        self._buffers = [keys, values]
        if rows is not None:
            self._buffers = [_with_room(states[rows]) for states in self._buffers]
        length = keys.shape[-2]
        self.keys, self.values = (buffer[:, :, :length] for buffer in self._buffers)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values (rows, heads, new tokens, size); returns all of them."""
        start, more = self.get_seq_length(), key_states.shape[-2]
        if start + more > self._buffers[0].shape[-2]:
            self._buffers = [_with_room(buffer[:, :, :start], more) for buffer in self._buffers]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start : start + more] = states
        self.keys, self.values = (buffer[:, :, : start + more] for buffer in self._buffers)
        return self.keys, self.values


def _with_room(states: torch.Tensor, more: int = 0) -> torch.Tensor:
    """A copy of `states` in a tensor with room for `more` tokens and `ROOM` beyond them."""
    rows, heads, length, size = states.shape
    larger = states.new_empty(rows, heads, length + more + ROOM, size)
    larger[:, :, :length] = states
    return larger
