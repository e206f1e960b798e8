"""Modality-adaptive decoding (MAD, arXiv 2601.21181; weights as its published code has them): a row without training.

The model is asked which modality a question needs. Logits with both media, the picture alone, the sound alone and the
text alone are then added with weights that depend on its answer, so that a modality the question does not need counts
less.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from emorealm_tasks.errors import stop
from model_adapters.base import arguments

ARGUMENTS = ("mad_gamma",)
WORDS = ("audio", "video", "both")
"""What the model may say that a question needs."""
QUERY = "To answer this question, which modality is needed (audio, video, or both): "
"""Asked about the same clip, before the question itself."""


@dataclass(frozen=True)
class Adaptive:
    """How far the weights depend on what the model says."""

    gamma: float
    """0: not at all. The authors take 0.5, and 2.5 for Qwen2.5-Omni on AVHBench."""


def weights(needed: Tensor, gamma: float) -> Tensor:
    """Of the logits with both media, picture alone, sound alone and text alone: (rows, 4).

    needed: probabilities of WORDS, (rows, 3), each row adding up to 1.
    """
    audio, video, both = needed.unbind(-1)
    of_text = -gamma * (video + audio)
    return torch.stack([2 + 2 * gamma * both, 1 - gamma * (both - video), 1 - gamma * (both - audio), of_text], -1)


def combined(logits: Sequence[Tensor], of_branches: Tensor) -> Tensor:
    """The weighted sum of four branches' logits (rows, vocabulary). of_branches: what `weights` gives."""
    weighted = [weight[:, None] * one.float() for weight, one in zip(of_branches.T, logits, strict=True)]
    return torch.stack(weighted).sum(0)


def from_arguments(model_args: MutableMapping[str, object], owner: str) -> Adaptive | None:
    """Take `mad_gamma` out of model arguments; None without it. Stops at values out of range and beside VCD."""
    if "mad_gamma" not in model_args:
        return None
    if "vcd_alpha" in model_args:
        stop(f"{owner}: mad_gamma and vcd_alpha are two ways of decoding; name one of them")
    return Adaptive(arguments.number("mad_gamma", model_args.pop("mad_gamma"), 0.0, 100.0, owner))
