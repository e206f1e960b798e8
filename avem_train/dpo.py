"""Preference training from settings to a folder that the harness loads: `train`, and the program `preference`.

transformers and PEFT are loaded by `train`, not by importing this.
"""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from avem_train import preferences
from avem_train.negatives import Negatives
from avem_train.objectives import Objective

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import TrainingArguments

    from avem_train.backbone import Backbone
    from avem_train.reference import KeptLogps
    from avem_train.run_folder import RunFolder
    from avem_train.trainer import Lesson

EMBEDDED = "avere_nano"
SCHEDULES = ("linear", "cosine", "cosine_with_restarts", "constant", "constant_with_warmup", "inverse_sqrt")
"""The schedules of transformers that need no setting besides the learning rate and the steps."""


@dataclass(frozen=True)
class Lora:
    """The adapters, on every linear layer of the language model and nowhere else.

    rank, alpha: an update is alpha / rank x B A. Section C.3 says "rank 8 and scale 4"; read as that factor, hence
    alpha 32 (as lora_alpha itself it would be 4).
    """

    rank: int = 8
    alpha: int = 32

    def __post_init__(self) -> None:
        if min(self.rank, self.alpha) < 1:
            raise ValueError(f"lora: rank and alpha must be at least 1, got {self.rank} and {self.alpha}")


@dataclass(frozen=True)
class Optimiser:
    """AdamW and its schedule (Section C.3).

    batch: records a process takes at once. accumulation: batches an update. epochs, or steps where above 0. schedule:
    one of SCHEDULES. warm_up: share of the steps, 0 to below 1. clip: the gradient's norm at most, 0 = no limit.

    Raises ValueError for a setting outside what is said here.
    """

    learning_rate: float = 5e-7
    epochs: int = 1
    steps: int = 0
    batch: int = 2
    accumulation: int = 4
    schedule: str = "linear"
    warm_up: float = 0.1
    weight_decay: float = 0.0
    clip: float = 1.0

    def __post_init__(self) -> None:
        if min(self.batch, self.accumulation, self.epochs) < 1 or self.steps < 0 or not 0 <= self.warm_up < 1:
            raise ValueError(
                "optimiser: batch, accumulation and epochs must be at least 1, steps at least 0, warm_up in [0, 1)"
            )
        if not 0 < self.learning_rate < math.inf or not min(self.weight_decay, self.clip) >= 0:
            raise ValueError(
                "optimiser: learning_rate must be above 0, weight_decay and clip at least 0; got "
                f"{self.learning_rate}, {self.weight_decay}, {self.clip}"
            )
        if self.schedule not in SCHEDULES:
            raise ValueError(f"optimiser.schedule {self.schedule!r}: one of {', '.join(SCHEDULES)}")


@dataclass(frozen=True)
class Running:
    """What changes speed and memory, not the result (beyond rounding).

    device: auto, cpu. dtype: of the weights, auto (bfloat16 on a GPU, else float32), bfloat16, float32. mixed: compute
    in bfloat16 on float32 weights (faster on a CPU that can). packed: common beginnings once.
    keep_reference: compute the frozen model's log-probabilities once and keep them in `reference` ("" = the settings'
    cache). checkpointing: recompute activations. feature_cache_gb: host memory for features of clips. save_every: steps
    between checkpoints, 0 = none. log_every: steps between logs. tensorboard: write its files too.
    """

    device: str = "auto"
    dtype: str = "auto"
    mixed: bool = False
    packed: bool = True
    keep_reference: bool = True
    reference: str = ""
    checkpointing: bool = False
    feature_cache_gb: float = 4.0
    save_every: int = 50
    log_every: int = 1
    tensorboard: bool = True

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu") or self.dtype not in ("auto", "bfloat16", "float32"):
            raise ValueError("running: device must be auto or cpu, dtype auto, bfloat16 or float32")
        if self.save_every < 0 or self.log_every < 1 or not 0 <= self.feature_cache_gb < math.inf:
            raise ValueError("running: log_every must be at least 1, save_every and feature_cache_gb at least 0")


@dataclass(frozen=True)
class Settings:
    """A preference training.

    data: records (see `preferences`). out: folder to write. model: a folder, avere_nano, the embedded model, or a hub
    id org/name. root: folder that the records' paths start from ("" = the data's). seed: 0 to 2**32 - 1. merge: write
    whole weights beside the adapter. on_bad_record: stop or skip.
    """

    data: Path
    out: Path
    model: str = EMBEDDED
    root: str = ""
    seed: int = 0
    merge: bool = False
    on_bad_record: str = "stop"
    objective: Objective = field(default_factory=Objective)
    negatives: Negatives = field(default_factory=Negatives)
    lora: Lora = field(default_factory=Lora)
    optimiser: Optimiser = field(default_factory=Optimiser)
    running: Running = field(default_factory=Running)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 to 2**32 - 1, got {self.seed}")
        if self.on_bad_record not in preferences.ON_BAD_RECORD:
            raise ValueError(f"on_bad_record {self.on_bad_record!r}: one of {', '.join(preferences.ON_BAD_RECORD)}")


@dataclass(frozen=True)
class TrainResult:
    """out: the folder written. steps: updates made. seconds: of this call. metrics: the last logged ones."""

    out: Path
    steps: int
    seconds: float
    metrics: dict[str, float]


def run(settings: Settings) -> None:
    """The program `preference`: train; what goes wrong with a record or a file ends in one line."""
    from avem_train.backbone import UnreadableMedium
    from avem_train.trainer import LossNotFinite
    from emorealm_tasks.errors import stop

    try:
        train(settings)
    except (LossNotFinite, UnreadableMedium) as error:
        stop(str(error))


def train(settings: Settings, backbone: "Backbone | None" = None) -> TrainResult:
    """Train as the settings say and write the result to `settings.out`; the same call again goes on where it was.

    A finished folder is left as it is. `backbone`: a loaded model to train on (that of `settings.model`); it comes back
    without adapters and unchanged, so that one process can train many times. Stops (exit status 2) at records or
    folders that cannot be used; raises LossNotFinite, UnreadableMedium.
    """
    from avem_train import backbone as backbones
    from avem_train.run_folder import RunFolder
    from model_adapters.arguments import choose_dtype

    started = time.monotonic()
    arguments = training_arguments(settings)
    model_folder = backbones.find(settings.model)
    negatives = settings.negatives if settings.objective.lambda_av else None
    root = Path(settings.root) if settings.root else None
    records = preferences.load(
        settings.data,
        root,
        settings.out,
        settings.on_bad_record,
        negatives,
        settings.objective.responses,
        first=arguments.should_save,
    )
    dtype = backbone.model.dtype if backbone else choose_dtype(settings.running.dtype, arguments.device, "avem-train")
    folder = RunFolder(settings, model_folder, len(records), arguments, dtype)
    if (steps := folder.finished()) is not None:
        print(f"{settings.out} is trained already: {steps} steps; nothing to do", flush=True)
        return TrainResult(settings.out, steps, time.monotonic() - started, folder.last_metrics())
    folder.begin()
    cache_bytes = int(settings.running.feature_cache_gb * 2**30)
    loaded = backbone or backbones.load(model_folder, arguments.device, dtype, cache_bytes)
    try:
        _run(settings, arguments, records, loaded, folder)
    finally:
        if backbone is None:
            loaded.close()
    if settings.merge and arguments.should_save:
        folder.merge(loaded.model.dtype)
    seconds = time.monotonic() - started
    steps = folder.finish(seconds, loaded.answering)
    return TrainResult(settings.out, steps, seconds, folder.last_metrics())


def training_arguments(settings: Settings) -> "TrainingArguments":
    """The settings as transformers' arguments; starts the process group where there are several processes."""
    import torch
    from transformers import TrainingArguments

    optimiser, running = settings.optimiser, settings.running
    cpu = running.device == "cpu" or not torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(settings.out / "checkpoints"),
        per_device_train_batch_size=optimiser.batch,
        gradient_accumulation_steps=optimiser.accumulation,
        num_train_epochs=optimiser.epochs,
        max_steps=optimiser.steps or -1,
        learning_rate=optimiser.learning_rate,
        lr_scheduler_type=optimiser.schedule,
        warmup_steps=optimiser.warm_up,
        weight_decay=optimiser.weight_decay,
        max_grad_norm=optimiser.clip,
        logging_steps=running.log_every,
        save_strategy="steps" if running.save_every else "no",
        save_steps=running.save_every or 500,
        save_total_limit=2,
        bf16=running.mixed or running.dtype == "bfloat16" or (running.dtype == "auto" and not cpu),
        use_cpu=cpu,
        seed=settings.seed,
        data_seed=settings.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=False,
        average_tokens_across_devices=False,
        report_to=[],
        disable_tqdm=True,  # `report.Bar` instead
    )
    # one process drives one GPU: with several in sight transformers would split batches, which are records here
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _run(
    settings: Settings,
    arguments: "TrainingArguments",
    records: list[preferences.Preference],
    backbone: "Backbone",
    folder: "RunFolder",
) -> None:
    """Train on a loaded model and save the adapters."""
    from transformers import PrinterCallback

    from avem_train import report
    from avem_train.trainer import Lesson, PreferenceTrainer

    watch = (backbone.response("Yes")[0], backbone.response("No")[0])
    lesson = Lesson(
        records, settings.objective, settings.negatives, settings.seed, backbone, None, watch, settings.running.packed
    )
    lesson.kept = kept_values(settings, arguments, lesson)
    done, checkpoint = folder.last_checkpoint()
    with adapters(settings, backbone) as model:
        told = report.callbacks(settings, done) if arguments.should_save else []
        trainer = PreferenceTrainer(model, lesson, args=arguments, callbacks=told)
        trainer.remove_callback(PrinterCallback)
        if arguments.should_save:
            print(report.opening(settings, trainer), flush=True)
        trainer.train(resume_from_checkpoint=checkpoint)
        folder.save_adapters(trainer)


def kept_values(settings: Settings, arguments: "TrainingArguments", lesson: "Lesson") -> "KeptLogps | None":
    """The frozen model's values of every reply, each process computing its share; None where they are to be live."""
    if not settings.running.keep_reference or settings.negatives.redraw:
        return None
    import torch
    from accelerate.utils import gather_object

    from avem_train.reference import KeptLogps, fill
    from emorealm_tasks import settings as roots

    place = Path(settings.running.reference) if settings.running.reference else roots.load().cache / "reference"
    precision = f"{lesson.backbone.model.dtype}{', computed in bfloat16' * arguments.bf16}"
    kept = KeptLogps(place, lesson.backbone, precision, arguments.process_index)
    groups = [one.all for one in lesson.replies(0)]
    mine = groups[arguments.process_index :: arguments.world_size]
    with torch.autocast(arguments.device.type, torch.bfloat16, enabled=arguments.bf16):
        fill(kept, lesson.backbone, mine, 4 * settings.optimiser.batch, settings.running.packed)
    if arguments.world_size > 1:
        for part in gather_object([kept.of(reply for group in mine for reply in group)]):
            kept.take(part)
    return kept


@contextlib.contextmanager
def adapters(settings: Settings, backbone: "Backbone") -> Iterator["PeftModel"]:
    """The backbone's model with fresh adapters and no dropout; without them again at the end."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    from avem_train.backbone import LINEARS, still

    set_seed(settings.seed)
    model = backbone.model.requires_grad_(False)
    still(model)
    if settings.running.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    config = LoraConfig(
        r=settings.lora.rank,
        lora_alpha=settings.lora.alpha,
        target_modules=LINEARS,
        base_model_name_or_path=str(backbone.folder),
    )
    adapted = get_peft_model(model, config)
    try:
        yield adapted
    finally:
        adapted.unload()
        if settings.running.checkpointing:
            model.gradient_checkpointing_disable()
