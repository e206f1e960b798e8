"""What a training will take, printed before it begins: steps, tokens, parameters, memory."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from avem_train.backbones.base import encoders
from avem_train.data.records import MODALITIES
from avem_train.dpo import memory_estimate, model_inputs
from avem_train.packing import tree

if TYPE_CHECKING:
    from avem_train.dpo.dataset import PreferenceDataset
    from avem_train.dpo.settings import DpoSettings
    from avem_train.dpo.trainer import PreferenceTrainer


_SAMPLE = 8


def opening(settings: "DpoSettings", trainer: "PreferenceTrainer") -> str:
    """What trains, on how much, for how long, in about how much memory."""
    dataset, arguments = trainer.dataset, trainer.args
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in parameters(trainer))
    packed, plain = tokens(dataset, True), tokens(dataset, False)
    update = trainer.sampler.update
    steps = settings.optimiser.steps or settings.optimiser.epochs * -(-len(dataset.records) // update)
    a_record = packed if dataset.packing.share else plain
    records = _records_at_once(settings, trainer)
    most = needed(settings, trainer, memory_estimate.largest(dataset, records))
    return (
        f"training {trained:,} of {total:,} parameters (LoRA, rank {settings.lora.rank}) on {len(dataset.records):,} "
        f"records: {steps:,} steps of {update} records, about {a_record * update:,.0f} tokens each "
        f"({plain / a_record:.1f}x less than one row a response), about "
        f"{size(most.total)} on {arguments.device} -> {settings.out}{_without_media(dataset)}"
    )


def _without_media(dataset: "PreferenceDataset") -> str:
    """A line on the records that keep the preference of responses alone; "" where there is none."""
    if not dataset.objective.needs_rejected_media:
        return ""
    lacking = [
        record
        for record, one in zip(dataset.records, dataset.responses(0), strict=True)
        if not one.has_rejected_media and not set(MODALITIES[record.modality]) & set(record.taken)
    ]
    if not lacking:
        return ""
    return (
        f"\n{len(lacking):,} of the {len(dataset.records):,} records ask about {lacking[0].modality}, which this model "
        "does not take: they have no rejected media, and keep the preference of responses alone"
    )


def tokens(dataset: "PreferenceDataset", packed: bool) -> float:
    """Tokens of the policy's rows for a record, on average over the first records."""
    count = 0
    records = dataset.responses(0)[:_SAMPLE]
    for one in records:
        responses = list(dict.fromkeys(one.media.values()))
        with torch.no_grad():
            dataset.backbone.encode([response.sources for response in responses])
        rows = tree.rows(model_inputs.sequences(dataset.backbone, responses).tokens, packed)
        count += sum(len(row.tokens) for row in rows)
    return count / len(records)


def _records_at_once(settings: "DpoSettings", trainer: "PreferenceTrainer") -> int:
    """Of the longest records, on a process."""
    limit, most = settings.running.max_tokens_per_micro_batch, trainer.args.train_batch_size
    if not limit:
        return most
    return min(most, max(1, limit // memory_estimate.largest(trainer.dataset, 1).tokens))


def size(number: float) -> str:
    """A number of bytes in the unit that suits it."""
    unit, name = (2**30, "GiB") if number >= 2**30 else (2**20, "MiB")
    return f"{number / unit:.1f} {name}"


def parameters(trainer: "PreferenceTrainer") -> Iterator[torch.nn.Parameter]:
    """Of the model with its adapters, and of the encoders beside it."""
    for module in (trainer.model, *encoders(trainer.dataset.backbone)):
        yield from module.parameters()


def needed(
    settings: "DpoSettings", trainer: "PreferenceTrainer", batch: memory_estimate.Batch
) -> memory_estimate.Memory:
    """What the training takes with batches of that size."""
    model_parameters = list(parameters(trainer))
    running = memory_estimate.ComputeOptions(
        settings.lora.rank,
        half=trainer.args.bf16,
        half_weights=trainer.dataset.backbone.model.dtype == torch.bfloat16,
        on_cpu=trainer.args.device.type == "cpu",
        checkpointing=settings.running.checkpointing,
    )
    return memory_estimate.estimate(trainer.model.config.get_text_config(), model_parameters, batch, running)
