"""What preference training must know of a model family: how it asks, and what its towers make of a medium.

All else (LoRA, packing, log-probabilities, the loop) is the same for every family. A family's towers and projectors are
frozen, so they are taken out of the model for the time of training and run beside it, in eval mode, without gradients
and on every device whole: whatever shards the language model (ZeRO-3, FSDP) leaves them alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from avem_train.forest import Token
from avem_train.replies import Source
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, parse_json, read_bytes, typed
from model_adapters.avere.loading import whole
from model_adapters.base.arguments import first_line
from model_adapters.base.hub import HUB_ID, NEEDED, named_revision

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

LINEARS = r"(.*\blanguage_model|model)\.layers\.\d+\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""The linear layers of the language model, by their names in the whole model (a regular expression); Qwen2.5-Omni's are
`model.layers` in transformers up to 5.20."""
_EXAMPLE = "Qwen/Qwen2.5-Omni-7B"
_FAMILIES = ("avere", "qwen2_5_omni", "qwen2_5_omni_thinker")


class UnreadableMedium(Exception):
    """A file that cannot be decoded; the message names it and says why."""


@dataclass(frozen=True)
class Prompt:
    """A prompt as the language model's inputs. `next`: the position of the first token of a response to it."""

    tokens: tuple[Token, ...]
    next: int


class Backbone(Protocol):
    """A model with its towers beside it, from construction until `close`.

    model: the language model with its head, and whatever holds them. processor: what makes its inputs. folder: where
    the weights came from. template: text that changes with whatever else the prompt's form depends on. answering: what
    the harness must be told to ask as this does (`model_adapters.base.training_prompt`), {} where it does so by itself.
    """

    folder: Path
    template: str

    @property
    def model(self) -> "PreTrainedModel":
        """See above."""

    @property
    def processor(self) -> "ProcessorMixin":
        """See above."""

    @property
    def answering(self) -> Mapping[str, Any]:
        """See above."""

    def encode(self, sources: Sequence[Source]) -> dict[Source, torch.Tensor]:
        """Projected features (tokens, hidden) of each source. Raises UnreadableMedium."""

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Start reading what `encode` will soon be asked for."""

    def prompt(self, text: str, sources: Sequence[Source]) -> Prompt:
        """A prompt about the sources (at most a video, then at most a sound; none: text alone), `encode`d before."""

    def response(self, text: str) -> list[int]:
        """Ids of a response, its closing token included."""

    def close(self) -> None:
        """Put the towers back into the model; drop features and threads."""


class Towers:
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


def still(model: nn.Module) -> None:
    """Switch all dropout off, as preference training has it: policy and reference then differ by the adapters alone."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def towers(backbone: Backbone) -> list[nn.Module]:
    """The frozen modules that stand beside a backbone's model, in no order; none where a backbone has no towers."""
    held = [part for part in vars(backbone).values() if isinstance(part, Towers)]
    return [module for part in held for module in part.modules.values()]


def find(named: str) -> Path:
    """The folder of the whole model that `named` means: a folder, avere_nano (the embedded one), or a hub id org/name.

    What a hub id names is downloaded, or taken from the hub's cache; org/name@revision takes a commit, tag or branch.
    The folder's own name is the commit, and the training notes it. Stops where there is no model that can be trained.
    """
    folder = whole(named)
    if not folder.exists() and HUB_ID.fullmatch(named):
        folder = _from_hub(named)
    family(folder)
    return folder


def _from_hub(named: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        name, revision = named_revision(named)
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(NEEDED)))
    except (OSError, ValueError) as error:  # no such repository, no access, no network and nothing in the cache
        stop(
            f"model={named}: there is no such folder, and the hub gives no such model ({first_line(error)}); name a "
            f"folder, or fetch it first: hf download {named}"
        )


def family(folder: Path) -> str:
    """The model_type that a folder's config.json names. Stops where there is none that can be trained."""
    config = folder / "config.json"
    if not config.is_file():
        lacking = "there is no config.json in it" if folder.is_dir() else "there is no such folder"
        stop(f"model={folder}: {lacking}; name a folder with a whole model, avere_nano, or a hub id such as {_EXAMPLE}")
    try:
        about = typed(parse_json(read_bytes(config)), dict)
    except Unreadable as error:
        stop(f"model={folder}: its config.json is not that of a model ({error})")
    kind = about.get("model_type")
    if not isinstance(kind, str) or kind not in _FAMILIES:
        stop(f"model={folder}: its model_type is {brief(repr(kind))}; it must be one of {', '.join(_FAMILIES)}")
    if "quantization_config" in [*about, *(name for part in about.values() if isinstance(part, dict) for name in part)]:
        stop(
            f"model={folder}: its weights are quantised (quantization_config in its config.json), and adapters are "
            "trained on whole ones here; name the model that it was made from"
        )
    return kind


def load(folder: Path, device: torch.device, dtype: torch.dtype, cache_bytes: int) -> Backbone:
    """The model of a folder, of whichever family its config.json says. Stops at a folder that is none."""
    if family(folder) == "avere":
        from avem_train.backbone_avere import AvereBackbone

        return AvereBackbone.load(folder, device, dtype, cache_bytes)
    from avem_train.backbone_qwen import QwenBackbone

    return QwenBackbone.load(folder, device, dtype, cache_bytes)
