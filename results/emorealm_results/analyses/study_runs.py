"""The trainings of a study under an analysis: what is missing is trained as `avem-train study mini` would train it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avem_train import config
from avem_train.backbones.loading import evaluated_by
from avem_train.study import adapters
from avem_train.study.settings import Study
from avem_train.study.worker import Job
from emorealm_results.analyses import methods, plots, report, scoring
from emorealm_results.analyses.kinds import Analysis
from emorealm_results.analyses.sentences import AGAINST
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import stop

RECIPE = "study_mini"
BESIDE = (methods.BASE, "AVEm-DPO")
_PLACES = ("folder", "workers", "out")
_TASK = "emorealm_mini_analyse"
_BATCH = 32


def without_places(settings: Sequence[str]) -> list[str]:
    """The settings that change a result, to be told: others repeat the analysis in folders of their own."""
    return [setting for setting in settings if setting.partition("=")[0] not in _PLACES]


def plan(settings: Sequence[str]) -> tuple[Study, list[tuple[str, Job]]]:
    """A study's settings, and its methods with a training each; the embedded world becomes the study's.

    Stops where settings cannot be used.
    """
    try:
        content = config.read(RECIPE, list(settings))
        content.pop("program")
        study = config.from_mapping(Study, content)
        jobs = adapters.of(study)
    except config.RecipeError as error:
        stop(str(error))
    os.environ["EMOREALM_MINI"] = str(jobs[0][1].world)
    return study, jobs


def measure(
    study: Study, jobs: Sequence[tuple[str, Job]], kind: Analysis, rows: Sequence[Row], asked: Sequence[Row],
    seed: int, out: Path,
) -> dict[str, dict[int | None, list[Any]]]:  # fmt: skip
    """Train what is missing, and measure every training -> method -> seed -> the questions that could be measured."""
    failed = adapters.train(study, [job for _, job in jobs])
    measuring = kind.prepare(rows, seed)
    found: dict[str, dict[int | None, list[Any]]] = {}
    adapter: scoring.Adapter | None = None
    for name, job in jobs:
        if job.key in failed:
            continue
        path = out / f"scores_{job.key}.jsonl"
        if not scoring.is_complete(path, asked):
            adapter = adapter or _adapter(job)
            adapter.model.put(job.folder if job.settings else job.base)
            label = name if job.seed is None else f"{name}, seed {job.seed}"
            scoring.run(asked, measuring(adapter), path, label)
        whole = [kind.compact(one) for one in scoring.read(path, kind.holds) if not one["error"]]
        if not whole:
            stop(f"{path}: no question could be measured; mend that and delete the file")
        found.setdefault(name, {})[job.seed] = whole
    return found


def _adapter(job: Job) -> scoring.Adapter:
    """The base of all trainings; its weights are exchanged, and features of clips stay."""
    from avem_train.study.candidates import CANDIDATES

    name, device = evaluated_by(job.base), None if job.device == "auto" else job.device
    model = CANDIDATES[name](pretrained=str(job.base), device=device, batch_size=_BATCH, max_errors=0.0)
    return scoring.Adapter(name, model, _TASK, scoring.ways(name))


def write(out: Path, about: dict[str, Any], kind: Analysis, found: dict[str, dict[int | None, list[Any]]]) -> list[str]:
    """The report of all methods -> the names of its files. Raises OSError."""
    if kind.figures is None:
        raise ValueError("this analysis compares no methods")
    trainings = {name: len(of) for name, of in found.items()}
    about = about | {"study": {"settings": about["settings"], "trainings": trainings}, "model_args": list(found)}
    numbers = methods.report(found, kind.figures, BESIDE)
    metric = next(iter(numbers.values()))[0]["metric"]
    draw = plots.methods(metric, f"{metric}{AGAINST}{methods.BASE}")
    return report.write(out, about, numbers, draw, {}, {})
