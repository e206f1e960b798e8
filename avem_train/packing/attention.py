"""Attention for rows that begin with a long shared prefix and end in short branches, or that hold several such trees.

The prefix is plainly causal, which kernels do without a mask and at half the work; only the tokens after it need the
mask of the branches. Trees side by side are attended one by one: in one masked attention most of the work would be for
what is masked. The values are those of one masked attention over the whole row. On a CPU attention is computed in
float32 whatever the precision around it: the kernel's backward is 1.5 to 2.7 times slower in bfloat16.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from avem_train.packing.tree import Extent

_NAME = "shared_prefix_sdpa"


class Tree(NamedTuple):
    """A tree of a row that holds several."""

    row: int
    """Number of the row."""
    extent: Extent
    """Where it stands in the row."""
    mask: torch.Tensor | None
    """Of its tokens from `branches` on, in it, (1, 1, end - branches, end - start); None where it has no branches."""


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    causal_until: int = 0,
    trees: Sequence[Tree] = (),
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' `sdpa`; the first `causal_until` tokens of every row see what is before them and no more.

    query, key, value: (batch, heads, length, size). attention_mask: of the tokens after these, (batch, 1, length -
    causal_until, length); none is needed where all are. trees: where there are any, what they hold is attended in each
    alone, by their own masks, and the rest not at all. Returns (batch, length, heads, size).
    """
    if trees:
        return _in_trees(module, (query, key, value), trees, **kwargs), None
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        with torch.autocast("cpu", enabled=False):
            wide = query.float(), key.float(), value.float()
            if attention_mask is not None and attention_mask.dtype == torch.bfloat16:
                attention_mask = attention_mask.float()  # the kernel takes one of the query's dtype, or bool
            attended, _ = attend(module, *wide, attention_mask, causal_until, **kwargs)
        return attended.bfloat16(), None
    if not causal_until:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    branches = query.shape[2] > causal_until
    if branches and attention_mask is None:
        raise ValueError("what comes after a shared prefix needs a mask")
    first_query, first_key, first_value = (states[:, :, :causal_until] for states in (query, key, value))
    prefix_output, _ = sdpa_attention_forward(
        module, first_query, first_key, first_value, None, is_causal=True, **kwargs
    )
    if not branches:
        return prefix_output, None
    branch_query = query[:, :, causal_until:]
    branch_output, _ = sdpa_attention_forward(module, branch_query, key, value, attention_mask, **kwargs)
    return torch.cat([prefix_output, branch_output], dim=1), None


def _in_trees(
    module: nn.Module, states: tuple[torch.Tensor, ...], trees: Sequence[Tree], **kwargs: Any
) -> torch.Tensor:
    """`attend` in each of the trees of all rows, in the rows' order; 0 behind a row's last. states: as `attend`'s."""
    batch, heads, length, size = states[0].shape
    parts: list[list[torch.Tensor]] = [[] for _ in range(batch)]
    for tree in trees:
        start, branches, end = tree.extent
        query, key, value = (state[tree.row : tree.row + 1, :, start:end] for state in states)
        attended, _ = attend(module, query, key, value, tree.mask, branches - start, **kwargs)
        parts[tree.row].append(attended)
    for part in parts:
        part.append(states[0].new_zeros(1, length - sum(one.shape[1] for one in part), heads, size))
    return torch.cat([torch.cat(part, 1) for part in parts])


def install(language_model: PreTrainedModel) -> None:
    """Let a language model that has `sdpa` take `causal_until`; one with another attention stays as it is."""
    if language_model.config._attn_implementation == "sdpa":
        language_model.config._attn_implementation = _NAME


def remove(language_model: PreTrainedModel) -> None:
    """Undo `install`."""
    if installed(language_model):
        language_model.config._attn_implementation = "sdpa"


def installed(language_model: PreTrainedModel) -> bool:
    """Whether the language model takes `causal_until`."""
    return language_model.config._attn_implementation == _NAME


AttentionInterface.register(_NAME, attend)
AttentionMaskInterface.register(_NAME, sdpa_mask)
