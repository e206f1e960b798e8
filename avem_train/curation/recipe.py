"""A recipe of `emorealm curate`: where the clips are, who is asked, and what each stage does."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from avem_train import config
from avem_train.config import RecipeError
from avem_train.curation import stages
from avem_train.curation.clients.settings import ClientSettings
from avem_train.curation.data import store
from avem_train.curation.engines import ENGINES
from avem_train.curation.manifests.settings import Manifest
from avem_train.curation.stages.base import Context, Stage, clients
from emorealm_tasks import files
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import stop

FAILED = ("stop", "reject")
FORMATS = ("jsonl", "parquet")


@dataclass(frozen=True)
class Recipe:
    """Everything that `emorealm curate run` needs."""

    manifest: Manifest
    """Which clips, in which layout."""
    out: Path
    """The folder that the stages write to."""
    clients: dict[str, ClientSettings]
    """Name, as stages use it -> the model behind it."""
    stages: dict[str, Any]
    """Stage -> its settings, frozen dataclasses of the stages' own; in this order they run."""
    emotions: tuple[str, ...] = EMOTIONS
    """The labels there are."""
    seed: int = 0
    """Of every random choice."""
    budget: float | None = None
    """Dollars over the output folder's whole life; None = no limit."""
    failed: str = "stop"
    """What a row becomes whose request failed beyond the retries: `stop` ends the stage, whose rows so far are kept;
    `reject` goes on without it."""
    engine: str = "local"
    """`local` (threads) or `ray`."""
    address: str = ""
    """Of a Ray cluster; "" = one on this machine."""
    workers: int = 2
    """Ray's actors. Each asks with its clients' whole `concurrency`; they share `per_minute`."""
    worker_gpus: float = 0.0
    """GPUs of each, for clients of kind adapter."""
    format: str = "jsonl"
    """Of the stages' files: jsonl or parquet."""

    @property
    def root(self) -> Path:
        """The folder that media paths count from. Stops where they count from an address."""
        if store.is_address(self.manifest.place):
            stop(f"{self.manifest.place}: this reads clips on disk; copy them, and name the folder with manifest.root=")
        return Path(self.manifest.place)

    def context(self, stage: Stage) -> Context:
        """What a stage knows beside its rows."""
        place, about = self.manifest.place, (self.emotions, self.seed, self.stages[stage.name])
        if store.is_address(place):
            return Context(Path(), *about, store=store.Store(place) if stage.reads_clips else None)
        return Context(Path(place), *about)


def absolute(recipe: Recipe) -> Recipe:
    """The recipe for a process that works in another folder."""
    manifest = replace(recipe.manifest, path=_absolute(recipe.manifest.path), root=_absolute(recipe.manifest.root))
    return replace(recipe, out=recipe.out.absolute(), manifest=manifest)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path and not store.is_address(path) else path


def shipped() -> dict[str, Path]:
    """Name -> file of the recipes that come with the package."""
    folder = Path(str(resources.files("avem_train.curation.recipes")))
    return {path.stem: path for path in files.matching(folder, "*.yaml")}


def load(recipe: str, overrides: list[str]) -> Recipe:
    """The recipe of that file or name, with `a.b=value` overrides. Raises RecipeError."""
    return from_content(config.read(recipe, overrides, shipped()))


def from_content(content: Mapping[str, Any]) -> Recipe:
    """The recipe that nested keys and values describe. Raises RecipeError."""
    values = dict(content)
    named = _mapping(values.get("clients", {}), "clients")
    _check_places(values, named)
    values["clients"] = {
        name: config.from_mapping(ClientSettings, _mapping(about, f"clients.{name}"), f"clients.{name}.")
        for name, about in named.items()
    }
    values["stages"] = _stages(_mapping(values.get("stages", {}), "stages"), named)
    if isinstance(values.get("emotions"), list):
        values["emotions"] = tuple(map(str, values["emotions"]))
    recipe: Recipe = config.from_mapping(Recipe, values)
    _check(recipe)
    return recipe


def content(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain keys and values, from which `from_content` makes it again."""
    made: dict[str, Any] = dataclasses.asdict(recipe)
    made["out"] = str(recipe.out)
    made["emotions"] = list(recipe.emotions)
    return made


_SERVER = {field.name for field in dataclasses.fields(ClientSettings)}


def _check_places(values: Mapping[str, Any], named: Mapping[str, Any]) -> None:
    """Refuse keys of a stage or a server that stand at the top, saying where they go. Raises RecipeError."""
    for key in values.keys() - {field.name for field in dataclasses.fields(Recipe)}:
        if key in stages.STAGES:
            raise RecipeError(f"unknown key {key!r}: a stage is set with stages.{key}.KEY=; {_where_servers(named)}")
        if key in _SERVER | set(named):
            raise RecipeError(f"unknown key {key!r}: {_where_servers(named)}")


def _where_servers(named: Mapping[str, Any]) -> str:
    clients = ", ".join(named) or "none yet"
    return f"a server is set with clients.NAME.base_url= (model, kind, key_env, ... likewise); NAME: {clients}"


def _stages(named: Mapping[str, Any], clients_: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, about in named.items():
        stage = stages.STAGES.get(name)
        if stage is None:
            raise RecipeError(f"no stage {name!r}: {config.nearest(str(name), list(stages.STAGES))}")
        values = _mapping(about or {}, f"stages.{name}")
        own = {field.name for field in dataclasses.fields(stage.settings)}
        if wrong := [key for key in values if key in _SERVER - own]:
            raise RecipeError(f"unknown key 'stages.{name}.{wrong[0]}': {_where_servers(clients_)}")
        settings[name] = config.from_mapping(stage.settings, values, f"stages.{name}.")
    return settings


def _check(recipe: Recipe) -> None:
    for key, value, known in (
        ("failed", recipe.failed, FAILED),
        ("engine", recipe.engine, ENGINES),
        ("format", recipe.format, FORMATS),
    ):
        if value not in known:
            raise RecipeError(f"{key} is {value!r}: one of {', '.join(known)}")
    if recipe.out.parts[:1] and recipe.out.parts[0].endswith(":"):
        raise RecipeError(
            f"out is {recipe.out}: name a folder that all workers see; files are appended to and renamed there, which "
            "addresses do not offer; copy what it holds when the run has ended"
        )
    if recipe.workers < 1 or recipe.worker_gpus < 0:
        raise RecipeError(f"workers is {recipe.workers}, worker_gpus is {recipe.worker_gpus}: at least 1, and 0")
    for name, about in recipe.clients.items():
        if about.batch and (about.kind != "openai" or recipe.engine != "local"):
            raise RecipeError(f"clients.{name}.batch needs a client of kind openai, and engine=local")
    for name, settings in recipe.stages.items():
        for client in sorted(clients(settings)):
            if client not in recipe.clients:
                raise RecipeError(
                    f"stages.{name} asks {client!r}, which is none of the recipe's clients "
                    f"({', '.join(recipe.clients) or 'there are none'})"
                )


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecipeError(f"{where} must hold keys and values, got {value!r}")
    return value
