"""One run of a study: train as a recipe says, examine the result, keep both. A worker process makes many.

torch and transformers are imported by the run, so that a mistake in a study shows at once.
A worker keeps what runs share: the model to train with the features of its clips, the examiner with those of its own,
and the frozen model's log-probabilities (in a folder of each worker's own, since two must not write one file).
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avem_train import config
from avem_train.dpo import settings as dpo_settings
from avem_train.study import record as study_record
from emorealm_tasks import files, interruption
from emorealm_tasks.untrusted import read_json

if TYPE_CHECKING:
    from avem_train.backbones.base import Backbone
    from avem_train.study.examiner import Examiner

OUTPUT = "output.txt"
VERSION = 1
"""Of what computes a run, beside what `key` names: raise it with every change to training, to the examiner or to the
embedded world's media that can change an answer by more than rounding; all runs are then made again. A hash of the
sources would throw hours of runs away for a comment. Runs that were kept before there was a version count as 1."""
_ADAPTERS = "adapter_model.safetensors"


class RunStopped(Exception):
    """A run that ended for a reason that others share; the message is the run's own last line."""


@dataclass(frozen=True)
class Job:
    """A run to make."""

    key: str
    """Names it, and its folder below `place`."""
    recipe: str
    """For the record."""
    seed: int | None
    """Of the training."""
    settings: dpo_settings.DpoSettings | None
    """Of the training; None = nothing is trained."""
    answering: tuple[str, ...]
    """Further model arguments of the harness."""
    base: Path
    """Folder of the weights to start from."""
    place: Path
    """Folder of all runs."""
    world: Path
    """The split to answer."""
    world_key: str
    """What its questions are known by."""
    device: str
    """auto or cpu."""
    parts: tuple[str, ...] = study_record.PARTS_ANSWERED
    """Of the examination."""
    examined: bool = True
    """Whether the result answers the questions too; False leaves a trained folder alone."""

    @property
    def trained(self) -> bool:
        """Whether there is nothing left to train."""
        return self.settings is None or (self.folder / _ADAPTERS).is_file()

    @property
    def folder(self) -> Path:
        """Where the run is kept."""
        return self.place / self.key

    @property
    def result(self) -> Path:
        """The finished run's record."""
        fewer = "" if self.parts == study_record.PARTS_ANSWERED else f"-{'-'.join(self.parts)}"
        return self.folder / f"examined-{self.world_key}{fewer}.json"


def key(base: str, data: str, settings: dpo_settings.DpoSettings | None, answering: tuple[str, ...] = ()) -> str:
    """What a run depends on, in 12 hex digits: weights, data (their sha256), settings that matter, way of answering,
    and the version of the code that computes it.
    """
    about: list[Any] = [base, list(answering)]
    if VERSION > 1:
        about.append({"version": VERSION})
    if settings is not None:
        changing = ("data", "out", "root", "running", "merge")
        plain = {name: value for name, value in config.decided(settings).items() if name not in changing}
        about += [data, plain, settings.running.mixed, settings.running.dtype]
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:12]


class Worker:
    """Makes runs one after the other. number: this worker's among those that work side by side."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._backbone: tuple[Path, Backbone] | None = None
        self._examiner: tuple[tuple[Any, ...], Examiner] | None = None

    def make(self, job: Job) -> dict[str, Any]:
        """Make a run; returns its record (see `record`), and with it the questions.

        A loss that is no number is an outcome, and comes back as `failed`. Raises RunStopped for anything else that
        ends a command.
        """
        from avem_train.dpo import run_folder

        run_folder.claim(job.folder, "folder=")
        with _output_to(job.folder / OUTPUT):
            record = {"recipe": job.recipe, "seed": job.seed, "answering": list(job.answering), "version": VERSION}
            if job.settings is not None:
                failed = self._train(job, job.settings)
                record |= _trained(job, failed)
                if failed or not job.examined:
                    return record
            record |= self._answers_of(job)
        files.write_json(job.result, record, indent=None)
        return record

    def _train(self, job: Job, settings: dpo_settings.DpoSettings) -> str:
        """Train, unless that is done; returns why that failed, "" if it did not."""
        from avem_train.dpo import train
        from avem_train.dpo.finite import LossNotFinite

        reference = job.place / "reference" / str(self.number)
        settings = replace(settings, running=replace(settings.running, reference=str(reference)))
        try:
            train.train(settings, None if job.trained else self._model(job))
        except LossNotFinite as error:
            return str(error)
        return ""

    def _model(self, job: Job) -> "Backbone":
        import torch

        from avem_train.backbones import loading
        from model_adapters.base import arguments

        if self._backbone is None or self._backbone[0] != job.base:
            if job.settings is None:
                raise ValueError(f"{job.key}: nothing is to be trained")
            running = job.settings.running
            if self._backbone:
                self._backbone[1].close()
            device = arguments.choose_device(None if job.device == "auto" else job.device, "avem-train")
            dtype = arguments.choose_dtype(running.dtype, device, "avem-train")
            loaded = loading.load(job.base, torch.device(device), dtype, int(running.feature_cache_gb * 2**30))
            self._backbone = job.base, loaded
        return self._backbone[1]

    def _answers_of(self, job: Job) -> dict[str, Any]:
        from avem_train.study.examiner import Examiner

        started = time.monotonic()
        setup = job.base, job.world, job.device, job.answering, job.parts
        if self._examiner is None or self._examiner[0] != setup:
            self.close_examiner()
            self._examiner = setup, Examiner(*setup)
        answers = self._examiner[1].answers(job.folder if job.settings is not None else None)
        return self._examiner[1].asked_with | {
            "questions": study_record.questions(answers["full"]),
            "scores": {part: study_record.scores(records) for part, records in answers.items()},
            "answers": {part: study_record.answers(records) for part, records in answers.items()},
            "examined_seconds": round(time.monotonic() - started, 1),
        }

    def close_examiner(self) -> None:
        """Free the examiner."""
        if self._examiner:
            self._examiner[1].close()
        self._examiner = None

    def close(self) -> None:
        """Free all that is cached."""
        self.close_examiner()
        if self._backbone:
            self._backbone[1].close()
        self._backbone = None


def _trained(job: Job, failed: str) -> dict[str, Any]:
    """What is recorded of a training: settings that decide, steps, seconds, its log in short."""
    from avem_train.dpo.run_folder import read_log

    recorded = ("objective", "negatives", "lora", "optimiser")
    settings = {name: asdict(getattr(job.settings, name)) for name in recorded}
    if failed:
        return {"settings": settings, "failed": failed}
    about = read_json(job.folder / "training.json", dict, "delete the run's folder, and it is made again")
    log = study_record.summary(read_log(job.folder / "log.jsonl"))
    return {"settings": settings, "steps": about["steps"], "seconds": about["seconds"], "log": log}


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """What a run prints goes to a file: several run at once, and a study shows one line for each."""
    with path.open("a", encoding="utf-8") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        try:
            yield
        except SystemExit as stopped:
            file.flush()
            printed = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
            raise RunStopped(printed[-1] if printed else f"it ended with status {stopped.code}") from stopped


_worker: Worker | None = None


def start_worker(numbers: Any) -> None:
    """Begin a worker process: one thread, since workers share the cores; `numbers` is a queue of their numbers."""
    global _worker
    interruption.follow_parent()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import torch
    from loguru import logger

    logger.remove()
    torch.set_num_threads(1)
    _worker = Worker(numbers.get())


def make(job: Job) -> dict[str, Any]:
    """In a worker process: make a run."""
    if _worker is None:
        raise RuntimeError("start_worker begins a worker process")
    return _worker.make(job)
