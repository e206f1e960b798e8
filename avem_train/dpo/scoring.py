"""Which log-probabilities a batch's loss is computed of, and by which model, with or without gradient.

Policy = the model with its adapters; reference = the same with adapters off; text prior = the reference without media.
The frozen ones are looked up where they are cached, else computed live. Prompts with and without media are scored
apart: in one batch the latter would be padded to the length of the former.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import nn

from avem_train.data.responses import Response, Responses
from avem_train.dpo import logprobs
from avem_train.dpo.dataset import PreferenceDataset
from avem_train.dpo.logprobs import MadeAhead
from avem_train.dpo.reference_cache import CachedLogps
from avem_train.dpo.throughput import Throughput
from avem_train.objectives import PreferenceLogps, Scored, forms, lowered
from model_adapters.base.transfer import numbers_on, to_device

_BALANCED = 4096  # records whose priors are computed at once


@dataclass(frozen=True)
class BatchLogps:
    """One model's log-probabilities of a batch."""

    logps: PreferenceLogps
    """By what the responses are for, each (batch,)."""
    watched: torch.Tensor | None = None
    """Of the watched ids as the chosen responses' first token, (batch, ids)."""

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        batch: Sequence[Mapping[str, Response]],
        total: torch.Tensor,
        watched: torch.Tensor | None = None,
    ) -> "BatchLogps":
        """From values in the order of the records and their responses; 0 where a record lacks a response of `names`."""
        places: dict[str, list[int]] = {name: [] for name in names}
        number = 0
        for roles in batch:
            at = {name: number + place for place, name in enumerate(roles)}
            for name in places:
                places[name].append(at.get(name, len(total)))
            number += len(roles)
        filled = torch.cat([total, total.new_zeros(1)])
        index = dict(zip(places, to_device(torch.tensor(list(places.values())), total.device), strict=True))
        logps = PreferenceLogps(**{name: filled[index[name]] for name in places})
        return cls(logps, None if watched is None else watched[index["chosen"]])


@dataclass(frozen=True)
class Scoring:
    """The models of a training, asked about batches."""

    model: nn.Module
    """The model in training, or what wraps it."""
    frozen: Callable[[], AbstractContextManager[None]]
    """Inside what it returns `model` is the frozen one."""
    dataset: PreferenceDataset
    """What is asked, of which backbone, and what is cached."""
    device: torch.device
    """Of the values."""
    factors: torch.Tensor | None = None
    """`balance_factors`; None = records are not weighed."""
    throughput: Throughput | None = None
    """What counts the work; None = nobody does."""
    ahead: MadeAhead = field(default_factory=dict)
    """What was made before the step."""

    def scored(self, batch: Sequence[Responses], records: Sequence[int]) -> tuple[Scored, torch.Tensor | None]:
        """All that the objective needs, and the policy's watched ids at the chosen responses.

        records: their numbers in the dataset.
        """
        dataset, objective = self.dataset, self.dataset.objective
        media, text_only = [one.media for one in batch], [one.text_only for one in batch]
        reference = self._of_frozen(dataset.media_roles, media)
        text = self._of_frozen(dataset.text_roles, text_only) if objective.needs_text else None
        policy = self._of_policy(dataset.media_roles, media, dataset.watch)
        changed = {f"{which}_changed": self._without_gradient(batch, which) for which in dataset.changes}
        scored = Scored(
            policy.logps,
            reference,
            text,
            blind=self._of_policy(dataset.text_roles, text_only).logps if objective.lambda_blind else None,
            has_irrelevant=self._flags("irrelevant" in one.changed for one in batch),
            has_rejected_media=self._flags(one.has_rejected_media for one in batch),
            tokens=tokens(dataset, media, self.device) if dataset.counts_tokens else None,
            swapped_of={name: self._flags(one.right_there == name for one in batch) for name in objective.responses},
            balance=None if self.factors is None else to_device(self.factors[list(records)], self.device),
            **changed,
        )
        return scored, policy.watched

    def _of_policy(
        self, roles: Iterable[str], asked: Sequence[Mapping[str, Response]], watch: Sequence[int] = ()
    ) -> BatchLogps:
        flat = [response for of_record in asked for response in of_record.values()]
        scores = logprobs.score(self.model, self.dataset.backbone, flat, self.dataset.packing, watch, self.ahead)
        self._count(scores)
        return BatchLogps.of(roles, asked, scores.total, scores.watched)

    def _without_gradient(self, batch: Sequence[Responses], which: str) -> PreferenceLogps:
        """The policy's where one medium is changed; 0 where a record lacks it."""
        roles = self.dataset.text_roles
        with torch.no_grad():
            scored = self._of_policy(roles, self.dataset.of_change(batch, which)).logps
        if any(which in one.changed for one in batch):
            return scored
        return PreferenceLogps(**dict.fromkeys(roles, scored.chosen.new_zeros(len(batch))))

    def _of_frozen(self, roles: Iterable[str], asked: Sequence[Mapping[str, Response]]) -> PreferenceLogps:
        """What the model without adapters says of each record's responses, cached or computed now."""
        flat = [response for of_record in asked for response in of_record.values()]
        if self.dataset.cached is not None:
            total = numbers_on(self.device, [self.dataset.cached[response] for response in flat])
        else:
            with torch.no_grad(), self.frozen():
                scores = logprobs.score(self.model, self.dataset.backbone, flat, self.dataset.packing, ahead=self.ahead)
                self._count(scores, adapted=False)
            total = scores.total
        return BatchLogps.of(roles, asked, total).logps

    def _count(self, scores: logprobs.ResponseLogps, adapted: bool = True) -> None:
        if self.throughput:
            self.throughput.passed(scores.rows, adapted)

    def _flags(self, flags: Iterable[bool]) -> torch.Tensor:
        return numbers_on(self.device, [float(flag) for flag in flags])


def tokens(
    dataset: PreferenceDataset, asked: Sequence[Mapping[str, Response]], device: torch.device
) -> PreferenceLogps:
    """How many tokens each response has, closing token included; 0 where a record lacks it."""
    counts = [float(len(dataset.backbone.response(one.text))) for of_record in asked for one in of_record.values()]
    return BatchLogps.of(dataset.media_roles, asked, numbers_on(device, counts)).logps


def balance_factors(dataset: PreferenceDataset) -> torch.Tensor | None:
    """`forms.balance` of every record, (records,) on the CPU, from the cached text prior; None where not asked for.

    Raises ValueError where the frozen model's values are not cached.
    """
    objective, planned = dataset.objective, dataset.responses(0)
    if not objective.balance_forms:
        return None
    if dataset.cached is None:
        raise ValueError("balance_forms needs the frozen model's values of all records: running.keep_reference=true")
    starts = range(0, len(planned), _BALANCED)
    prior = torch.cat([_prior(dataset, dataset.cached, planned[start : start + _BALANCED]) for start in starts])
    return forms.balance(prior, [forms.is_letter(one.media["chosen"].text) for one in planned])


def _prior(dataset: PreferenceDataset, cached: CachedLogps, planned: Sequence[Responses]) -> torch.Tensor:
    """What the cached text prior takes off the margins of some records, (records,)."""
    text_only, device = [one.text_only for one in planned], torch.device("cpu")
    total = torch.tensor([cached[response] for of_record in text_only for response in of_record.values()])
    text = BatchLogps.of(dataset.text_roles, text_only, total).logps
    counts = tokens(dataset, [one.media for one in planned], device) if dataset.counts_tokens else None
    responses = dataset.objective.responses
    weights = {name: torch.tensor([one.weights.get(name, 0.0) for one in planned]) for name in responses}
    return lowered(Scored(text, text, text, tokens=counts), weights, dataset.objective)
