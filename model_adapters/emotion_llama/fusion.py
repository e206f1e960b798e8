"""Version 2's fusion of audio, image and video: attention over the three, and a convolution over the tokens."""

from collections.abc import Sequence

import torch
from torch import nn

_CONVOLUTIONS = 4
_DROPOUT = 0.1


def _mlp(size_in: int, hidden: int, size_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(size_in, hidden), nn.ReLU(), nn.Dropout(_DROPOUT),
        nn.Linear(hidden, size_out), nn.ReLU(), nn.Dropout(_DROPOUT),
    )  # fmt: skip


class Fusion(nn.Module):
    """Three sequences of the same length -> one."""

    def __init__(self, widths: Sequence[int], sizes: Sequence[int]) -> None:
        super().__init__()
        hidden, width, output = sizes
        self.inputs = nn.ModuleList(_mlp(size, hidden, width) for size in widths)
        self.weigher = _mlp(len(widths) * width, hidden, width)
        self.weights = nn.Linear(width, len(widths))
        self.entry = nn.Conv1d(len(widths) * width, width, kernel_size=1)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, kernel_size=3, padding=1) for _ in range(_CONVOLUTIONS)
        )
        self.output = nn.Linear(width, output)

    def forward(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """(clips, tokens, width of each) -> (clips, tokens, output); the weights of the three need not sum to 1."""
        parts = [part(sequence) for part, sequence in zip(self.inputs, sequences, strict=True)]
        joined = torch.cat(parts, dim=-1)
        weights = self.weights(self.weigher(joined))
        weighted = (torch.stack(parts, dim=-1) * weights[..., None, :]).sum(-1)
        state = self.entry(joined.transpose(1, 2))
        for convolution in self.convolutions:
            state = nn.functional.silu(convolution(state)) + state
        return self.output(weighted + state.transpose(1, 2))
