"""What preference and supervised training share of a Trainer: order of records, what is logged, saving, going on."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from avem_train.dpo.ahead import Ahead, InOrder
from avem_train.dpo.dataset import EpochSampler
from avem_train.dpo.evaluation import EvaluatingTrainer
from avem_train.dpo.finite import Finite, check_adapters
from avem_train.dpo.micro_batches import Extents
from avem_train.dpo.model_card import settle
from avem_train.dpo.operations import of_model
from avem_train.dpo.throughput import Throughput, device_peak
from emorealm_tasks.errors import stop

if TYPE_CHECKING:
    from avem_train.backbones.base import Backbone
    from avem_train.dpo.settings_parts import Computing
    from avem_train.harness.live import Benchmarks


class MetricMeans:
    """Means of logged values over records, also over those of other processes."""

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}

    def update(self, values: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor], real: torch.Tensor) -> None:
        """Add values (batch,) of the records that are `real` and, where `masks` has the name, in its mask (batch,)."""
        for name, value in values.items():
            use = real & masks[name] if name in masks else real
            pair = torch.stack([value.masked_fill(~use, 0).sum().double(), use.sum().double()])
            self.sums[name] = self.sums[name] + pair if name in self.sums else pair

    def compute(self, accelerator: Any) -> dict[str, float]:
        """Means since the last call, of names that any record had."""
        names = sorted(self.sums)
        if not names:
            return {}
        total = accelerator.reduce(torch.stack([self.sums[name] for name in names]), "sum").tolist()
        self.sums = {}
        return {name: value / count for name, (value, count) in zip(names, total, strict=True) if count}


class SetEpoch(TrainerCallback):
    """Sets the sampler's epoch when one begins.

    accelerate and transformers do so through what wraps a sampler, but not where a run of several processes goes on in
    the middle of an epoch: that epoch would have the order of the first.
    """

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """`state.epoch` is the share of epochs done, the one that a run goes on in included."""
        self.sampler.set_epoch(int(state.epoch or 0))


class BaseTrainer(EvaluatingTrainer, ABC):
    """See the module's docstring. sampler: the order of the records; None for a stream, which has its own."""

    model: Any
    sampler: EpochSampler | None

    def __init__(
        self,
        sampler: EpochSampler | None,
        backbone: "Backbone",
        running: "Computing",
        collate: Callable[[Sequence[Any]], dict[str, Any]],
        benchmarks: "Benchmarks | None" = None,
        **kwargs: Any,
    ) -> None:
        """collate: samples -> a batch with an `Ahead` as "ahead"."""
        if benchmarks and kwargs["eval_dataset"] is None:
            kwargs["eval_dataset"] = []  # transformers evaluates nothing without a data set
        super().__init__(data_collator=InOrder(collate), **kwargs)
        self.sampler, self.backbone, self.collate = sampler, backbone, collate
        self.benchmarks, self.token_limit = benchmarks, running.max_tokens_per_micro_batch
        self.extents = Extents(backbone)
        sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled
        if sharded and self.token_limit:
            stop("running.max_tokens_per_micro_batch: processes that share a model compute as many batches each; use 0")
        if sharded and benchmarks:
            stop("evaluation.benchmarks: a sharded model cannot answer; evaluate its checkpoints, or do not shard")
        self.metrics = MetricMeans()
        self.throughput = _throughput(self.model, self.args, running.peak_flops)
        if sampler is not None:
            self.add_callback(SetEpoch(sampler))
        self.finite = Finite()
        self.add_callback(self.finite)

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> EpochSampler | None:
        return self.sampler

    @abstractmethod
    def micro_batches(self, inputs: dict[str, Any], limit: int) -> list[dict[str, Any]]:
        """A collated share of an update in parts of at most `limit` tokens, whose losses add up to that of the share.

        What fills the update up is left out, unless there is nothing else.
        """

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """As transformers', in micro-batches where their tokens are limited; timed from the first one on.

        Behind it, while the device is at work, what can be made of the next batch is. Not of one that is divided later.
        """
        self.throughput.start()
        ahead: Ahead[Any] = inputs["ahead"]
        for one in ahead.collated():
            one.read()
        parts = [inputs] if not self.token_limit else self.micro_batches(inputs, self.token_limit)
        losses = []
        for part in parts:
            together = contextlib.nullcontext() if part is parts[-1] else self.accelerator.no_sync(model)
            with together:
                losses.append(super().training_step(model, part, num_items_in_batch))
        if ahead.following and not self.token_limit:
            ahead.following.made()
        return torch.stack(losses).sum()

    def evaluate(self, *given: Any, **more: Any) -> dict[str, float]:
        """As the base, beside the time of training."""
        with self.throughput.paused():
            return super().evaluate(*given, **more)

    def _save_checkpoint(self, *given: Any, **more: Any) -> None:
        """As transformers', beside the time of training."""
        with self.throughput.paused():
            super()._save_checkpoint(*given, **more)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add how fast the steps since the last log were."""
        super().log(logs | self.throughput.take(self.accelerator) if "loss" in logs else logs, start_time)

    def note_losses(self, identifiers: Sequence[str], losses: torch.Tensor) -> None:
        """See `Finite.note`. Raises LossNotFinite at once where DeepSpeed makes the update within the backward pass."""
        self.finite.note(identifiers, losses)
        if self.is_deepspeed_enabled:
            self.finite.check(self.state.global_step + 1)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """As transformers', for a checkpoint too. Raises LossNotFinite for weights that are NaN or infinite."""
        check_adapters(self.model, self.state.global_step)
        super().save_model(output_dir, _internal_call)
        if self.args.should_save:
            settle(Path(output_dir or str(self.args.output_dir)), self.backbone.folder)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """As transformers', but at the learning rate of now: a training may go on with a lower one."""
        super()._load_optimizer_and_scheduler(checkpoint)
        _set_rate(self.optimizer, self.lr_scheduler, self.args.learning_rate)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted from here: a batch's tokens are known only once it is packed (`throughput`)."""
        return 0


def _throughput(model: Any, arguments: TrainingArguments, peak_flops: float) -> Throughput:
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    adapters = sum(parameter.numel() for name, parameter in trained if "lora_" in name)
    table = model.get_input_embeddings().weight
    whole = bool(table.requires_grad)
    half = arguments.bf16 or table.dtype == torch.bfloat16
    counted = of_model(model.config.get_text_config(), adapters, whole)
    return Throughput(counted, peak_flops or device_peak(arguments.device, half))


def _set_rate(optimiser: Any, schedule: Any, rate: float) -> None:
    """Let a schedule that was loaded go on from a peak learning rate, which may be another than it had."""
    inner = getattr(schedule, "scheduler", schedule)  # accelerate wraps it
    old_rate = inner.base_lrs[0]
    if rate == old_rate:
        return
    inner.base_lrs = [rate] * len(inner.base_lrs)
    inner._last_lr = [last * rate / old_rate for last in inner._last_lr]
    for group in optimiser.param_groups:
        group["initial_lr"] = rate
        group["lr"] *= rate / old_rate
