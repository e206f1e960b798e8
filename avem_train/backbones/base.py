"""What preference training must know of a model family: how it asks, and what its encoders make of a medium.

All else (LoRA, packing, log-probabilities, the loop) is the same for every family. A family's encoders and projectors
are frozen, so they are taken out of the model for the time of training and run beside it, in eval mode, without
gradients and on every device whole: whatever shards the language model (ZeRO-3, FSDP) leaves them alone.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from avem_train.data.responses import Source
from avem_train.packing.tree import Token

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin


Clip = tuple[Source, ...]
"""What a prompt is about: at most a video, then at most a sound; () for text alone."""


class UnreadableMedium(Exception):
    """A file that cannot be decoded; the message names it and says why."""


@dataclass(frozen=True)
class Prompt:
    """A prompt as the language model's inputs."""

    tokens: tuple[Token, ...]
    """All of it, media included."""
    next: int
    """The position of the first token of a response to it."""


class Backbone(Protocol):
    """A model with its encoders beside it, from construction until `close`."""

    folder: Path
    """Where the weights came from."""
    template: str
    """Text that changes with whatever else the prompt's form depends on."""

    @property
    def model(self) -> "PreTrainedModel":
        """The language model with its head, and whatever holds them."""

    @property
    def processor(self) -> "ProcessorMixin":
        """What makes the model's inputs."""

    @property
    def answering(self) -> Mapping[str, Any]:
        """What makes the harness ask as this does (`model_adapters.base.training_prompt`), {} where it does already."""

    def encode(self, clips: Sequence[Clip]) -> Mapping[Hashable, torch.Tensor]:
        """Projected features (tokens, hidden) of every medium that prompts about these clips hold, by `Token.medium`.

        Raises UnreadableMedium.
        """

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Start reading what `encode` will soon be asked for."""

    def prompt(self, text: str, sources: Clip) -> Prompt:
        """A prompt about a clip that was `encode`d before."""

    def response(self, text: str) -> list[int]:
        """Ids of a response, its closing token included."""

    def close(self) -> None:
        """Put the encoders back into the model; drop features and threads."""


class FrozenEncoders:
    """Frozen modules taken out of their owner: `names` of them, each an attribute here until `put_back`."""

    def __init__(self, owner: nn.Module, names: Sequence[str]) -> None:
        self.owner = owner
        self.modules = {name: getattr(owner, name).eval().requires_grad_(False) for name in names}
        for name in names:
            delattr(owner, name)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["modules"][name]
        except KeyError:
            raise AttributeError(name) from None

    def put_back(self) -> None:
        """Make the owner whole again."""
        for name, module in self.modules.items():
            setattr(self.owner, name, module)


def sources_of(clips: Sequence[Clip]) -> list[Source]:
    """Every source of the clips once, in their order."""
    return list(dict.fromkeys(source for clip in clips for source in clip))


def disable_dropout(model: nn.Module) -> None:
    """Switch all dropout off, as preference training has it: policy and reference then differ by the adapters alone."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def encoders(backbone: Backbone) -> list[nn.Module]:
    """The frozen modules that stand beside a backbone's model, in no order; none where a backbone has no encoders."""
    parts = [part for part in vars(backbone).values() if isinstance(part, FrozenEncoders)]
    return [module for part in parts for module in part.modules.values()]
