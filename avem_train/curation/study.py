"""`emorealm curate study`: how much does training gain by preferences that a noisy annotator made? The truth is known.

Clips of the embedded world go through the recipe `mini` once for each source of captions and each rate of planted
mistakes; every stage is graded by the truth; AVEm-DPO learns from each result and from the world's own preferences
about the same clips; every model answers one split. What is finished is never made again.
"""

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avem_train import config
from avem_train.config import RecipeError
from avem_train.curation import graded as grading
from avem_train.curation import pipeline, reports
from avem_train.curation import recipe as recipes
from avem_train.curation.export import writing
from avem_train.curation.recipe import Recipe
from avem_train.dpo import settings as dpo_settings
from avem_train.study import program, worker
from avem_train.study.record import versions
from avem_train.study.worker import Job, Worker
from emorealm_tasks import files
from emorealm_tasks import settings as roots
from emorealm_tasks.mini.language import preferences
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes

SPLITS = ("validation", "test")
RECORD = "study_{split}.json"
BASE, WORLD = "base", "the world's own preferences"
"""Rows beside the curated ones: nothing is trained; trained on the records of `emorealm-mini build --preferences`."""
_TRAINING = {
    "optimiser": {"learning_rate": 1e-4, "steps": 60, "batch": 24, "accumulation": 1},
    "running": {"device": "cpu", "mixed": True, "save_every": 0, "tensorboard": False},
}


@dataclass(frozen=True)
class Study:
    """What is run."""

    out: Path = Path("results/curation")
    """Folder of the record and the page."""
    folder: str = ""
    """Where clips, replies and adapters are kept; "" = below the settings' cache."""
    split: str = "validation"
    """The world to answer: validation, or test once everything is chosen."""
    answered: int = 300
    """Clips of that world."""
    clips: int = 400
    """Clips that are curated, of the training world."""
    captions: list[Any] = field(default_factory=lambda: ["truth", "avere"])
    """Sources of captions."""
    noise: list[Any] = field(default_factory=lambda: [0.0, 0.05, 0.15, 0.3])
    """Rates of planted mistakes."""
    seeds: int = 1
    """Trainings of each row."""
    trained: list[Any] = field(default_factory=lambda: [0.0, 0.05, 0.15, 0.3])
    """Rates of planted mistakes whose records are trained on; [] = nothing is trained. Finished runs always count."""
    training: dict[str, Any] = field(default_factory=dict)
    """Changes to the training, the same for all rows."""

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"split must be {' or '.join(SPLITS)}, got {self.split!r}")
        if min(self.answered, self.clips, self.seeds) < 1:
            raise ValueError("answered, clips and seeds must be at least 1")

    @property
    def place(self) -> Path:
        """Where clips, replies and adapters are kept."""
        return (Path(self.folder) if self.folder else roots.load().cache / "curation").expanduser().resolve()

    @property
    def record(self) -> Path:
        """The file that holds what was measured."""
        return self.out / RECORD.format(split=self.split)


def run(study: Study) -> dict[str, Any]:
    """Make what is missing; returns the record, which is written after each row. Raises RecipeError."""
    settings = trainings(study)
    world = program.built(study.place, "train", study.clips, 0, preferences.LETTERS)
    arms = {name: arm_recipe(study, world, source, rate) for name, source, rate in arm_names(study)}
    record: dict[str, Any] = {
        "about": {
            "clips": study.clips,
            "split": study.split,
            "answered": study.answered,
            "seeds": study.seeds,
            "training": config.merged(_TRAINING, study.training),
            "versions": versions(),
        },
        "curated": {},
        "runs": {},
    }
    data = {WORLD: (world / preferences.FILE, worker.key(files.sha256(world / preferences.FILE), "", None))}
    for name, (source, rate, recipe) in arms.items():
        data[name] = _curated(study, recipe, name)
        graded = {"captions": source, "noise": rate, "stages": stages(recipe), **grading.of_run(recipe)}
        record["curated"][name] = graded
        _write(study, record)
    rates = {float(rate) for rate in study.trained}
    jobs = _jobs(study, settings, data) if rates or (study.place / "runs").exists() else ()
    for name, seed, job in jobs:
        wanted = arms[name][1] in rates if name in arms else bool(rates)
        if wanted or job.result.exists():
            print(f"{name}, seed {seed}: {_told(job)}", file=sys.stderr, flush=True)
            record["runs"].setdefault(name, {})[str(seed)] = _made(job)
            _write(study, record)
    return record


def arm_names(study: Study) -> Iterator[tuple[str, str, float]]:
    """Name, source of captions, and rate of mistakes of each curated row; the least noisy first."""
    for rate in map(float, study.noise):
        for source in map(str, study.captions):
            yield f"{source}-{round(100 * rate)}", source, rate


def arm_recipe(study: Study, world: Path, source: str, rate: float) -> tuple[str, float, Recipe]:
    """The recipe `mini` over the clips, with mistakes at that rate. Raises RecipeError."""
    erring = {"noise": rate, "mistakes": {"broken": rate, "broken_twice": rate / 5}}
    content = config.read("mini", [], recipes.shipped())
    name = f"{source}-{round(100 * rate)}"
    args = {"captioner": {"captions": source, **erring}, "writer": erring, "checker": erring}
    changed = {
        "manifest": {"path": str(world)},
        "out": str(study.place / "curated" / f"{study.clips}" / name),
        "clients": {client: {"args": of_client} for client, of_client in args.items()},
    }
    return source, rate, recipes.from_content(config.merged(content, changed))


def trainings(study: Study) -> list[dpo_settings.DpoSettings]:
    """The settings of a row's trainings, a seed each; data and out are not set yet. Raises RecipeError."""
    content = config.merged(config.merged(config.read("avem_dpo", []), _TRAINING), study.training)
    content.pop("program")
    content |= {"data": "data", "out": ""}
    return [config.from_mapping(dpo_settings.DpoSettings, content | {"seed": seed}) for seed in range(study.seeds)]


def stages(recipe: Recipe) -> dict[str, Any]:
    """Stage -> rows in, rows out and rejects by kind, as its report says."""
    found = {}
    for name in recipe.stages:
        report = reports.load(recipe.out, name)
        found[name] = {"rows_in": report.rows_in, "rows": report.rows, "rejects": report.rejects}
    return found


def _curated(study: Study, recipe: Recipe, name: str) -> tuple[Path, str]:
    """Run a recipe; returns its preference records, and what names their content."""
    pipeline.run(recipe)
    out = study.place / "records" / f"{study.clips}-{name}.jsonl"
    writing.write(pipeline.path(recipe, "preferences"), recipe.root, writing.Export("preferences", writing.AVEM, out))
    return out, files.sha256(out)


def _jobs(
    study: Study, settings: list[dpo_settings.DpoSettings], data: Mapping[str, tuple[Path, str]]
) -> Iterator[tuple[str, int, Job]]:
    """Every row's runs, all rows of the first seed first: name, seed, job."""
    from model_adapters.base.embedded import weights_folder
    from model_adapters.base.fingerprint import fingerprint

    base = weights_folder(settings[0].model)
    known = fingerprint(base)
    answered = program.built(study.place, study.split, study.answered, 0)
    place, world_key = study.place / "runs", files.sha256(answered / "emorealm_v1.json")[:8]
    shared: dict[str, Any] = {"answering": (), "base": base, "place": place, "world": answered}
    shared |= {"world_key": world_key, "device": settings[0].running.device}
    yield BASE, 0, Job(worker.key(known, "", None), "", None, None, **shared)
    for seeded in settings:
        for name, (path, content) in data.items():
            key = worker.key(known, content, seeded)
            root = str(study.place) if name != WORLD else ""  # the clips lie beside the records, or in a world below
            chosen = dataclasses.replace(seeded, data=path, out=place / key, root=root)
            yield name, seeded.seed, Job(key, "avem_dpo", seeded.seed, chosen, **shared)


_worker: list[Worker] = []
"""The one of this process: what runs share is loaded once."""


def _told(job: Job) -> str:
    """What is about to happen, for whoever waits."""
    if job.result.exists():
        return f"made already, {job.result}"
    doing = "trains and answers" if job.settings else "answers"
    return f"{doing}, for some minutes; {job.folder / worker.OUTPUT} tells how far it is"


def _made(job: Job) -> dict[str, Any]:
    """A run's scores, from its file or made now."""
    try:
        made = parse_json(read_bytes(job.result))
    except Unreadable:
        if not _worker:
            _worker.append(Worker(0))
        made = _worker[0].make(job)
    if "failed" in made:
        return {"failed": made["failed"]}
    scores = made["scores"]["full"]["strict"]
    return {"scores": scores, "steps": made.get("steps", 0), "seconds": made.get("seconds", 0.0)}


def _write(study: Study, record: Mapping[str, Any]) -> None:
    files.write_json(study.record, record)


def settings_from(overrides: list[str]) -> Study:
    """The study with `key=value` changes. Raises RecipeError."""
    chosen: Study = config.from_mapping(Study, config.changes(overrides))
    try:
        list(arm_names(chosen))
    except ValueError as error:
        raise RecipeError(f"noise must hold numbers from 0 to 1 ({error})") from None
    return chosen
