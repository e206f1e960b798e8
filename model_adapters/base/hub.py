"""Models of the Hugging Face hub: which one a folder of its cache is, and the folder of one that adapters name."""

import re
from pathlib import Path
from typing import NamedTuple

from emorealm_tasks.errors import stop
from model_adapters.base.arguments import first_line

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")
"""org/name, or org/name@revision."""
_NEEDED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
"""Files of a hub's repository that a model is made of: weights, tokenizer, configurations."""


class HubSnapshot(NamedTuple):
    """A model on the hub at one commit."""

    id: str
    """org/name."""
    revision: str
    """The commit."""


def named_revision(name_or_path: str) -> tuple[str, str | None]:
    """Hub id and revision (commit, tag or branch; None = the newest) of "org/name@revision"; a path is itself."""
    if not HUB_ID.fullmatch(name_or_path) or Path(name_or_path).expanduser().exists():
        return name_or_path, None
    name, _, revision = name_or_path.partition("@")
    return name, revision or None


def snapshot(folder: Path) -> HubSnapshot | None:
    """What a folder of the hub's cache (models--org--name/snapshots/commit) is a copy of; None for any other folder."""
    repository = folder.parent.parent.name
    if folder.parent.name != "snapshots" or not repository.startswith("models--"):
        return None
    return HubSnapshot("/".join(repository.split("--", 2)[1:]), folder.name)


def commit(hub_id: str, revision: str | None) -> str:
    """The commit of a hub id whose files were loaded, by their place in the hub's cache; "" where it is not there."""
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(hub_id, "config.json", revision=revision)
    return Path(file).parent.name if isinstance(file, str) else ""


def fetched(hub_id: str, revision: str | None, refusal: str) -> Path:
    """The folder of a hub id at a revision, downloaded unless the cache has it.

    Stops where the hub does not give it; `refusal` then begins the line, with {} for the reason.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=list(_NEEDED)))
    except (OSError, ValueError) as error:  # no such repository, no access, no network and nothing in the cache
        at = f" --revision {revision}" if revision else ""
        stop(f"{refusal.format(first_line(error))} fetch it first: hf download {hub_id}{at}")
