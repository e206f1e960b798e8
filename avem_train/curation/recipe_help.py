"""What a user is told of recipes: which there are, how one is written, and what it can set."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from avem_train import config, settings_help
from avem_train.config import RecipeError
from avem_train.curation.clients.settings import ClientSettings
from avem_train.curation.recipe import Recipe, shipped
from avem_train.curation.stages import STAGES
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, read_text


def listing() -> str:
    """The recipes that are shipped, each with what it makes and its file; then the stages there are."""
    lines = [f"{name:14s} {_first_line(path)}\n{'':14s} {path}" for name, path in shipped().items()]
    lines += [f"stages: {', '.join(STAGES)}", "emorealm curate show RECIPE > mine.yaml begins a recipe of your own"]
    return "\n".join(lines) + "\n"


def text(recipe: str) -> str:
    """A recipe as it is written, with its comments. Stops where there is none."""
    try:
        path = config.find(recipe, shipped())
    except RecipeError as error:
        stop(str(error))
    try:
        return read_text(path)
    except Unreadable as error:
        stop(f"{path}: {error}")


def settings(recipe: str) -> Iterator[str]:
    """What a recipe can set, as text: of the run, of each of its clients and of each of its stages.

    Stops where it cannot be read.
    """
    try:
        content = config.read(recipe, [], shipped())
    except RecipeError as error:
        stop(str(error))
    clients, stages = _names(content, "clients"), _names(content, "stages")
    named: dict[str, dict[str, Any]] = {
        "clients": dict.fromkeys(clients, ClientSettings),
        "stages": {name: STAGES[name].settings for name in stages if name in STAGES},
    }
    return settings_help.lines(Recipe, content, named=named)


def _names(content: Mapping[str, Any], key: str) -> list[str]:
    value = content.get(key)
    return list(value) if isinstance(value, dict) else []


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
