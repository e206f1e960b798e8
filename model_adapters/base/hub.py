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


class Published(NamedTuple):
    """A model on the hub: its id org/name, and the commit."""

    id: str
    revision: str


def named_revision(named: str) -> tuple[str, str | None]:
    """Hub id and revision (commit, tag or branch; None = the newest) of "org/name@revision"; a path is itself."""
    if not HUB_ID.fullmatch(named) or Path(named).expanduser().exists():
        return named, None
    name, _, revision = named.partition("@")
    return name, revision or None


def published(folder: Path) -> Published | None:
    """What a folder of the hub's cache (models--org--name/snapshots/commit) is a copy of; None for any other folder."""
    repository = folder.parent.parent.name
    if folder.parent.name != "snapshots" or not repository.startswith("models--"):
        return None
    return Published("/".join(repository.split("--", 2)[1:]), folder.name)


def commit(named: str, revision: str | None) -> str:
    """The commit of a hub id whose files were loaded, by their place in the hub's cache; "" where it is not there."""
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(named, "config.json", revision=revision)
    return Path(file).parent.name if isinstance(file, str) else ""


def fetched(named: str, revision: str | None, refusal: str) -> Path:
    """The folder of a hub id at a revision, downloaded unless the cache has it.

    Stops where the hub does not give it; `refusal` then begins the line, with {} for the reason.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(named, revision=revision, allow_patterns=list(_NEEDED)))
    except (OSError, ValueError) as error:  # no such repository, no access, no network and nothing in the cache
        at = f" --revision {revision}" if revision else ""
        stop(f"{refusal.format(first_line(error))} fetch it first: hf download {named}{at}")
