"""`transformers.Trainer` on conversations: the mean loss over the answers' tokens of an update, and what is logged."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import Dataset

from avem_train.backbones.base import Backbone, weights_beside
from avem_train.dpo.evaluation import EvaluatingTrainer
from avem_train.dpo.finite import Finite, LossNotFinite, check_adapters
from avem_train.dpo.model_card import settle
from avem_train.dpo.trainer import MetricMeans, SetEpoch, lower_rate
from avem_train.supervised.dataset import Example, HeldConversations, MixedSampler, collator
from avem_train.supervised.loss import Losses, losses

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from avem_train.supervised.settings import SupervisedSettings


class SupervisedTrainer(EvaluatingTrainer):
    """See the module's docstring. `model` is the backbone's, with adapters or with weights of its own to train."""

    model: Any

    def __init__(
        self,
        model: nn.Module,
        settings: "SupervisedSettings",
        backbone: Backbone,
        data: Any,
        held_out: HeldConversations | None,
        **kwargs: Any,
    ) -> None:
        """data: HeldConversations, or a Stream of examples."""
        arguments: TrainingArguments = kwargs["args"]
        self.sampler = _sampler(settings, arguments, data) if isinstance(data, HeldConversations) else None
        given: dict[str, Any] = {"train_dataset": data, "eval_dataset": held_out, "data_collator": collator(backbone)}
        processor = backbone.processor if settings.whole else None  # beside whole weights
        super().__init__(model=model, processing_class=processor, **given, **kwargs)
        if self.sampler is not None:
            self.add_callback(SetEpoch(self.sampler))
        self.add_callback(Finite())
        self.settings, self.backbone = settings, backbone
        self.metrics = MetricMeans()
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._tokens, self._since = 0, time.monotonic()
        self.model_accepts_loss_kwargs = True  # `compute_loss` divides by the targets of the whole update

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> MixedSampler | None:
        return self.sampler

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The batch's share in the mean loss over the tokens of an update, a scalar."""
        examples: list[Example] = inputs["examples"]
        found = self._losses(model, examples)
        real = self._real(examples, found)
        self._update_metrics(examples, found)
        self._tokens += found.tokens
        count = (inputs["labels"] != -100).sum() if num_items_in_batch is None else num_items_in_batch
        loss = (found.nll * real).sum() * self.args.world_size / count
        # every weight has a gradient, also those of a projector that this batch has no medium for
        return loss + sum(parameter.sum() * 0.0 for parameter in self._projectors())

    def _losses(self, model: nn.Module, examples: Sequence[Example]) -> Losses:
        running = self.settings.running
        conversations = [one.conversation for one in examples]
        found = losses(model, self.backbone, conversations, running.packed, running.row_tokens)
        finite = found.nll.isfinite()
        if not finite.all():
            bad = dict.fromkeys(conversations[number].id for number in found.owner[~finite].tolist())
            names = ", ".join(map(repr, bad))
            raise LossNotFinite(f"the loss of record {names} is no number at step {self.state.global_step + 1}")
        return found

    def _projectors(self) -> list[nn.Parameter]:
        return self.trained if self.settings.trains_projectors else []

    def _real(self, examples: Sequence[Example], found: Losses) -> torch.Tensor:
        """Which of the targets count, (targets,) of 0 and 1."""
        return torch.tensor([float(one.real) for one in examples], device=found.nll.device)[found.owner]

    def _update_metrics(self, examples: Sequence[Example], found: Losses) -> None:
        """Add the loss and accuracy of every token that counts to what the next log holds."""
        values = {"loss": found.nll.detach(), "accuracy": found.right.float()}
        self.metrics.update(values, {}, self._real(examples, found) > 0)

    def held_out_means(self, model: nn.Module) -> dict[str, float]:
        """Loss, perplexity and accuracy over all tokens of the held-out answers."""
        data: Any = self.eval_dataset
        trained, self.metrics = self.metrics, MetricMeans()
        collate = self.data_collator
        for samples in self.batches(len(data)):
            examples = [data[sample] for sample in samples]
            collate(examples)
            self._update_metrics(examples, self._losses(model, examples))
        means = self.metrics.compute(self.accelerator)
        self.metrics = trained
        return means | {"perplexity": float(torch.tensor(means["loss"]).exp())}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the accuracy since the last log, and the tokens that all processes read a second."""
        if "loss" in logs:
            means = self.metrics.compute(self.accelerator)
            means.pop("loss")
            now, tokens = time.monotonic(), torch.tensor(self._tokens, device=self.args.device)
            total = float(self.accelerator.reduce(tokens, "sum"))
            logs |= means | {"tokens_per_second": round(total / max(now - self._since, 1e-9), 1)}
            self._tokens, self._since = 0, now
        super().log(logs, start_time)
        if any(name.startswith("eval_") for name in logs):
            self._since = time.monotonic()  # an evaluation is no training

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """As transformers'; whole weights with those of the encoders that stand beside them."""
        if self.settings.whole and self.args.should_save:
            state_dict = (state_dict or self.model.state_dict()) | weights_beside(self.backbone)
        super()._save(output_dir, state_dict)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Without a word about the encoders, which a checkpoint holds and the model has beside it."""
        known = weights_beside(self.backbone)
        load_result.unexpected_keys[:] = [key for key in load_result.unexpected_keys if key not in known]
        super()._issue_warnings_after_load(load_result)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """As transformers'. Raises LossNotFinite for weights that are NaN or infinite."""
        check_adapters(self.model, self.state.global_step)
        super().save_model(output_dir, _internal_call)
        if self.args.should_save:
            settle(Path(output_dir or str(self.args.output_dir)), self.backbone.folder)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """As transformers', but at the learning rate of now: a training may go on with a lower one."""
        super()._load_optimizer_and_scheduler(checkpoint)
        lower_rate(self.optimizer, self.lr_scheduler, self.args.learning_rate)
        self._since = time.monotonic()

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: a batch's tokens are known only once it is packed."""
        return 0


def _sampler(settings: "SupervisedSettings", arguments: "TrainingArguments", data: HeldConversations) -> MixedSampler:
    slice_ = arguments.per_device_train_batch_size * arguments.world_size
    update = slice_ * arguments.gradient_accumulation_steps
    sampler = MixedSampler(data.sizes, settings.mix, slice_, update, settings.seed)
    if settings.running.by_length:
        sampler.lengths = data.lengths()
    return sampler
