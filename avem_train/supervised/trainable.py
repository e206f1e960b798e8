"""The model that supervised training trains: its projectors alone, adapters on it, or all of the language model."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peft import PeftModel, get_peft_model
from peft.helpers import disable_input_dtype_casting
from transformers import set_seed

from avem_train.backbones.base import disable_dropout
from avem_train.dpo.adapters import checkpointed, lora_config
from model_adapters.base import lora_folders

if TYPE_CHECKING:
    from avem_train.backbones.base import Backbone
    from avem_train.supervised.settings import SupervisedSettings


@contextlib.contextmanager
def trainable(settings: "SupervisedSettings", backbone: "Backbone", half: bool) -> Iterator[Any]:
    """The backbone's model, ready to be trained as the settings say; without adapters again at the end.

    half: whether it is computed in bfloat16. Dropout is off but for that of the adapters. Projectors that are trained
    are in float32, whatever the other weights are in.
    """
    set_seed(settings.seed)
    model = backbone.model.requires_grad_(settings.stage == "instruction" and settings.trained == "all")
    disable_dropout(model)
    with checkpointed(model, settings.running.checkpointing):
        if settings.trains_projectors:
            backbone.train_projectors()
        if settings.whole:
            for name in backbone.projectors if settings.trains_projectors else ():
                model.get_submodule(name).float().requires_grad_(True)
            yield model
            return
        adapted = _adapted(settings, backbone)
        try:
            # autocast brings inputs and adapters to one dtype; cast by PEFT before, each would keep its own input
            with disable_input_dtype_casting(adapted, half):
                yield adapted
        finally:
            adapted.unload()


def _adapted(settings: "SupervisedSettings", backbone: "Backbone") -> "PeftModel":
    """The model with fresh adapters, or those of a folder. Stops where that folder's do not fit."""
    if settings.start:
        adapter = Path(settings.start).expanduser()
        lora_folders.require("avem-train", adapter)
        lora_folders.check_base("avem-train", adapter, backbone.folder)
        return lora_folders.loaded("avem-train", backbone.model, adapter, is_trainable=True)
    modules = list(backbone.projectors) if settings.projectors else None
    adapted: PeftModel = get_peft_model(backbone.model, lora_config(settings.lora, backbone, modules_to_save=modules))
    for name, parameter in adapted.named_parameters():
        if "modules_to_save" in name:
            parameter.data = parameter.data.float()
    return adapted
