"""What training must know of a model family: how it asks, and what its encoders make of a medium.

All else (LoRA, packing, log-probabilities, the loop) is the same for every family. A family's encoders and projectors
are frozen, so they are taken out of the model for the time of training and run beside it, in eval mode, without
gradients and on every device whole: whatever shards the language model (ZeRO-3, FSDP) leaves them alone. Supervised
training may train the projectors too; then all of them stand in the model again (`train_projectors`).

`families` lists them. One whose prompts are ChatML subclasses `chatml.ChatMLBackbone`.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from avem_train.data.responses import Source
from avem_train.packing import attention
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
    next: float
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

        (tokens, 1 + layers, hidden) where the first layers of the language model take some too: those of its input
        come first. Raises UnreadableMedium.
        """

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Start reading what `encode` will soon be asked for."""

    def knows(self, clips: Sequence[Clip]) -> bool:
        """Whether `prompt` can be asked about all these clips: once they are decoded, or always where a medium has as
        many tokens whatever is in it.
        """

    def prompt(self, text: str, sources: Clip) -> Prompt:
        """A prompt about a clip that it `knows`."""

    def response(self, text: str) -> list[int]:
        """Ids of a response, its closing token included."""

    def follow_up(self, text: str) -> list[int]:
        """Ids of what stands between a response and the next one, where a user asks again about the same clip."""

    @property
    def projectors(self) -> Sequence[str]:
        """Names in the whole model of the modules between encoders and language model."""

    def train_projectors(self) -> None:
        """Put the encoders back: from now on `encode` runs them each time, with gradients where weights want some."""

    def close(self) -> None:
        """Put the encoders back into the model; drop features and threads."""


class FixedSizes:
    """A family whose media have as many tokens whatever is in them."""

    def knows(self, clips: Sequence[Clip]) -> bool:
        """Always."""
        return True


class FrozenEncoders:
    """Frozen modules taken out of their owner: `names` of them, each an attribute here, also after `put_back`."""

    def __init__(self, owner: nn.Module, names: Sequence[str]) -> None:
        self.owner = owner
        self.is_back = False
        self.modules = {name: getattr(owner, name).eval().requires_grad_(False) for name in names}
        for name in names:
            delattr(owner, name)

    def __getattr__(self, name: str) -> Any:
        modules = self.__dict__["modules"]
        if name not in modules:
            raise AttributeError(name)
        return getattr(self.owner, name) if self.is_back else modules[name]  # the owner's may be wrapped by PEFT

    def put_back(self) -> None:
        """Make the owner whole again."""
        if not self.is_back:
            for name, module in self.modules.items():
                setattr(self.owner, name, module)
        self.is_back = True

    def take_out(self) -> None:
        """Undo `put_back`."""
        for name in self.modules if self.is_back else ():
            delattr(self.owner, name)
        self.is_back = False

    def gradients(self) -> torch.set_grad_enabled:
        """A context with gradients where the modules are back in the model and gradients are wanted, else without."""
        for name in self.modules if self.is_back else ():
            getattr(self, name).eval()  # whatever the model around them is in
        return torch.set_grad_enabled(self.is_back and torch.is_grad_enabled())


@contextmanager
def whole(backbone: "Backbone") -> Iterator["PreTrainedModel"]:
    """The backbone's model with its encoders inside and its usual attention, as the harness has one, for the block."""
    beside = [part for part in vars(backbone).values() if isinstance(part, FrozenEncoders) and not part.is_back]
    decoder = backbone.model.get_decoder()
    installed = attention.installed(decoder)
    attention.remove(decoder)
    for part in beside:
        part.put_back()
    try:
        yield backbone.model
    finally:
        for part in beside:
            part.take_out()
        if installed:
            attention.install(decoder)


def projectors_are_trained(backbone: "Backbone") -> bool:
    """Whether encoders and projectors stand in the model that is trained."""
    return any(isinstance(part, FrozenEncoders) and part.is_back for part in vars(backbone).values())


def weights_beside(backbone: "Backbone") -> dict[str, torch.Tensor]:
    """The weights of encoders that stand beside the model, by their names in the whole one."""
    prefixes = {id(module): f"{name}." if name else "" for name, module in backbone.model.named_modules()}
    return {
        f"{prefixes[id(part.owner)]}{name}.{key}": value
        for part in vars(backbone).values()
        if isinstance(part, FrozenEncoders) and not part.is_back
        for name, module in part.modules.items()
        for key, value in module.state_dict().items()
    }


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
