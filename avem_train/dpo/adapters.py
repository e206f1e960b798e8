"""The model that is trained: LoRA adapters on frozen weights, for as long as a context lasts."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from avem_train.backbones import loading
from avem_train.backbones.lora_targets import linears
from emorealm_tasks.errors import stop

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel

    from avem_train.backbones.base import Backbone
    from avem_train.dpo.settings import DpoSettings
    from avem_train.dpo.settings_parts import Lora


def lora_config(lora: "Lora", backbone: "Backbone", **more: Any) -> "LoraConfig":
    """The settings as PEFT's; `more` goes to it as it is. Stops at targets that the family does not have."""
    from peft import LoraConfig

    family = loading.family(backbone.folder)
    if absent := [name for name in lora.targets if name not in family.adapted]:
        stop(f"lora.targets: {', '.join(absent)} of this model cannot be adapted; of {', '.join(family.adapted)}")
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        rank_pattern=lora.rank_pattern,
        alpha_pattern=lora.alpha_pattern,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        target_modules=linears(lora.targets or family.adapted),
        exclude_modules=family.not_adapted,
        base_model_name_or_path=str(backbone.folder),
        **more,
    )


def with_lora(lora: "Lora", backbone: "Backbone", **more: Any) -> "PeftModel":
    """The backbone's model with fresh adapters; `more` goes to PEFT's settings."""
    from peft import PeftModel, get_peft_model

    with warnings.catch_warnings():
        # they stand beside the model in training, and in it later
        warnings.filterwarnings("ignore", message=".*but no modules were excluded")
        adapted = get_peft_model(backbone.model, lora_config(lora, backbone, **more))
    assert isinstance(adapted, PeftModel)
    return adapted


@contextlib.contextmanager
def adapters(settings: "DpoSettings", backbone: "Backbone") -> Iterator["PeftModel"]:
    """The backbone's model with fresh adapters and no dropout but theirs; without them again at the end."""
    from transformers import set_seed

    from avem_train.backbones.base import disable_dropout

    set_seed(settings.seed)
    model = backbone.model.requires_grad_(False)
    disable_dropout(model)
    with checkpointed(model, settings.running.checkpointing):
        adapted = with_lora(settings.lora, backbone)
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
