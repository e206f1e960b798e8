"""The folder of a training -> the folder of a hub model: weights, tokenizer and card, without paths of this machine."""

import os
import shutil
from pathlib import Path
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, read_json, read_text

ABOUT, CARD = "training.json", "README.md"
_ADAPTERS = "adapter_config.json"
_WEIGHTS = ("adapter_model.safetensors", "model*.safetensors")
_LOADED = ("*.json", "*.safetensors", "*.model", "*.jinja", "vocab.txt", "merges.txt")
"""What a model is loaded from; checkpoints, logs and recipe.yaml (whose settings stand in the card) stay here."""


_EXAMINED_PREFIX = "examined-"
"""How the files begin that a study leaves in the folder of a training."""
_PLACES = ("data", "root", "model", "file", "folder", "base_model_name_or_path")


def is_one(folder: Path) -> bool:
    """Whether a training wrote this folder."""
    return (folder / ABOUT).is_file()


def write(target: Path, folder: Path, base: str, option: str = "--base ") -> str:
    """Fill an empty folder with a finished training's files; returns what they are, in words.

    base: where others find the weights it was trained on (org/name); needed where these are a folder of this machine.
    option: how that is said.
    Stops where the training is not finished or the base cannot be named. Raises OSError.
    """
    about = read_json(folder / ABOUT, dict, "name the folder of a finished training")
    weights = files.matching(folder, *_WEIGHTS)
    if not isinstance(about.get("steps"), int) or not weights or not (folder / CARD).is_file():
        stop(f"{folder}: its training is not finished; go on with avem-train, then push")
    local = _local_base(about)
    if local and not base:
        stop(
            f"{folder}: was trained on {local}, a folder that nobody else has; say with {option}ORG/NAME where others "
            "find these weights"
        )
    for path in files.matching(folder, *_LOADED):
        if path.name in (ABOUT, _ADAPTERS):
            files.write_json(target / path.name, _elsewhere(read_json(path, dict, "train again"), local, base))
        elif not path.name.startswith(_EXAMINED_PREFIX):
            _link(path, target / path.name)
    try:
        card = read_text(folder / CARD)
    except Unreadable as error:
        stop(f"{folder / CARD}: {error}; train again, or write a card there")
    files.write(target / CARD, _replaced(card, local, base))
    return (
        f"{'LoRA adapters' if (folder / _ADAPTERS).is_file() else 'weights'} of {about['steps']} steps, with their card"
    )


def _local_base(about: dict[str, Any]) -> str:
    """The folder of this machine that held the base weights; "" where anybody can find them by name."""
    model = about.get("model")
    folder_name = str(model.get("folder") or "") if isinstance(model, dict) else ""
    return folder_name if Path(folder_name).is_absolute() else ""


def _elsewhere(content: dict[str, Any], local: str, base: str) -> dict[str, Any]:
    """What a JSON file holds as it is true on another machine: the base by its public name, files without folders."""
    changed = dict(content)
    for name, value in content.items():
        if isinstance(value, dict):
            changed[name] = _elsewhere(value, local, base)
        elif isinstance(value, str) and value and value == local:
            changed[name] = base
        elif isinstance(value, str) and Path(value).is_absolute() and name in _PLACES:
            changed[name] = Path(value).name
    return changed


def _replaced(text: str, local: str, base: str) -> str:
    return text.replace(local, base) if local else text


def _link(path: Path, target: Path) -> None:
    """Put a file into another folder without a second copy of it, where the file system can."""
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)
