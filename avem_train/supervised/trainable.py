"""The model that supervised training trains: its projectors alone, adapters on it, or all of the language model."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import set_seed

from avem_train.backbones.base import disable_dropout
from avem_train.dpo.adapters import checkpointed, with_lora
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import parse_json, read_bytes
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
            _widen(settings, backbone)
            yield model
            return
        adapted = _adapted(settings, backbone)
        _widen(settings, backbone)
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
        has_projectors = bool(parse_json(read_bytes(adapter / lora_folders.CONFIG)).get("modules_to_save"))
        if has_projectors != settings.projectors:
            stop(
                f"start={adapter}: it was trained with projectors={str(has_projectors).lower()}; say so here too, or "
                "merge it and go on from the whole weights"
            )
        return lora_folders.loaded("avem-train", backbone.model, adapter, is_trainable=True)
    modules = list(backbone.projectors) if settings.projectors else None
    return with_lora(settings.lora, backbone, modules_to_save=modules)


def _widen(settings: "SupervisedSettings", backbone: "Backbone") -> None:
    """Have the projectors that are trained compute in float32, whatever the encoders before them give."""
    for name in backbone.projectors if settings.trains_projectors else ():
        module = backbone.model.get_submodule(name)
        trained = getattr(module, "modules_to_save", module)  # PEFT trains a copy beside the former weights
        trained.float().requires_grad_(True)
        module.register_forward_pre_hook(lambda _module, inputs: _wide(inputs))


def _wide(value: Any) -> Any:
    """Tensors in float32, also those in tuples; all else as it is."""
    if isinstance(value, tuple):
        return tuple(map(_wide, value))
    return value.float() if torch.is_tensor(value) and value.is_floating_point() else value
