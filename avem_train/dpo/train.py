"""Preference training from settings to a folder that the harness loads: `train`, and the program `preference`.

transformers and PEFT are loaded by `train`, not by importing this.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from avem_train.backbones import loading
from avem_train.data import checks, special_tokens
from avem_train.data import records as preference_records
from avem_train.dpo import start_report
from avem_train.dpo.settings import DpoSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, TrainingArguments

    from avem_train.backbones.base import Backbone
    from avem_train.dpo.dataset import PreferenceDataset
    from avem_train.dpo.reference_cache import CachedLogps
    from avem_train.dpo.run_folder import RunFolder
    from avem_train.dpo.termination import Termination


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


def run(settings: DpoSettings) -> None:
    """The program `preference`: train; what goes wrong with a record or a file ends in one line."""
    from avem_train.backbones.base import UnreadableMedium
    from avem_train.backbones.loading import evaluated_by, find
    from avem_train.dpo.finite import LossNotFinite
    from avem_train.dpo.run_folder import last_checkpoint
    from avem_train.dpo.termination import Termination
    from emorealm_tasks.errors import stop
    from model_adapters.base.arguments import launched

    termination = Termination()
    try:
        with termination.listening():
            result = train(settings, termination=termination)
        if launched("RANK", 0, "avem-train") == 0:
            print(closing(result, evaluated_by(find(settings.model))), flush=True)
    except LossNotFinite as error:
        _, checkpoint = last_checkpoint(settings.out)
        begins = f"goes on from {checkpoint}" if checkpoint else "begins again"
        stop(
            f"{error}; the same command with optimiser.learning_rate below {settings.optimiser.learning_rate:g} "
            f"{begins}; where a record is at fault, take it out of {settings.data} and name another out"
        )
    except UnreadableMedium as error:
        stop(str(error))


def closing(result: TrainResult, model: str) -> str:
    """The last line of a training: what it made, and how that is evaluated. model: its name in the harness."""
    command = f"emorealm eval --tasks emorealm --model {model} --model_args pretrained={result.out}"
    return f"{result.out}: {result.steps} steps are done, {result.seconds / 60:.0f} min in this call; next: {command}"


def train(
    settings: DpoSettings, backbone: "Backbone | None" = None, termination: "Termination | None" = None
) -> TrainResult:
    """Train as the settings say and write the result to `settings.out`; the same call again goes on where it was.

    A finished folder is left as it is. `backbone`: a loaded model to train on (that of `settings.model`); it comes back
    without adapters and unchanged, so that one process can train many times. `termination`: what ends it early. Stops
    (exit status 2) at records or folders that cannot be used; raises LossNotFinite, UnreadableMedium.
    """
    from avem_train.dpo.run_folder import claim
    from emorealm_tasks import files

    claim(settings.out, writes=False)
    arguments = training_arguments(settings)
    model_folder = loading.find(settings.model)
    with files.locked(settings.out, "out=") if arguments.should_save else contextlib.nullcontext():
        return _trained(settings, arguments, model_folder, backbone, termination)


def _trained(
    settings: DpoSettings,
    arguments: "TrainingArguments",
    model_folder: Path,
    backbone: "Backbone | None",
    termination: "Termination | None",
) -> TrainResult:
    """See `train`; the folder is this process's own."""
    from avem_train.dpo.run_folder import RunFolder
    from model_adapters.base.arguments import choose_dtype

    started = time.monotonic()
    root = Path(settings.root) if settings.root else None
    own_tokens = (
        special_tokens.of(backbone.processor)
        if backbone
        else special_tokens.of_folder(model_folder, loading.family(model_folder))
    )
    objective, negatives = settings.objective, settings.negatives
    needs = checks.Needs(
        negatives if objective.needs_rejected_media else None,
        objective.responses,
        own_tokens,
        replace(negatives, change="other") if objective.beta_irrelevant else None,
    )
    bad_records = checks.BadRecords(settings.out, settings.on_bad_record, prints=arguments.should_save)
    records = checks.load(settings.data, root, bad_records, needs)
    dtype = backbone.model.dtype if backbone else choose_dtype(settings.running.dtype, arguments.device, "avem-train")
    folder = RunFolder(settings, model_folder, len(records), arguments, dtype)
    if (steps := folder.finished()) is not None:
        print(f"{settings.out} is trained already: {steps} steps; nothing to do", flush=True)
        return TrainResult(settings.out, steps, time.monotonic() - started, folder.last_metrics())
    cache_bytes = int(settings.running.feature_cache_gb * 2**30)
    loaded = backbone or loading.load(model_folder, arguments.device, dtype, cache_bytes)
    folder.begin()  # only now: of a base that cannot be loaded nothing is left
    folder.note_answering(loaded.answering)
    try:
        _run(settings, arguments, records, loaded, folder, termination)
    finally:
        if backbone is None:
            loaded.close()
    if settings.merge and arguments.should_save:
        folder.merge(loaded.model.dtype)
    seconds = time.monotonic() - started
    steps = folder.finish(seconds)
    return TrainResult(settings.out, steps, seconds, folder.last_metrics())


def training_arguments(settings: DpoSettings) -> "TrainingArguments":
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
    settings: DpoSettings,
    arguments: "TrainingArguments",
    records: list[preference_records.Preference],
    backbone: "Backbone",
    folder: "RunFolder",
    termination: "Termination | None",
) -> None:
    """Train on a loaded model and save the adapters."""
    from peft.helpers import disable_input_dtype_casting
    from transformers import PrinterCallback

    from avem_train.dpo import callbacks
    from avem_train.dpo.dataset import PreferenceDataset
    from avem_train.dpo.trainer import PreferenceTrainer

    watch = (backbone.response("Yes")[0], backbone.response("No")[0])
    dataset = PreferenceDataset(
        records, settings.objective, settings.negatives, settings.seed, backbone, None, watch, settings.running.packed
    )
    dataset.cached = cached_logps(settings, arguments, dataset)
    done, checkpoint = folder.last_checkpoint()
    # autocast brings inputs and adapters to one dtype; cast by PEFT before, each adapter would keep its own input
    with adapters(settings, backbone) as model, disable_input_dtype_casting(model, arguments.bf16):
        reporting = callbacks.callbacks(settings, done) if arguments.should_save else []
        ending = [termination] if termination else []
        trainer = PreferenceTrainer(model, dataset, args=arguments, callbacks=[*reporting, *ending])
        trainer.remove_callback(PrinterCallback)
        if arguments.should_save:
            print(start_report.opening(settings, trainer), flush=True)
        trainer.train(resume_from_checkpoint=checkpoint)
        folder.save_adapters(trainer)


def cached_logps(
    settings: DpoSettings, arguments: "TrainingArguments", dataset: "PreferenceDataset"
) -> "CachedLogps | None":
    """The frozen model's values of every response, each process computing its share; None where they are to be live."""
    if not settings.running.keep_reference or settings.negatives.redraw:
        return None
    import torch
    from accelerate.utils import gather_object

    from avem_train.dpo.reference_cache import CachedLogps, compute_missing
    from emorealm_tasks import settings as roots

    place = Path(settings.running.reference) if settings.running.reference else roots.load().cache / "reference"
    precision = f"{dataset.backbone.model.dtype}{', computed in bfloat16' * arguments.bf16}"
    cached = CachedLogps(place, dataset.backbone, precision, arguments.process_index)
    groups = [one.all for one in dataset.responses(0)]
    rank_groups = groups[arguments.process_index :: arguments.world_size]
    with torch.autocast(arguments.device.type, torch.bfloat16, enabled=arguments.bf16):
        compute_missing(cached, dataset.backbone, rank_groups, 4 * settings.optimiser.batch, settings.running.packed)
    if arguments.world_size > 1:
        for part in gather_object([cached.by_key(response for group in rank_groups for response in group)]):
            cached.merge(part)
    return cached


def _checkpoint_activations(model: "PreTrainedModel") -> None:
    """Compute activations again in the backward pass; transformers 5.24 has a new name for it."""
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def _keep_activations(model: "PreTrainedModel") -> None:
    """The end of `_checkpoint_activations`."""
    if hasattr(model, "activation_checkpointing_disable"):
        model.activation_checkpointing_disable()
    else:
        model.gradient_checkpointing_disable()


@contextlib.contextmanager
def adapters(settings: DpoSettings, backbone: "Backbone") -> Iterator["PeftModel"]:
    """The backbone's model with fresh adapters and no dropout; without them again at the end."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    from avem_train.backbones.base import disable_dropout
    from avem_train.backbones.lora_targets import LINEARS

    set_seed(settings.seed)
    model = backbone.model.requires_grad_(False)
    disable_dropout(model)
    if settings.running.checkpointing:
        _checkpoint_activations(model)
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
            _keep_activations(model)
