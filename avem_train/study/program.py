"""`avem-train study mini`: every method trained from one base on the same data, every result examined, all kept.

Runs go side by side on the cores, one thread each. A finished run is never made again: its folder is named by all that
it depends on, and so is its place in the record, so a study that was stopped, or that gets a further section or more
seeds, goes on, on another machine too. `record` says what it leaves.
"""

import hashlib
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from avem_train import config
from avem_train.backbones.loading import evaluated_by
from avem_train.config import RecipeError
from avem_train.dpo import settings as dpo_settings
from avem_train.study import arms as study_arms
from avem_train.study import record as study_record
from avem_train.study import worker as study_run
from avem_train.study.arms import Arm
from avem_train.study.settings import Study
from avem_train.study.worker import Job
from emorealm_tasks import settings as roots
from emorealm_tasks.errors import stop
from emorealm_tasks.mini.build import record as build_record
from emorealm_tasks.mini.build.split import build, build_arguments, complete
from emorealm_tasks.mini.language import preferences
from model_adapters.base.embedded import weights_folder
from model_adapters.base.fingerprint import fingerprint

_MOST_WORKERS = 8


def run(study: Study) -> None:
    """The program `study`: build what is missing, make the runs that are missing, write the record after each.

    Raises RecipeError for settings that cannot be used, before anything is built.
    """
    try:
        rows = study_arms.rows(study.sections, study.choices)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    for arm in (arm for arms in rows.values() for arm in arms if arm.recipe):
        trainings(study, arm, Path("data"))  # a mistake in any of them shows now
    sections, jobs, about = plan(study, rows, study.place)
    record = study_record.resumed(study_record.read(study.file), about, study.file)
    study_record.add_sections(record, sections)
    _make(study, jobs, record)
    tables = f"tables and figure: emorealm study {study.file}"
    print(f"wrote {study.file}; the runs are kept in {study.place}; {tables}", flush=True)


def trainings(study: Study, arm: Arm, data: Path) -> list[dpo_settings.DpoSettings]:
    """The settings of a row's trainings, a seed each; `out` is not set yet. Raises RecipeError."""
    content = config.merged(config.read(arm.recipe, []), study.training)
    content = config.merged(content, config.changes(arm.changes))
    content.pop("program")
    content |= {"data": str(data), "out": "", "model": study.model}
    return [config.from_mapping(dpo_settings.DpoSettings, content | {"seed": seed}) for seed in range(study.seeds)]


def plan(
    study: Study, rows: Mapping[str, Sequence[Arm]], place: Path
) -> tuple[dict[str, Any], dict[str, Job], dict[str, Any]]:
    """What is to be done: the record's `sections`, the jobs by key (first seeds first), and its `about`.

    Builds the worlds that are missing.
    """
    base = weights_folder(study.model)
    if not (base / "config.json").is_file():
        stop(f"model={base}: there is no config.json in it; name a folder with whole weights")
    if (examined := evaluated_by(base)) not in study_arms.EXAMINED:
        stop(f"model={base}: a study examines {' and '.join(study_arms.EXAMINED)}, and this is a model of {examined}")
    print_of = fingerprint(base)
    world = built(place, study.split, study.clips, study.seed)
    seeds = sorted({study.preferences.drawn_from(seed) for seed in range(study.seeds)})
    build_data = partial(built, place, "train", study.preferences.clips)
    data = {(*kind, seed): build_data(seed, *kind) for kind in _kinds(study, rows) for seed in seeds}
    keys = {which: _content(folder) for which, folder in data.items()}
    device = str(study.training.get("running", {}).get("device", "auto"))
    shared = {"base": base, "place": place / "runs", "world": world, "world_key": _content(world)[:8], "device": device}
    shared["parts"] = tuple(study.parts)
    sections: dict[str, list[dict[str, Any]]] = {}
    jobs: dict[str, Job] = {}
    for section, arms in rows.items():
        sections[section] = []
        for arm in arms:
            arm_jobs = list(_jobs(study, arm, data, keys, print_of, shared))
            jobs |= {job.key: job for job in arm_jobs if job.key not in jobs}
            row = {name: getattr(arm, name) for name in ("name", "published", "axis", "value")}
            row["published"] = arm.published.replace(study_arms.BASE, study.published)
            sections[section].append(row | {"runs": [job.key for job in arm_jobs]})
    about = {
        "base": {"name": base.name, "fingerprint": print_of},
        "split": study.split,
        "world": build_record.built_with(world),
        "preferences": build_record.built_with(data[study.preferences.letters, False, seeds[0]])
        | ({"per_seed": True} if study.preferences.per_seed else {}),
        "training": study.training,
    }
    ordered = sorted(jobs.values(), key=lambda job: job.seed or 0)
    return sections, {job.key: job for job in ordered}, about


def _jobs(
    study: Study,
    arm: Arm,
    data: Mapping[tuple[float, bool, int], Path],
    keys: Mapping[tuple[float, bool, int], str],
    base: str,
    shared: Mapping[str, Any],
) -> Iterator[Job]:
    if not arm.recipe:
        key = study_run.key(base, "", None, arm.answering)
        yield Job(key, "", None, None, arm.answering, **shared)
        return
    letters = study.preferences.letters if arm.letters is None else arm.letters
    for seeded in trainings(study, arm, Path("data")):
        which = letters, arm.one_cue, study.preferences.drawn_from(seeded.seed)
        key = study_run.key(base, keys[which], seeded, arm.answering)
        settings = replace(seeded, data=data[which] / preferences.FILE, out=shared["place"] / key)
        yield Job(key, arm.recipe, settings.seed, settings, arm.answering, **shared)


def _kinds(study: Study, rows: Mapping[str, Sequence[Arm]]) -> list[tuple[float, bool]]:
    """Letters' share, and whether rejected clips differ in one cue, of every set of records that a row needs."""
    usual = study.preferences.letters
    of_rows = {(usual if arm.letters is None else arm.letters, arm.one_cue) for arms in rows.values() for arm in arms}
    return sorted({(usual, False), *of_rows})


def built(place: Path, split: str, clips: int, seed: int, letters: float | None = None, one_cue: bool = False) -> Path:
    """The folder of a split of the mini world; the one that the tasks look at, where it is that, else one in `place`.

    Builds it where it is missing or of an older version. Stops at numbers that no split can be built with.
    """
    of_records = [] if letters is None else [letters, *["one-cue"] * one_cue]
    world_folder = place / "worlds" / "-".join(map(str, (split, clips, seed, *of_records)))
    for folder in (roots.load().mini, world_folder):
        if (
            complete(folder)
            and not build_record.changed(folder)
            and build_record.built_with(folder) == build_arguments(split, clips, seed, letters, one_cue)
        ):
            return folder
    print(f"building {world_folder}", flush=True)
    try:
        build(world_folder, split, clips, seed, letters, one_cue)
    except ValueError as error:
        stop(f"the {split} world cannot be built: {error}")
    return world_folder


def _content(folder: Path) -> str:
    """A world by its content: the truth about its clips, and what is asked or taught about them."""
    digest = hashlib.sha256()
    for name in ("cues.json", "emorealm_v1.json", preferences.FILE):
        if (folder / name).exists():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _make(study: Study, jobs: Mapping[str, Job], record: dict[str, Any]) -> None:
    """Make every job's run, unless its result or the record has it already; the study is written after each."""
    names = {key: row["name"] for rows in record["sections"].values() for row in rows for key in row["runs"]}
    waiting = []
    for job in jobs.values():
        if job.result.is_file():
            study_record.add_run(record, job.key, study_record.read_run(job.result))
        elif not study_record.answers_all(record["runs"].get(job.key), job.parts):
            waiting.append(job)
    record["runs"] = {key: run for key, run in record["runs"].items() if key in names}
    study_record.write(study.file, record)
    print(f"{len(jobs)} runs, {len(jobs) - len(waiting)} of them kept from before", flush=True)
    started = time.monotonic()
    for number, (job, run) in enumerate(made_by(waiting, study.workers), start=1):
        study_record.add_run(record, job.key, run)
        study_record.write(study.file, record)
        minutes_left = (time.monotonic() - started) / number * (len(waiting) - number) / 60
        print(f"[{number}/{len(waiting)}] {_line(names[job.key], run)}; about {minutes_left:.0f} min to go", flush=True)


def made_by(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Jobs and their records as they come, made by processes side by side; one alone works in this process."""
    workers = min(workers or min(os.cpu_count() or 1, _MOST_WORKERS), len(jobs))
    if not jobs:
        return
    job = jobs[0]
    try:
        if workers <= 1:
            worker = study_run.Worker(0)
            for job in jobs:
                yield job, worker.make(job)
            worker.close()
            return
        spawn = multiprocessing.get_context("spawn")
        numbers = spawn.SimpleQueue()
        for number in range(workers):
            numbers.put(number)
        with ProcessPoolExecutor(workers, spawn, study_run.start_worker, (numbers,)) as pool:
            futures = {pool.submit(study_run.make, job): job for job in jobs}
            try:
                for future in as_completed(futures):
                    job = futures[future]
                    yield job, future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
    except study_run.RunStopped as stopped:
        stop(f"the run {job.key} of the study ended: {stopped}; see {job.folder / study_run.OUTPUT}")


def _line(name: str, run: Mapping[str, Any]) -> str:
    """A finished run in one line."""
    about = name if run["seed"] is None else f"{name}, seed {run['seed']}"
    if "failed" in run:
        return f"{about}: {run['failed']}"
    defined_scores = {
        score: value for score, value in run["scores"]["full"]["strict"]["group"].items() if value is not None
    }
    numbers = ", ".join(f"{score} {value:.1f}" for score, value in defined_scores.items())
    trained = f"trained in {run['seconds']:.0f} s, " if "seconds" in run else ""
    return f"{about}: {trained}examined in {run['examined_seconds']:.0f} s; {numbers}"
