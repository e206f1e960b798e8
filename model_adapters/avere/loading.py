"""Model arguments -> a model and its processor on the right device, or one line that says what is missing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch

from emorealm_tasks import settings
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, parse_json, plain_name, read_bytes, typed
from model_adapters.base import hub, lora_folders
from model_adapters.base.arguments import first_line
from model_adapters.base.embedded import EMBEDDED, NANO
from model_adapters.base.weight_checks import Unusable, load_whole

from .modeling import AvereForConditionalGeneration
from .processing import AvereProcessor

_CONVERT = "python -m model_adapters.avere.convert --source CHECKPOINT --out FOLDER"


@dataclass(frozen=True)
class Weights:
    """Where the weights are."""

    folder: Path
    """A model folder that `from_pretrained` reads."""
    embedded: bool
    """Whether they are the embedded ones, because none were named."""
    adapter: Path | None = None
    """The folder of what adapts them."""


def find_weights(pretrained: str | None) -> Weights:
    """`pretrained`, else the settings' `avere` (EMOREALM_AVERE), else the embedded avere-nano; checked to be complete.

    A folder may hold adapters alone, as training leaves them: their adapter_config.json names the weights they belong
    to, by a path or as avere_nano. `pretrained` may be a name of EMBEDDED, too. Stops with one line that names the
    folder and the remedy.
    """
    name_or_path = pretrained or settings.load().avere
    folder = Path(name_or_path or NANO).expanduser()
    if str(name_or_path) in EMBEDDED and not folder.is_dir():
        folder = NANO.with_name(str(name_or_path))
    if lora_folders.is_adapters_only(folder):
        return Weights(_complete(_adapted(folder)), embedded=False, adapter=folder)
    return Weights(_complete(folder), embedded=not name_or_path)


def _adapted(adapter: Path) -> Path:
    """The weights that a folder of adapters belongs to. Stops where they are gone or have changed since."""
    base = lora_folders.base_name("avere", adapter)
    folder = NANO if base == NANO.name else adapter / base  # an absolute path stays what it is
    if not folder.is_dir() and hub.HUB_ID.fullmatch(base):
        refusal = f"avere: the hub does not give {base} ({{}});"
        folder = hub.fetched(base, lora_folders.base_revision(adapter), refusal)
    lora_folders.check_base("avere", adapter, folder)
    return folder


def _complete(folder: Path) -> Path:
    """`folder`, if it holds all that the model needs; else stops."""
    config = folder / "config.json"
    if not config.is_file():
        _refuse(folder, "there is no config.json in it" if folder.is_dir() else "there is no such folder")
    model_type = _object(folder, config).get("model_type")
    if model_type != "avere":
        _refuse(folder, f"its model_type is {model_type!r}, not 'avere'")
    index = folder / "model.safetensors.index.json"
    shards = {"model.safetensors"}
    if index.is_file():
        weight_map = _object(folder, index).get("weight_map")
        if not isinstance(weight_map, dict) or not all(map(plain_name, weight_map.values())):
            _refuse(folder, f"its {index.name} does not name the files of its tensors")
        shards = set(weight_map.values())
    needed = [*sorted(shards), "processor_config.json", "tokenizer_config.json"]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        _refuse(folder, f"its {', '.join(missing)} is missing")
    return folder


def _object(folder: Path, file: Path) -> dict[str, Any]:
    """What a JSON file of the weights holds; stops where that is no object."""
    try:
        content: dict[str, Any] = typed(parse_json(read_bytes(file)), dict)
    except Unreadable as error:
        _refuse(folder, f"its {file.name} cannot be used: {error}")
    return content


def load_model(
    folder: Path, device: torch.device, dtype: torch.dtype, attn_implementation: str | None, adapter: str | Path | None
) -> AvereForConditionalGeneration:
    """The model of `folder` in eval mode, with the LoRA of the folder `adapter` at work if one is named."""
    attention: dict[str, Any] = {"attn_implementation": attn_implementation} if attn_implementation else {}
    try:
        model = load_whole(AvereForConditionalGeneration, str(folder), dtype=dtype, local_files_only=True, **attention)
    except Unusable as error:
        _refuse(folder, str(error))
    if adapter:
        model = lora_folders.attach("avere", model, Path(adapter).expanduser())
    return model.to(device).eval()  # type: ignore[arg-type]  # the wrapper of `to` hides its types


def load_processor(folder: Path) -> AvereProcessor:
    """Tokenizer and media preparation of `folder`."""
    try:
        return AvereProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # of whatever kind the files are broken in
        _refuse(folder, f"its processor or tokenizer cannot be loaded ({first_line(error)})")


def _refuse(folder: Path, reason: str) -> NoReturn:
    remedy = (
        "the package is incomplete: install it again"
        if folder == NANO
        else f"make one with `{_CONVERT}`, or leave pretrained and EMOREALM_AVERE out for the embedded avere-nano"
    )
    stop(f"avere: {folder} cannot be used as weights: {reason}; {remedy}")
