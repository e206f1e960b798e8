"""Inputs of single questions -> the inputs of a batch: prompts padded on the left, media one after the other.

Each question goes through its processor alone, because processors of transformers take one frame rate a call while
clips differ; what they return is put together here.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_TOKENWISE = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")


def collate(rows: Sequence[Mapping[str, Tensor]], pad_token_id: int) -> dict[str, Tensor]:
    """Batch of rows with the same keys.

    Tensors of one value a token, (1, length), are padded on the left: input_ids with `pad_token_id`, others with 0.
    Everything else, (items, ...), is joined along its first dimension; a shorter last dimension (mel frames) is padded
    with 0 on the right. Raises ValueError where the keys differ.
    """
    if any(set(row) != set(rows[0]) for row in rows):
        raise ValueError(f"rows of one batch have different inputs: {sorted({*map(frozenset, rows)}, key=len)}")
    batch = {}
    for key in rows[0]:
        tensors = [torch.as_tensor(row[key]) for row in rows]
        if key in _TOKENWISE:
            batch[key] = _pad_left(tensors, pad_token_id if key == "input_ids" else 0)
        else:
            batch[key] = torch.cat(_pad_right(tensors))
    return batch


def _pad_left(tensors: Sequence[Tensor], value: int) -> Tensor:
    longest = max(tensor.shape[-1] for tensor in tensors)
    return torch.cat([torch.nn.functional.pad(t, (longest - t.shape[-1], 0), value=value) for t in tensors])


def _pad_right(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Make last dimensions equal where they are not; one-dimensional tensors are lists of items and stay."""
    if tensors[0].ndim < 2:
        return list(tensors)
    longest = max(tensor.shape[-1] for tensor in tensors)
    return [torch.nn.functional.pad(tensor, (0, longest - tensor.shape[-1])) for tensor in tensors]
