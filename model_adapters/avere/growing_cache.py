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

    Empty at first, or `of` keys and values. Those that come first are taken as they are, uncopied.
    """

    def __init__(self) -> None:
        super().__init__()
        self._buffers: list[torch.Tensor] = []

    @classmethod
    def of(cls, keys: torch.Tensor, values: torch.Tensor, rows: torch.Tensor | None = None) -> "GrowingLayer":
        """Of keys, values (rows, heads, tokens, size). rows: which of them, repeats allowed; None = all, uncopied."""
        layer, length = cls(), keys.shape[-2]
        if rows is not None:
            keys, values = _with_room(keys[rows]), _with_room(values[rows])
        layer._take(keys, values, length)
        return layer

    def _take(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        """Hold tensors of which the first `length` tokens are filled."""
        self.is_initialized = True
        self.dtype, self.device = keys.dtype, keys.device
        self._buffers = [keys, values]
        self.keys, self.values = (buffer[:, :, :length] for buffer in self._buffers)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values (rows, heads, new tokens, size); returns all of them."""
        start, more = self.get_seq_length(), key_states.shape[-2]
        if not self._buffers:
            self._take(key_states, value_states, more)
            return key_states, value_states
        if start + more > self._buffers[0].shape[-2]:
            self._buffers = [_with_room(buffer[:, :, :start], more) for buffer in self._buffers]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start : start + more] = states
        self.keys, self.values = (buffer[:, :, : start + more] for buffer in self._buffers)
        return self.keys, self.values

    def with_room(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The larger tensors, enlarged where they are full; 0 where they hold nothing yet, so that a mask hides it."""
        start = self.get_seq_length()
        if start == self._buffers[0].shape[-2]:
            self._buffers = [_with_room(buffer) for buffer in self._buffers]
        for buffer in self._buffers:
            buffer[:, :, start:] = 0
        return self._buffers[0], self._buffers[1]


def _with_room(states: torch.Tensor, more: int = 0) -> torch.Tensor:
    """A copy of `states` in a tensor with room for `more` tokens and `ROOM` beyond them."""
    rows, heads, length, size = states.shape
    larger = states.new_empty(rows, heads, length + more + ROOM, size)
    larger[:, :, :length] = states
    return larger
