"""Which features version 1 is given beside the image: one name for each way, as in `features=` of the adapter.

`demo` is what the released demo gives: zeros for MAE and VideoMAE, and HuBERT's mean, which the model computes itself.
"""

from collections.abc import Callable

import torch

from model_adapters.base import arguments
from model_adapters.base.media_refs import ClipFiles

DEMO = "demo"
Features = Callable[[ClipFiles], torch.Tensor | None]
"""A clip -> (3, feature size): MAE, VideoMAE, audio; None = zeros, and audio by the model. Raises MediaError."""


def find(name: str, owner: str) -> Features:
    """The features of that name. Stops at a name that is none."""
    arguments.one_of("features", name, (DEMO,), owner)
    return _nothing


def _nothing(clip: ClipFiles) -> None:
    return None
