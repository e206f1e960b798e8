"""Folders of LoRA adapters, as training leaves them: the weights they belong to, and how they get into these.

`owner` is the adapter's name with which each line begins that stops a run.
"""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes, read_json
from model_adapters.base import checkpoint_files
from model_adapters.base.arguments import first_line
from model_adapters.base.fingerprint import fingerprint

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    Model = TypeVar("Model", bound=PreTrainedModel)

CONFIG = "adapter_config.json"
_WEIGHTS, _PICKLED = "adapter_model.safetensors", "adapter_model.bin"
_BESIDE_MERGED = "adapter"
LEAST_SURVIVING = 0.99
"""Share of an update that must outlive the rounding of merged weights."""
_UNKNOWN = "it is no JSON object, so how this was trained is not known; train again, or delete it"
_LONGEST = 1000  # characters of a path


def is_adapters_only(folder: Path) -> bool:
    """Whether a folder holds adapters and no whole weights."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def training(folder: Path) -> dict[str, Any]:
    """The training.json that belongs to what training wrote into `folder`; {} where there is none.

    Beside merged weights the adapters lie in a folder of their own, one below it; a checkpoint lies two below it.
    """
    places = [folder]
    if folder.name == _BESIDE_MERGED:
        places.append(folder.parent)
    elif folder.parent.name == "checkpoints":
        places.append(folder.parent.parent)
    file = next((place / "training.json" for place in places if (place / "training.json").is_file()), None)
    if file is None:
        return {}
    found: dict[str, Any] = read_json(file, dict, _UNKNOWN)
    return found


def base_name(owner: str, adapter: Path) -> str:
    """What a folder of adapters says of the weights it belongs to: a path or a name."""
    try:
        config = parse_json(read_bytes(adapter / CONFIG))
    except Unreadable:
        config = None
    name = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(name, str) or not name or "\0" in name or len(name) > _LONGEST:
        stop(f"{owner}: {adapter / CONFIG}: it must name the weights it belongs to in base_model_name_or_path")
    return name


def base_revision(adapter: Path) -> str | None:
    """The commit of a hub id that a folder of adapters names as its base; None where it names none."""
    config = parse_json(read_bytes(adapter / CONFIG)).get("revision")
    return config if isinstance(config, str) and config else None


def check_base(owner: str, adapter: Path, base: Path) -> None:
    """Stop where the weights that adapters belong to are gone, or others than those they were trained on."""
    if not (base / "config.json").is_file():
        stop(
            f"{owner}: {adapter}: the weights its adapters belong to are not there: {base} is no folder with a "
            f"config.json; put them back, or name their new place as base_model_name_or_path in {CONFIG}"
        )
    model = training(adapter).get("model")
    expected = model.get("fingerprint") if isinstance(model, dict) else None
    if expected and expected != fingerprint(base):
        stop(
            f"{owner}: {adapter}: its adapters were trained on other weights than those now in {base}; train them "
            "again, or put the former weights back"
        )


def require(owner: str, adapter: Path) -> None:
    """Stop where a folder of adapters lacks a file, or its weights are cut; told without torch."""
    if not (adapter / CONFIG).is_file():
        stop(f"{owner}: adapter={adapter}: there is no {CONFIG} there; name the LoRA folder training saved")
    if not (adapter / _PICKLED).is_file() and (reason := checkpoint_files.fault(adapter, _WEIGHTS)):
        stop(f"{owner}: adapter={adapter}: cannot be used: {reason}")


def attach(owner: str, model: "Model", adapter: Path) -> "Model":
    """The model with the adapters of a folder at work, as training had them. Stops where not all of them fit it.

    In float32 they are added to the weights. Added to weights of half precision most of a small update would be rounded
    away, so there they stay beside the weights, in float32.
    """
    import torch

    adapted = _adapted(owner, model, adapter)
    found: Any = adapted.merge_and_unload() if model.dtype == torch.float32 else adapted.get_base_model()
    with_adapters: Model = found  # PEFT does not know its class
    return with_adapters


def merge(owner: str, model: "Model", adapter: Path) -> "Model":
    """The model with the adapters of a folder added to its weights, in their own precision.

    Says which share of the update outlives the rounding, and stops below 99%: the weights would not be what was
    trained. Stops too where the adapters do not fit the model, all of them.
    """
    adapted = _adapted(owner, model, adapter)
    share = surviving_share(adapted)
    kind = str(model.dtype).removeprefix("torch.")
    if share < LEAST_SURVIVING:
        stop(
            f"{owner}: only {share:.1%} of what was trained outlives the rounding to {kind} when it is added to the "
            f"weights, so they are not merged; name {adapter} itself: adapters are used beside the weights, in float32"
        )
    if kind != "float32":
        print(f"{owner}: {share:.1%} of what was trained outlives the rounding to {kind}", file=sys.stderr, flush=True)
    return adapted.merge_and_unload()


def surviving_share(adapted: "PeftModel") -> float:
    """How much of the adapters' update is left when it is added to the weights and rounded to their precision.

    sum of (rounded weight - weight) * update over sum of update^2, over all adapted weights: 1 = all of it, 0 = none of
    it; 1 for adapters that change nothing.
    """
    from peft.tuners.lora import LoraLayer

    surviving, total = 0.0, 0.0
    layers: list[Any] = [module for module in adapted.modules() if isinstance(module, LoraLayer)]
    for layer in layers:
        for name in layer.active_adapters:
            weight = layer.get_base_layer().weight.detach()
            update = layer.get_delta_weight(name).detach().float()
            applied = (weight.float() + update).to(weight.dtype).float() - weight.float()
            surviving += float((applied * update).sum())
            total += float((update * update).sum())
    return surviving / total if total else 1.0


def _adapted(owner: str, model: "Model", adapter: Path) -> "PeftModel":
    require(owner, adapter)
    return loaded(owner, model, adapter)


def loaded(owner: str, model: "Model", adapter: Path, **options: Any) -> "PeftModel":
    """The model with the adapters of a folder beside its weights; `options` go to PEFT. Stops where they do not fit."""
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            # PEFT only warns about adapters that find no place, and the model would answer without them
            warnings.filterwarnings("error", message=".*missing adapter keys")
            adapted: PeftModel = PeftModel.from_pretrained(model, str(adapter), **options)
    except Exception as error:  # of whatever kind the files are broken in
        reason = first_line(error)[:300]
        stop(f"{owner}: adapter={adapter}: cannot be put on this model ({reason}); was it trained on another?")
    broken = [name for name, value in adapted.named_parameters() if "lora_" in name and not value.isfinite().all()]
    if broken:
        stop(
            f"{owner}: adapter={adapter}: {len(broken)} of its tensors hold NaN or infinite values (the first: "
            f"{broken[0]}); its training diverged or the file is damaged: train again, or copy it again"
        )
    return adapted
