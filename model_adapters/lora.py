"""Folders of LoRA adapters, as training leaves them: the weights they belong to, and how they get into these.

`owner` is the adapter's name with which each line begins that stops a run.
"""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError

from emorealm_tasks.errors import stop
from model_adapters.arguments import first_line
from model_adapters.fingerprint import fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    Model = TypeVar("Model", bound=PreTrainedModel)

CONFIG = "adapter_config.json"
_BESIDE_MERGED = "adapter"
_NOT_ON = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError, UserWarning)


def alone(folder: Path) -> bool:
    """Whether a folder holds adapters and no whole weights."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def training(folder: Path) -> dict[str, Any]:
    """The training.json that belongs to what training wrote into `folder`; {} where there is none.

    Beside merged weights the adapters lie in a folder of their own, one below it.
    """
    places = (folder, folder.parent) if folder.name == _BESIDE_MERGED else (folder,)
    file = next((place / "training.json" for place in places if (place / "training.json").is_file()), None)
    if file is None:
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        stop(f"{file}: it is no JSON object, so how this was trained is not known; train again, or delete it")


def base_name(owner: str, adapter: Path) -> str:
    """What a folder of adapters says of the weights it belongs to: a path or a name."""
    try:
        named = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError):
        named = None
    if not isinstance(named, str) or not named:
        stop(f"{owner}: {adapter / CONFIG}: it must name the weights it belongs to in base_model_name_or_path")
    return named


def check_base(owner: str, adapter: Path, base: Path) -> None:
    """Stop where the weights that adapters belong to are gone, or others than those they were trained on."""
    if not (base / "config.json").is_file():
        stop(
            f"{owner}: {adapter}: the weights its adapters belong to are not there: {base} is no folder with a "
            f"config.json; put them back, or name their new place as base_model_name_or_path in {CONFIG}"
        )
    wanted = training(adapter).get("model", {}).get("fingerprint")
    if wanted and wanted != fingerprint(base):
        stop(
            f"{owner}: {adapter}: its adapters were trained on other weights than those now in {base}; train them "
            "again, or put the former weights back"
        )


def merge(owner: str, model: "Model", adapter: Path) -> "Model":
    """The model with the adapters of a folder added to its weights. Stops where they do not fit it, all of them."""
    if not (adapter / CONFIG).is_file():
        stop(f"{owner}: adapter={adapter}: there is no {CONFIG} there; name the LoRA folder training saved")
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            # PEFT only warns about adapters that find no place, and the model would answer without them
            warnings.filterwarnings("error", message=".*missing adapter keys")
            return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except _NOT_ON as error:
        said = first_line(error)[:300]
        stop(f"{owner}: adapter={adapter}: cannot be put on this model ({said}); was it trained on another?")
