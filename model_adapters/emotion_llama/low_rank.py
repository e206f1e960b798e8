"""The low-rank update that belongs to the released weights, beside the weight that it updates."""

import torch
from torch import nn


class LowRankLinear(nn.Linear):
    """A linear layer plus a low-rank update: W x + scale * up(down(x)).

    The released LoRA is never merged into W: it stays trainable, and it is exact in half precision. It is a linear
    layer to peft, which can put a LoRA of its own on top; the parameters have other names than peft's, so that peft
    freezes them with the rest.
    """

    def __init__(self, size_in: int, size_out: int, rank: int, alpha: float, dropout: float) -> None:
        super().__init__(size_in, size_out, bias=False)
        self.down = nn.Linear(size_in, rank, bias=False)
        self.up = nn.Linear(rank, size_out, bias=False)
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(..., size_in) -> (..., size_out)."""
        return super().forward(input) + self.scale * self.up(self.down(self.dropout(input)))


def add_low_rank(model: nn.Module, names: tuple[str, ...], rank: int, alpha: float, dropout: float) -> None:
    """Replace every linear layer of `model` whose own name is in `names`, in place."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if name in names and isinstance(child, nn.Linear):
                layer = LowRankLinear(child.in_features, child.out_features, rank, alpha, dropout)
                setattr(parent, name, layer)
