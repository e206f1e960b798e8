"""A checkpoint's name -> model and processor, or one line that says what is missing.

A checkpoint may be a folder of LoRA adapters, as training leaves them: then the weights they belong to are loaded, and
the adapters are put on it (`model_adapters.base.lora_folders.attach`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import AutoConfig, PreTrainedModel, ProcessorMixin

from emorealm_tasks.errors import stop
from model_adapters.base import checkpoint_files, dry_run, embedded, hub, lora_folders, weight_checks
from model_adapters.base.arguments import first_line, launched
from model_adapters.base.fingerprint import fingerprint

_LOADING = Exception
"""What transformers raises on files that are broken is of every kind."""


@dataclass(frozen=True)
class Weights:
    """Where weights come from."""

    whole: str
    """Hub id or folder of a whole model and its processor."""
    adapter: Path | None = None
    """Folder of adapters that work on it."""
    revision: str | None = None
    """Commit of the hub id that the adapters were trained on; None = the newest."""


def find(owner: str, checkpoint: str) -> Weights:
    """What a hub id, org/name or org/name@revision, a folder, or the name of embedded weights stands for.

    Stops at adapters whose weights are gone or have changed since.
    """
    if checkpoint in embedded.BASES:
        return Weights(str(embedded.BASES[checkpoint]))
    adapter = Path(checkpoint).expanduser()
    name, revision = hub.named_revision(checkpoint)
    if revision:
        return Weights(name, revision=revision)
    if not lora_folders.is_adapters_only(adapter):
        return Weights(checkpoint)
    base = lora_folders.base_name(owner, adapter)
    folder = embedded.BASES.get(base) or adapter / base  # an absolute path stays what it is
    if base not in embedded.BASES and not Path(base).is_absolute() and not folder.is_dir():
        return Weights(base, adapter, lora_folders.base_revision(adapter))
    lora_folders.check_base(owner, adapter, folder)
    return Weights(str(folder), adapter)


def load(
    owner: str,
    model_class: type[PreTrainedModel],
    processor_class: type[ProcessorMixin],
    weights: Weights,
    expected: tuple[str, ...],
    templated: bool = True,
    **options: Any,
) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Model (in eval mode, adapters at work) and processor.

    `expected` are the model types that this adapter can run; `templated`: its prompts come from a chat template;
    `options` go to `from_pretrained` where they are not None.
    Stops at another model type, at a checkpoint that leaves weights at random, at a device_map in several processes.
    """
    if options.get("device_map") and launched("WORLD_SIZE", 1, owner) > 1:
        stop(
            f"{owner}: device_map={options['device_map']} spreads one model over all GPUs; each of several processes "
            "has one GPU; leave it out, or start a single process"
        )
    checkpoint = weights.whole
    at: dict[str, Any] = {"revision": weights.revision} if weights.revision else {}
    try:
        model_type = AutoConfig.from_pretrained(checkpoint, **at).model_type
    except RecursionError:
        _refuse(owner, checkpoint, "its config.json is nested too deep")
    except _LOADING as error:
        _refuse(owner, checkpoint, f"its config.json cannot be read ({first_line(error)})")
    if model_type not in expected:
        _refuse(owner, checkpoint, f"its model_type is {model_type!r}, not {' or '.join(map(repr, expected))}")
    try:
        processor = processor_class.from_pretrained(checkpoint, **at)
    except _LOADING as error:
        _refuse(owner, checkpoint, f"its processor cannot be loaded ({first_line(error)})")
    if templated and not processor.chat_template:
        _refuse(owner, checkpoint, "there is no chat template in it")
    if reason := checkpoint_files.fault_if_there(Path(checkpoint)):
        _refuse(owner, checkpoint, reason)
    if weights.adapter:
        lora_folders.require(owner, weights.adapter)
    dry_run.ends_here()
    set_options = {name: value for name, value in options.items() if value is not None}
    try:
        model = weight_checks.load_whole(model_class, checkpoint, **at, **set_options)
    except weight_checks.Unusable as error:
        _refuse(owner, checkpoint, str(error))
    if weights.adapter:
        model = lora_folders.attach(owner, model, weights.adapter)
    return model.eval(), processor


def place(model: PreTrainedModel, device: torch.device, device_map: str | dict[str, Any] | None) -> PreTrainedModel:
    """The model on its device, unless a device map has put it somewhere already."""
    return model if device_map else model.to(device)  # type: ignore[arg-type]  # the wrapper of `to` hides its types


def identify(weights: Weights) -> str:
    """What tells the weights of a folder, or of a hub id's revision, from others under that name, adapters included."""
    folder = Path(weights.whole)
    identity = fingerprint(folder) if folder.is_dir() else hub.commit(weights.whole, weights.revision)
    return f"{identity}+{fingerprint(weights.adapter)}" if weights.adapter else identity


def _refuse(owner: str, checkpoint: str, reason: str) -> NoReturn:
    stop(
        f"{owner}: {checkpoint} cannot be used: {reason}; name a downloaded folder or a hub id with "
        "--model_args pretrained=..."
    )
