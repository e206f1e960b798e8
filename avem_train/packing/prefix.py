"""Several prompts about one clip, with their responses, in one sequence that holds their common prefix once.

A packed sequence is the common prefix (system text and media) followed by branches (question and response). A branch
sees the prefix and itself; its positions go on from the prefix's end. So every branch has the log-probabilities that it
would have in a sequence of its own, for a fraction of the work.
"""

from dataclasses import dataclass

import torch

from emorealm_tasks.sequences import common_prefix

IGNORE = -100


@dataclass(frozen=True)
class Packed:
    """One packed sequence, each list as long as the sequence."""

    ids: list[int]
    """Token ids."""
    positions: list[int]
    """Of each token."""
    branch: list[int]
    """0 in the prefix, 1.. in the branches."""
    labels: list[int]
    """Ids of the responses, IGNORE elsewhere."""


def pack(prompts: list[list[int]], responses: list[list[int]], labels: list[list[int]] | None = None) -> Packed:
    """Pack token ids of prompts and of the responses to them (closing token included).

    labels: of each response's tokens, IGNORE for those left out of the loss; default all tokens.
    Raises ValueError for an empty list, an empty response or unequal numbers.
    """
    if not prompts or len(prompts) != len(responses) or not all(responses):
        raise ValueError("pack needs prompts and as many responses, none of them empty")
    shared = common_prefix(prompts, remainder=1)
    ids, branch = list(prompts[0][:shared]), [0] * shared
    positions, packed_labels = list(range(shared)), [IGNORE] * shared
    for number, (prompt, response, targets) in enumerate(zip(prompts, responses, labels or responses, strict=True), 1):
        prompt_end = prompt[shared:]
        ids += prompt_end + response
        branch += [number] * (len(prompt_end) + len(response))
        positions += range(shared, shared + len(prompt_end) + len(response))
        packed_labels += [IGNORE] * len(prompt_end) + targets
    return Packed(ids, positions, branch, packed_labels)


def collate(rows: list[Packed], pad_id: int, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """Batch of packed sequences, padded on the right.

    Returns input_ids, position_ids, labels, branch (batch, length; -1 in the padding) and attention_mask
    (batch, 1, length, length), additive: 0 where a token may look, the dtype's minimum elsewhere.
    """
    length = max(len(row.ids) for row in rows)

    def padded(values: list[list[int]], fill: int) -> torch.Tensor:
        return torch.tensor([value + [fill] * (length - len(value)) for value in values])

    branch = padded([row.branch for row in rows], -1)
    return {
        "input_ids": padded([row.ids for row in rows], pad_id),
        "position_ids": padded([row.positions for row in rows], 0),
        "labels": padded([row.labels for row in rows], IGNORE),
        "branch": branch,
        "attention_mask": branch_mask(branch, dtype),
    }


def branch_mask(branch: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Additive mask (batch, 1, length, length) from branch numbers (batch, length): causal, the prefix (0) open to all,
    a branch closed to the others. Every token sees itself, so no row of the padding (-1) is empty.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    same = branch[:, :, None] == branch[:, None, :]
    allowed = causal & (same | (branch[:, None, :] == 0))
    mask = torch.zeros(allowed.shape, dtype=dtype, device=branch.device)
    return mask.masked_fill_(~allowed, torch.finfo(dtype).min)[:, None]


def branch_loss(logits: torch.Tensor, labels: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
    """Mean over branches of the mean negative log-likelihood of their responses, a scalar.

    logits (batch, length, vocabulary); labels, branch (batch, length). Every response counts alike, however long: an
    answer of one letter would drown among sentences if tokens counted alike.
    """
    keep = labels[:, 1:] != IGNORE
    nll = torch.nn.functional.cross_entropy(logits[:, :-1][keep].float(), labels[:, 1:][keep], reduction="none")
    rows = torch.arange(len(labels), device=labels.device)[:, None].expand_as(keep)
    groups = (rows * (int(branch.max()) + 1) + branch[:, 1:])[keep]
    _, groups = torch.unique(groups, return_inverse=True)
    count = torch.zeros(int(groups.max()) + 1, device=nll.device).scatter_add_(0, groups, torch.ones_like(nll))
    total = torch.zeros_like(count).scatter_add_(0, groups, nll)
    return (total / count).mean()
