"""The model that is trained: LoRA adapters on frozen weights, for as long as a context lasts."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from avem_train.backbones.lora_targets import NAMES, linears

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel

    from avem_train.backbones.base import Backbone
    from avem_train.dpo.settings import DpoSettings
    from avem_train.dpo.settings_parts import Lora


def lora_config(lora: "Lora", backbone: "Backbone", **more: Any) -> "LoraConfig":
    """The settings as PEFT's; `more` goes to it as it is."""
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        rank_pattern=lora.rank_pattern,
        alpha_pattern=lora.alpha_pattern,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        target_modules=linears(lora.targets or NAMES),
        base_model_name_or_path=str(backbone.folder),
        **more,
    )


@contextlib.contextmanager
def adapters(settings: "DpoSettings", backbone: "Backbone") -> Iterator["PeftModel"]:
    """The backbone's model with fresh adapters and no dropout but theirs; without them again at the end."""
    from peft import get_peft_model
    from transformers import set_seed

    from avem_train.backbones.base import disable_dropout

    set_seed(settings.seed)
    model = backbone.model.requires_grad_(False)
    disable_dropout(model)
    with checkpointed(model, settings.running.checkpointing):
        adapted = get_peft_model(model, lora_config(settings.lora, backbone))
        try:
            yield adapted
        finally:
            adapted.unload()


@contextlib.contextmanager
def checkpointed(model: "PreTrainedModel", wanted: bool) -> Iterator[None]:
    """Compute activations again in the backward pass inside the block, where it is wanted."""
    if wanted:
        _checkpoint_activations(model)
    try:
        yield
    finally:
        if wanted:
            _keep_activations(model)


def _checkpoint_activations(model: "PreTrainedModel") -> None:
    """By either name: transformers 5.24 has a new one."""
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def _keep_activations(model: "PreTrainedModel") -> None:
    """The end of `_checkpoint_activations`."""
    if hasattr(model, "activation_checkpointing_disable"):
        model.activation_checkpointing_disable()
    else:
        model.gradient_checkpointing_disable()
