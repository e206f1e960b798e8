"""`transformers.Trainer` on a preference dataset: which responses a batch needs of which model, and what is logged.

No loss mathematics here: `objectives` has it, and `scoring` what it is computed of.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from avem_train.data.responses import Responses
from avem_train.dpo import micro_batches, model_inputs
from avem_train.dpo.arguments import slice_records, update_records
from avem_train.dpo.base_trainer import BaseTrainer, MetricMeans
from avem_train.dpo.dataset import EpochSampler, PreferenceDataset, Sample
from avem_train.dpo.logprobs import MadeAhead
from avem_train.dpo.scoring import Scoring, balance_factors
from avem_train.dpo.settings_parts import Computing
from avem_train.objectives import Scored, forms, objective_loss
from model_adapters.base.transfer import numbers_on

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import TrainingArguments

LETTERS_SHARE = "gradient/letters"
"""Logged: the share of the loss's gradient that records answered by letter have (`forms.gradient_sizes`), 0 to 1."""
_GRADIENT, _OF_LETTERS = "gradient/all", "gradient/of_letters"


class PreferenceTrainer(BaseTrainer):
    """See the module's docstring. `model` is the backbone's, with adapters."""

    model: "PeftModel"
    sampler: EpochSampler

    def __init__(
        self,
        model: "PeftModel",
        dataset: PreferenceDataset,
        held_out: PreferenceDataset | None = None,
        running: Computing | None = None,
        **kwargs: Any,
    ) -> None:
        """running: the settings of speed and memory; None = the usual ones."""
        arguments: TrainingArguments = kwargs["args"]
        sizes = slice_records(arguments), update_records(arguments)
        sampler = EpochSampler(len(dataset.records), *sizes, arguments.data_seed or 0)
        running = running or Computing()
        if running.by_length:
            sampler.lengths = dataset.lengths()
        data: dict[str, Any] = {"train_dataset": dataset, "eval_dataset": held_out}
        super().__init__(sampler, dataset.backbone, running, dataset.collate, model=model, **data, **kwargs)
        self.dataset = dataset
        self.factors = balance_factors(dataset)
        self.loss_is_scaled_for_ga = False  # `compute_loss` returns the mean over its slice of the update
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The loss of a batch, a scalar; of a part of one its share in it."""
        samples = [Sample(*sample) for sample in inputs["samples"]]
        loss = self._losses(model, samples, inputs["ahead"].made() if "ahead" in inputs else {})
        self.throughput.finished(sum(sample.weight > 0 for sample in samples))
        weighted = loss * numbers_on(self.args.device, [sample.weight for sample in samples])
        share: torch.Tensor = weighted.sum() / inputs.get("of", len(samples))
        return share

    def micro_batches(self, inputs: dict[str, Any], limit: int) -> list[dict[str, Any]]:
        """See `BaseTrainer`; what is computed of the policy with media is what has most tokens."""
        dataset, backbone = self.dataset, self.backbone
        samples = [Sample(*sample) for sample in inputs["samples"]]
        samples = [sample for sample in samples if sample.weight] or samples[:1]
        asked = [list(dict.fromkeys(one.media.values())) for one in dataset.of(samples)]
        with torch.no_grad():
            self.extents.look([response.sources for of_record in asked for response in of_record])
        tokens = [model_inputs.sequences(backbone, of_record).tokens for of_record in asked]
        parts = micro_batches.divided(tokens, dataset.packing.rows, limit)
        return [
            {"samples": [tuple(samples[number]) for number in part], "of": len(inputs["samples"])} for part in parts
        ]

    def held_out_means(self, model: nn.Module) -> dict[str, float]:
        """The loss and what else is logged of a step, of the held-out records."""
        with self._on_held_out() as dataset:
            for samples in self.batches(len(dataset)):
                loss = self._losses(model, samples, dataset.collate(samples)["ahead"].now())
                self.metrics.update({"loss": loss}, {}, self._real(samples))
            self.finite.check(self.state.global_step)
            return self.metrics.compute(self.accelerator)

    @contextmanager
    def _on_held_out(self) -> Iterator[PreferenceDataset]:
        """Inside the block losses and metrics are of the held-out records, each counted once."""
        trained = self.dataset, self.factors, self.metrics
        held_out: Any = self.eval_dataset
        self.dataset, self.factors, self.metrics = held_out, None, MetricMeans()
        try:
            yield held_out
        finally:
            self.dataset, self.factors, self.metrics = trained

    def _losses(self, model: nn.Module, samples: Sequence[Sample], ahead: MadeAhead) -> torch.Tensor:
        """The loss of every record of a batch (batch,); what is logged is added to `metrics`."""
        batch = self.dataset.of(samples)
        objective = self.dataset.objective
        frozen = self.accelerator.unwrap_model(model).disable_adapter
        scoring = Scoring(model, frozen, self.dataset, self.args.device, self.factors, self.throughput, ahead)
        scored, watched = scoring.scored(batch, [sample.record for sample in samples])
        weights = {
            name: numbers_on(self.args.device, [one.weights.get(name, 0.0) for one in batch])
            for name in objective.responses
        }
        loss, parts = objective_loss(scored, weights, objective)
        self.note_losses([self.dataset.records[sample.record].id for sample in samples], loss)
        self._update_metrics(samples, batch, loss, scored, watched, parts, weights)
        return loss

    def _update_metrics(
        self,
        samples: Sequence[Sample],
        batch: Sequence[Responses],
        loss: torch.Tensor,
        scored: Scored,
        watched: torch.Tensor | None,
        parts: Mapping[str, torch.Tensor],
        weights: Mapping[str, torch.Tensor],
    ) -> None:
        """Add to what the next log holds; a response's values count only where a record has that response."""
        values = dict(parts)
        masks: dict[str, torch.Tensor] = {}
        for name, weight in weights.items():
            masks |= {f"rewards/{name}": weight > 0, f"accuracies/{name}": weight > 0}
        has_media = numbers_on(self.args.device, [one.has_rejected_media for one in batch])
        masks |= dict.fromkeys(("margins/media", "accuracies/media", "loss/media"), has_media)
        values["logps/chosen"] = scored.policy.chosen.detach()
        if loss.requires_grad:  # held-out records have no gradient
            size = forms.gradient_sizes(loss, [scored.policy, scored.blind])
            letters = numbers_on(self.args.device, [forms.is_letter(one.media["chosen"].text) for one in batch])
            values |= {_GRADIENT: size, _OF_LETTERS: size * letters}
        if watched is not None:
            margin, has = self._yes_no(batch, watched)
            values["margins/yes_no"], masks["margins/yes_no"] = margin, has
        self.metrics.update(values, masks, self._real(samples))

    def _real(self, samples: Sequence[Sample]) -> torch.Tensor:
        """Which samples are no fillers, (samples,)."""
        return numbers_on(self.args.device, [sample.weight > 0 for sample in samples])

    def _yes_no(self, batch: Sequence[Responses], watched: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log p(right word) - log p(other) at a chosen response that begins with "Yes" or "No", and where one does."""
        first = [self.dataset.backbone.response(one.media["chosen"].text)[0] for one in batch]
        sign = [1 if id_ == self.dataset.watch[0] else -1 if id_ == self.dataset.watch[1] else 0 for id_ in first]
        signs = numbers_on(self.args.device, sign)
        return (watched[:, 0] - watched[:, 1]) * signs, signs != 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means of the losses' parts over the records since the last log."""
        if "loss" in logs:
            means = self.metrics.compute(self.accelerator)
            whole, of_letters = means.pop(_GRADIENT, 0.0), means.pop(_OF_LETTERS, 0.0)
            logs |= means | ({LETTERS_SHARE: of_letters / whole} if whole else {})
        super().log(logs, start_time)
