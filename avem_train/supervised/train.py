"""Supervised training from settings to a folder that the harness loads: `train`, and the program `supervised`.

transformers and PEFT are loaded by `train`, not by importing this.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from avem_train.backbones import loading
from avem_train.data.bad_records import BadRecords
from avem_train.data.model_facts import ModelFacts
from avem_train.dpo import session
from avem_train.dpo.arguments import update_records
from avem_train.dpo.session import TrainResult
from avem_train.supervised.settings import SupervisedSettings

if TYPE_CHECKING:
    import torch
    from transformers import TrainingArguments

    from avem_train.backbones.base import Backbone
    from avem_train.dpo.run_folder import RunFolder
    from avem_train.dpo.termination import Termination
    from avem_train.supervised.trainer import SupervisedTrainer


def run(settings: SupervisedSettings) -> None:
    """The program `supervised`."""
    session.command(settings, train)


def train(settings: SupervisedSettings, termination: "Termination | None" = None) -> TrainResult:
    """Train as the settings say and write the result to `settings.out`; the same call again goes on where it was.

    A finished folder is left as it is. `termination`: what ends it early. Stops (exit status 2) at records or folders
    that cannot be used; raises LossNotFinite, UnreadableMedium.
    """
    return session.claimed(
        settings, lambda arguments, model_folder: _trained(settings, arguments, model_folder, termination)
    )


def _trained(
    settings: SupervisedSettings,
    arguments: "TrainingArguments",
    model_folder: Path,
    termination: "Termination | None",
) -> TrainResult:
    """See `train`; the folder is this process's own."""
    from avem_train.dpo.run_folder import RunFolder

    arguments.average_tokens_across_devices = True  # the mean is over the tokens of an update
    data, held_out = _data(settings, arguments, loading.facts(model_folder))
    dtype = _dtype(settings, arguments)
    folder = RunFolder(settings, model_folder, 0 if settings.stream else len(data), arguments, dtype)

    return session.carry_out(
        folder,
        arguments,
        dtype,
        lambda loaded: _run(settings, arguments, (data, held_out), loaded, folder, termination),
    )


def _dtype(settings: SupervisedSettings, arguments: "TrainingArguments") -> "torch.dtype":
    """Of the weights; all of them are trained in float32 where nothing else is asked for: small updates outlive it."""
    from model_adapters.base.arguments import choose_dtype

    everything = settings.stage == "instruction" and settings.trained == "all"
    name = "float32" if everything and settings.running.dtype == "auto" else settings.running.dtype
    return choose_dtype(name, arguments.device, "avem-train")


def _data(settings: SupervisedSettings, arguments: "TrainingArguments", model: ModelFacts) -> tuple[Any, Any]:
    """What is trained on, and the held-out conversations or None."""
    from avem_train.supervised import dataset

    bad = BadRecords(settings.out, settings.on_bad_record, prints=arguments.should_save)
    evaluation, look = settings.evaluation, settings.running.check_media
    held_out = None
    if evaluated := evaluation.file:
        root = session.path(evaluation.root)
        held_out = dataset.HeldConversations(dataset.held([evaluated], root, model, bad.of_held_out(), look))
    root = session.path(settings.root)
    if settings.stream:
        buffer = settings.running.buffer
        return dataset.stream(settings.files, root, model, bad, settings.mix, settings.seed, buffer), held_out
    return dataset.HeldConversations(dataset.held(settings.files, root, model, bad, look)), held_out


def _run(
    settings: SupervisedSettings,
    arguments: "TrainingArguments",
    data: tuple[Any, Any],
    backbone: "Backbone",
    folder: "RunFolder",
    termination: "Termination | None",
) -> dict[str, float]:
    """Train a loaded model and save what was trained."""
    from avem_train.supervised.trainable import trainable
    from avem_train.supervised.trainer import SupervisedTrainer

    with trainable(settings, backbone, arguments.bf16) as model:
        callbacks = session.callbacks(settings, folder, [termination])
        benchmarks = session.benchmarks(settings, backbone)
        given: dict[str, Any] = {"benchmarks": benchmarks, "args": arguments, "callbacks": callbacks}
        trainer = SupervisedTrainer(model, settings, backbone, *data, **given)
        return session.fit(trainer, folder, lambda: opening(settings, trainer))


def opening(settings: SupervisedSettings, trainer: "SupervisedTrainer") -> str:
    """What trains, on how much, for how long."""
    from avem_train.backbones.base import encoders

    modules = (trainer.model, *encoders(trainer.backbone))
    every = {id(one): one.numel() for module in modules for one in module.parameters()}
    count = sum(one.numel() for one in trainer.trained)
    what = "projectors" if settings.stage == "projectors" else "language model"
    if not settings.whole:
        what = f"LoRA, rank {settings.lora.rank}"
    what += " and projectors" if settings.projectors and settings.stage == "instruction" else ""
    arguments = trainer.args
    update = update_records(arguments)
    records, steps = "a stream of conversations", settings.optimiser.steps
    if trainer.sampler is not None:
        records = f"{trainer.sampler.records:,} conversations"
        steps = steps or settings.optimiser.epochs * -(-trainer.sampler.records // update)
    return (
        f"training {count:,} of {sum(every.values()):,} parameters ({what}) on {records}: {steps:,} steps of {update} "
        f"conversations on {arguments.device} -> {settings.out}"
    )
