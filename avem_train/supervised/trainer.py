"""`transformers.Trainer` on conversations: the mean loss over the answers' tokens of an update, and what is logged."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from avem_train.backbones.base import Backbone, weights_beside
from avem_train.dpo.arguments import slice_records, update_records
from avem_train.dpo.base_trainer import BaseTrainer, MetricMeans
from avem_train.dpo.micro_batches import divided
from avem_train.dpo.model_inputs import ModelInputs
from avem_train.supervised.dataset import Collator, Example, HeldConversations, MixedSampler
from avem_train.supervised.loss import Losses, losses, sequences
from model_adapters.base.transfer import numbers_on

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from avem_train.supervised.settings import SupervisedSettings


class SupervisedTrainer(BaseTrainer):
    """See the module's docstring. `model` is the backbone's, with adapters or with weights of its own to train."""

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
        sampler = _sampler(settings, arguments, data) if isinstance(data, HeldConversations) else None
        collate = Collator(backbone, settings.running.packing)
        given: dict[str, Any] = {"train_dataset": data, "eval_dataset": held_out}
        given["processing_class"] = backbone.processor if settings.whole else None  # beside whole weights
        super().__init__(sampler, backbone, settings.running, collate, model=model, **given, **kwargs)
        self.settings = settings
        self.packing = settings.running.packing
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.model_accepts_loss_kwargs = True  # `compute_loss` divides by the targets of the whole update

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The batch's share in the mean loss over the tokens of an update, a scalar."""
        examples: list[Example] = inputs["examples"]
        found = self._losses(model, examples, inputs["ahead"].made() if "ahead" in inputs else None)
        real = self._real(examples, found)
        self._update_metrics(found, real)
        self.throughput.passed(found.rows)
        self.throughput.finished(sum(one.real for one in examples))
        count = inputs["targets"] if num_items_in_batch is None else num_items_in_batch
        loss = (found.nll * real).sum() * self.args.world_size / count
        # every weight has a gradient, also those of a projector that this batch has no medium for
        return loss + sum(parameter.sum() * 0.0 for parameter in self._projectors())

    def micro_batches(self, inputs: dict[str, Any], limit: int) -> list[dict[str, Any]]:
        """See `BaseTrainer`."""
        examples = [one for one in inputs["examples"] if one.real] or inputs["examples"][:1]
        with torch.no_grad():
            self.extents.look([one.conversation.sources for one in examples])
        tokens = [sequences(self.backbone, [one.conversation]).tokens for one in examples]
        parts = divided(tokens, self.packing.rows, limit)
        return [{"examples": [examples[number] for number in part], "targets": inputs["targets"]} for part in parts]

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> torch.Tensor:
        """The targets of an update on all processes, a scalar."""
        targets = numbers_on(device, [sum(batch["targets"] for batch in batch_samples)])
        total: torch.Tensor = self.accelerator.reduce(targets, "sum")
        return total[0]

    def _losses(self, model: nn.Module, examples: Sequence[Example], ahead: ModelInputs | None) -> Losses:
        conversations = [one.conversation for one in examples]
        found = losses(model, self.backbone, conversations, self.packing, ahead)
        self.note_losses([conversations[number].id for number in found.owner], found.nll)
        return found

    def _projectors(self) -> list[nn.Parameter]:
        return self.trained if self.settings.trains_projectors else []

    def _real(self, examples: Sequence[Example], found: Losses) -> torch.Tensor:
        """Which of the targets count, (targets,) of 0 and 1."""
        return numbers_on(found.nll.device, [float(examples[number].real) for number in found.owner])

    def _update_metrics(self, found: Losses, real: torch.Tensor) -> None:
        """Add the loss and accuracy of every token that counts to what the next log holds."""
        values = {"loss": found.nll.detach(), "accuracy": found.right.float()}
        self.metrics.update(values, {}, real > 0)

    def held_out_means(self, model: nn.Module) -> dict[str, float]:
        """Loss, perplexity and accuracy over all tokens of the held-out answers."""
        data: Any = self.eval_dataset
        trained, self.metrics = self.metrics, MetricMeans()
        for samples in self.batches(len(data)):
            examples = [data[sample] for sample in samples]
            found = self._losses(model, examples, self.collate(examples)["ahead"].now())
            self._update_metrics(found, self._real(examples, found))
        self.finite.check(self.state.global_step)
        means = self.metrics.compute(self.accelerator)
        self.metrics = trained
        return means | {"perplexity": float(torch.tensor(means["loss"]).exp())}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the accuracy since the last log."""
        if "loss" in logs:
            means = self.metrics.compute(self.accelerator)
            means.pop("loss")
            logs |= means
        super().log(logs, start_time)

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


def _sampler(settings: "SupervisedSettings", arguments: "TrainingArguments", data: HeldConversations) -> MixedSampler:
    sizes = slice_records(arguments), update_records(arguments)
    sampler = MixedSampler(data.sizes, settings.mix, *sizes, settings.seed)
    if settings.running.by_length:
        sampler.lengths = data.lengths()
    return sampler
