"""What every training is, whatever it trains on: claim the folder, load, train or go on, save, report.

transformers and PEFT are loaded by these functions, not by importing this.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from avem_train.backbones import loading
from avem_train.dpo.arguments import LIGER, training_arguments
from emorealm_tasks.errors import stop
from model_adapters.base import liger
from model_adapters.base.embedded import BASES, EMBEDDED

if TYPE_CHECKING:
    import torch
    from transformers import TrainerCallback, TrainingArguments

    from avem_train.backbones.base import Backbone
    from avem_train.dpo.evaluation import EvaluatingTrainer
    from avem_train.dpo.run_folder import RunFolder
    from avem_train.dpo.settings import TrainingSettings
    from avem_train.dpo.settings_parts import Evaluation
    from avem_train.dpo.termination import Termination
    from avem_train.harness.live import Benchmarks

    Settings = TypeVar("Settings", bound=TrainingSettings)


@dataclass(frozen=True)
class TrainResult:
    """What a training came to."""

    out: Path
    """The folder written."""
    steps: int
    """Updates made."""
    seconds: float
    """Of this call."""
    metrics: dict[str, float]
    """The last logged ones."""


def command(settings: "Settings", train: "Callable[[Settings, Termination], TrainResult]") -> None:
    """A program of `avem-train run`: train; what goes wrong with a record or a file ends in one line."""
    from avem_train.dpo import push

    push.check(settings)
    from avem_train.backbones.base import UnreadableMedium
    from avem_train.dpo.finite import LossNotFinite
    from avem_train.dpo.run_folder import last_checkpoint
    from avem_train.dpo.termination import Termination
    from model_adapters.base.arguments import launched

    termination = Termination()
    try:
        with termination.listening():
            result = train(settings, termination)
        if launched("RANK", 0, "avem-train") == 0:
            print(closing(result, settings.model), flush=True)
            if settings.push_to_hub:
                push.upload(settings)
    except LossNotFinite as error:
        _, checkpoint = last_checkpoint(settings.out)
        begins = f"goes on from {checkpoint}" if checkpoint else "begins again"
        data = ", ".join(map(str, settings.files))
        stop(
            f"{error}; the same command with optimiser.learning_rate below {settings.optimiser.learning_rate:g} "
            f"{begins}; where a record is at fault, take it out of {data} and name another out"
        )
    except UnreadableMedium as error:
        stop(str(error))


def closing(result: TrainResult, base: str) -> str:
    """The last line of a training: what it made, and how that is evaluated. base: what was trained."""
    tasks = "emorealm_mini" if base in (*EMBEDDED, *BASES) else "emorealm"  # embedded models know the miniature alone
    model = loading.evaluated_by(loading.find(base))
    evaluation = f"emorealm eval --tasks {tasks} --model {model} --model_args pretrained={result.out}"
    return (
        f"{result.out}: {result.steps} steps are done, {result.seconds / 60:.0f} min in this call; next: {evaluation}"
    )


def claimed(settings: "TrainingSettings", trained: "Callable[[TrainingArguments, Path], TrainResult]") -> TrainResult:
    """What `trained` makes of transformers' arguments and the model's folder; `out` is this process's own meanwhile."""
    from avem_train.dpo.run_folder import claim
    from emorealm_tasks import files

    check_benchmarks(settings.evaluation)
    claim(settings.out, writes=False)
    arguments = training_arguments(settings)
    model_folder = loading.find(settings.model)
    with files.locked(settings.out, "out=") if arguments.should_save else contextlib.nullcontext():
        return trained(arguments, model_folder)


def carry_out(
    folder: "RunFolder",
    arguments: "TrainingArguments",
    dtype: "torch.dtype",
    run: "Callable[[Backbone], dict[str, float]]",
    backbone: "Backbone | None" = None,
) -> TrainResult:
    """Train, unless the folder is finished, and write the result down.

    dtype: of the weights. run: trains, saves, and returns the scores of held-out records. backbone: a loaded model,
    which stays open; else the folder's is loaded, and closed at the end.
    """
    started, settings = time.monotonic(), folder.settings
    if (steps := folder.finished()) is not None:
        print(f"{settings.out} is trained already: {steps} steps; nothing to do", flush=True)
        return TrainResult(settings.out, steps, time.monotonic() - started, folder.last_metrics())
    running = settings.running
    cache_bytes = int(running.feature_cache_gb * 2**30)
    loaded = backbone or loading.load(folder.model_folder, arguments.device, dtype, cache_bytes, running.quantise)
    if running.liger:
        liger.apply(loaded.model, LIGER)
    folder.begin()  # only now: of a base that cannot be loaded nothing is left
    folder.note_answering(loaded.answering)
    try:
        held_out = run(loaded)
    finally:
        if backbone is None:
            loaded.close()
    if settings.merge and arguments.should_save:
        folder.merge(loaded.model.dtype)
    seconds = time.monotonic() - started
    steps = folder.finish(seconds, held_out)
    return TrainResult(settings.out, steps, seconds, folder.last_metrics())


def check_benchmarks(evaluation: "Evaluation") -> None:
    """Stop where a benchmark's test questions would choose the result, and that is not said; where a judge is set."""
    from emorealm_tasks import settings
    from emorealm_tasks.judge import dispatch
    from emorealm_tasks.mini.build import record

    judge = dispatch.mode(settings.load(), embedded=True)
    if "emer_mini" in evaluation.benchmarks and judge != "cues":
        stop(
            "evaluation.benchmarks: emer_mini is judged by its true cues while training, but the judge is set to "
            f"{judge}; set EMOREALM_JUDGE=cues for this training"
        )
    benchmark = evaluation.chosen_on
    if not benchmark or evaluation.choose_on_test:
        return
    world = settings.load().mini
    if benchmark.endswith("_mini") and record.built_with(world).get("split") != "validation":
        stop(
            f"evaluation.best={evaluation.best} would choose on the test questions of {world}; build others with "
            "emorealm-mini build --split validation --out DIR and set EMOREALM_MINI=DIR, or say "
            "evaluation.choose_on_test=true"
        )
    if not benchmark.endswith("_mini"):
        stop(
            f"evaluation.best={evaluation.best} would choose on the test questions of {benchmark}; choose by another "
            "score, or say evaluation.choose_on_test=true"
        )


def benchmarks(settings: "TrainingSettings", backbone: "Backbone") -> "Benchmarks | None":
    """What the model answers while it is trained; None where nothing is asked for."""
    evaluation = settings.evaluation
    if not evaluation.benchmarks:
        return None
    from avem_train.harness.live import Benchmarks

    return Benchmarks(backbone, settings.out, evaluation.benchmarks, evaluation.limit, 4 * settings.optimiser.batch)


def path(text: str) -> Path | None:
    """A file or folder that a setting names; None for "", none."""
    return Path(text).expanduser() if text else None


def callbacks(
    settings: "TrainingSettings", folder: "RunFolder", own: "Sequence[TrainerCallback | None]"
) -> list["TrainerCallback"]:
    """What a Trainer reports to, what ends it early, and `own` ones."""
    from avem_train.dpo import callbacks, evaluation

    done, _ = folder.last_checkpoint()
    reporting = callbacks.callbacks(settings, done) if folder.writes else []
    return [*reporting, *evaluation.callbacks(settings.evaluation), *(one for one in own if one)]


def fit(trainer: "EvaluatingTrainer", folder: "RunFolder", opening: Callable[[], str]) -> dict[str, float]:
    """Train from the last checkpoint on, save the result; returns its scores of held-out records."""
    from transformers import PrinterCallback

    from avem_train.dpo import evaluation

    _, checkpoint = folder.last_checkpoint()
    trainer.remove_callback(PrinterCallback)
    trainer.args.eval_on_start = trainer.eval_dataset is not None and checkpoint is None
    if folder.writes:
        print(opening(), flush=True)
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
        folder.save(trainer)
        held_out = evaluation.report(trainer, folder.settings.evaluation)
    finally:
        if trainer.benchmarks:
            trainer.benchmarks.close()
    if held_out and folder.writes:
        print(evaluation.line(folder.log(), held_out, folder.settings.evaluation.best), flush=True)
    return held_out
