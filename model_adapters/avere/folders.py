"""Which folder the weights of `avere` are, and whether all that the model needs is in it; known without torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from emorealm_tasks import settings
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import current_run
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes, typed
from model_adapters.base import checkpoint_files, hub, lora_folders
from model_adapters.base.embedded import BASES, EMBEDDED, NANO
from model_adapters.base.fingerprint import fingerprint

MODELS = ("avere", "avere_likelihood", "avere_vllm")
"""The models of lmms-eval whose `pretrained` is such a folder."""
_CONVERT = "python -m model_adapters.avere.convert --source CHECKPOINT --out FOLDER"
_PROCESSOR = ("processor_config.json", "tokenizer_config.json")


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
    to, by a path or by a name of BASES. `pretrained` may be a name of EMBEDDED, too. Stops with one line that names the
    folder and the remedy.
    """
    name_or_path = pretrained or settings.load().avere
    folder = Path(name_or_path or NANO).expanduser()
    if str(name_or_path) in EMBEDDED and not folder.is_dir():
        folder = NANO.with_name(str(name_or_path))
    if lora_folders.is_adapters_only(folder):
        return Weights(_complete(_adapted(folder)), embedded=False, adapter=folder)
    return Weights(_complete(folder), embedded=not name_or_path)


def chosen_adapter(weights: Weights, adapter: str | None) -> Path | None:
    """The folder of what adapts the weights: their own, or the one that the argument `adapter` names, not both."""
    if not adapter:
        return weights.adapter  # `find_weights` has looked at it
    if weights.adapter:
        stop(f"avere: {weights.adapter} holds adapters, so adapter={adapter} has no whole weights to go on")
    folder = Path(adapter).expanduser()
    lora_folders.require("avere", folder)
    return folder


def note(weights: Weights, adapter: Path | None) -> str:
    """Tell the run which weights answer; returns their fingerprint."""
    used = [folder for folder in (weights.folder, adapter) if folder]
    current_run.note_weights(" + ".join(folder.name for folder in used))
    return "+".join(map(fingerprint, used))


def refuse_foreign(owner: str, tasks: Iterable[str]) -> None:
    """Stop when the embedded model is asked what it was not made for. `tasks`: those that ask."""
    if foreign := sorted({task for task in tasks if "mini" not in task.split("_")}):
        stop(
            f"{owner}: the embedded avere-nano answers the emorealm_mini tasks only, not {foreign[0]}; name AVERE's "
            "weights with --model_args pretrained=DIR or EMOREALM_AVERE=DIR, or insist with nano_anyway=true"
        )


def _adapted(adapter: Path) -> Path:
    """The weights that a folder of adapters belongs to. Stops where they are gone or have changed since."""
    base = lora_folders.base_name("avere", adapter)
    folder = BASES.get(base) or adapter / base  # an absolute path stays what it is
    if not folder.is_dir() and hub.HUB_ID.fullmatch(base):
        refusal = f"avere: the hub does not give {base} ({{}});"
        folder = hub.fetched(base, lora_folders.base_revision(adapter), refusal)
    lora_folders.check_base("avere", adapter, folder)
    lora_folders.require("avere", adapter)
    return folder


def _complete(folder: Path) -> Path:
    """`folder`, if it holds all that the model needs; else stops."""
    config = folder / "config.json"
    if not config.is_file():
        refuse(folder, "there is no config.json in it" if folder.is_dir() else "there is no such folder")
    try:
        model_type = typed(parse_json(read_bytes(config)), dict).get("model_type")
    except Unreadable as error:
        refuse(folder, f"its {config.name} cannot be used: {error}")
    if model_type != "avere":
        refuse(folder, f"its model_type is {model_type!r}, not 'avere'")
    if reason := checkpoint_files.fault(folder):
        refuse(folder, reason)
    if missing := [name for name in _PROCESSOR if not (folder / name).is_file()]:
        refuse(folder, f"its {', '.join(missing)} is missing")
    return folder


def refuse(folder: Path, reason: str) -> NoReturn:
    """Stop because a folder cannot be used as weights, for a reason that follows its name."""
    remedy = (
        "the package is incomplete: install it again"
        if folder in BASES.values()
        else f"make one with `{_CONVERT}`, or leave pretrained and EMOREALM_AVERE out for the embedded avere-nano"
    )
    stop(f"avere: {folder} cannot be used as weights: {reason}; {remedy}")
