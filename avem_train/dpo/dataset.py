"""The dataset of preference training: its records, which responses are scored of each, and in what order they come.

A sample names a record; it is looked up where its media are read, its passes made and its loss computed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset, Sampler

from avem_train.backbones.base import Backbone
from avem_train.data.negatives import Negatives
from avem_train.data.records import Preference
from avem_train.data.responses import Plan, Response, Responses, sources
from avem_train.dpo import logprobs, model_inputs
from avem_train.dpo.ahead import Ahead
from avem_train.dpo.logprobs import MadeAhead
from avem_train.dpo.reference_cache import CachedLogps
from avem_train.objectives import Objective
from avem_train.packing.tree import SHARED, Packing

_CHARACTERS = {"video": 8_000, "audio": 400}  # of a text that is as long as AVERE's tokens of a medium
_MEGA = 50  # updates within which records are put in the order of their lengths


class Sample(NamedTuple):
    """A place in a batch."""

    record: int
    """The record's number in the dataset."""
    weight: float
    """In the batch's mean; 0 for a filler."""
    epoch: int
    """Counted from 0."""


class EpochSampler(Sampler[Sample]):
    """Every record once, in an order that epoch and seed give; whole batches on every process.

    Where the last update of an epoch has fewer than `update` records, it is filled up to a multiple of `slice_`, what
    all processes take at once, with fillers of weight 0; the others weigh more, so that its mean is that of its
    records. An update is then the same however it is divided into processes and accumulation.
    """

    def __init__(self, records: int, slice_: int, update: int, seed: int) -> None:
        self.records, self.slice, self.update, self.seed, self.epoch = records, slice_, update, seed, 0
        self.lengths: torch.Tensor | None = None
        """Of each record, (records,), where batches are of about one length."""

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch, counted from 0, from the next pass on."""
        self.epoch = epoch

    def order(self, generator: torch.Generator) -> torch.Tensor:
        """Numbers of an epoch's records, (records,): as many as there are records."""
        return self.by_length(torch.randperm(self.records, generator=generator))

    def by_length(self, order: torch.Tensor) -> torch.Tensor:
        """The same numbers, those of 50 updates at a time in the order of their lengths where lengths are known."""
        if self.lengths is None:
            return order
        lengths = self.lengths
        return torch.cat([part[lengths[part].argsort(stable=True)] for part in torch.split(order, _MEGA * self.update)])

    def __len__(self) -> int:
        return -(-self.records // self.slice) * self.slice

    def __iter__(self) -> Iterator[Sample]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = self.order(generator)
        last = (self.records - 1) // self.update * self.update
        real, slots = self.records - last, len(self) - last
        for number in range(len(self)):
            weight = 1.0 if number < last else slots / real if number < self.records else 0.0
            yield Sample(int(order[number % self.records]), weight, self.epoch)


@dataclass(eq=False)
class PreferenceDataset(Dataset[Sample]):
    """Preference records, the objective, and how responses are scored."""

    records: Sequence[Preference]
    """What is trained on."""
    objective: Objective
    """Which responses it needs."""
    negatives: Negatives
    """How rejected media are drawn."""
    seed: int
    """Of all that is drawn at random."""
    backbone: Backbone
    """The model, which reads the media too."""
    cached: CachedLogps | None = None
    """Log-probabilities of the frozen model; None = computed live."""
    watch: tuple[int, ...] = ()
    """First ids of "Yes" and "No"."""
    packing: Packing = SHARED
    """How responses are put into rows."""

    def __post_init__(self) -> None:
        self._planned: dict[int, Plan] = {}
        self.text_roles = ("chosen", *self.objective.responses)
        of_media = {"rejected_media": self.objective.lambda_av, "swapped": self.objective.lambda_swapped}
        self.media_roles = (*self.text_roles, *(name for name, weight in of_media.items() if weight))
        self.changes = [name for name in ("relevant", "irrelevant") if getattr(self.objective, f"beta_{name}")]
        self.counts_tokens = bool(
            self.objective.length_normalised or self.objective.lambda_ce or self.objective.margin == "ipo"
        )

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, sample: Sample) -> Sample:
        return sample

    def lengths(self) -> torch.Tensor:
        """Of each record, (records,): characters of the texts that are scored, and as many for media as usual."""

        def length(record: Preference) -> int:
            texts = len(record.prompt) + sum(len(record.response(name)) for name in self.text_roles)
            return texts + sum(_CHARACTERS[kind] for kind in sources(record))

        return torch.tensor([length(record) for record in self.records])

    def responses(self, epoch: int) -> Plan:
        """The responses of every record in an epoch: the same in each, unless rejected media are drawn again."""
        epoch = epoch if self.negatives.redraw else 0
        if epoch not in self._planned:
            pool = next((plan.pool for plan in self._planned.values()), None)
            self._planned = {epoch: Plan(self.records, self.objective, self.negatives, self.seed, epoch, pool)}
        return self._planned[epoch]

    def of(self, samples: Sequence[Sample]) -> list[Responses]:
        """The responses of a batch's records."""
        return [self.responses(sample.epoch)[sample.record] for sample in samples]

    def collate(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """The collator: a batch of samples, and what can be done for it before its step (`Ahead` of `MadeAhead`)."""
        ahead = Ahead(partial(self._read, samples), partial(self._made_ahead, samples))
        return {"samples": [(sample.record, sample.weight, sample.epoch) for sample in samples], "ahead": ahead}

    def _read(self, samples: Sequence[Sample]) -> None:
        real = self.of([sample for sample in samples if sample.weight])  # a filler's media may never be taken
        responses = [response for record in real for response in record.with_media]
        self.backbone.prefetch(list(dict.fromkeys(source for response in responses for source in response.sources)))

    def passes(self, batch: Sequence[Responses]) -> list[list[Response]]:
        """The responses that the models score together, of each pass; those that are cached are left out."""
        objective = self.objective
        of_roles = [[one.media for one in batch]]
        if objective.lambda_blind or (objective.needs_text and self.cached is None):
            of_roles.append([one.text_only for one in batch])
        of_roles += [self.of_change(batch, which) for which in self.changes]
        return [[response for of_record in asked for response in of_record.values()] for asked in of_roles]

    def of_change(self, batch: Sequence[Responses], which: str) -> list[dict[str, Response]]:
        """What is scored of each record where one medium is changed ("relevant", "irrelevant"), {} for one without.

        Where none has it, the first record's own: processes that share a model (FSDP, ZeRO, buffers under DDP) make as
        many passes each, or they wait for each other for ever.
        """
        asked = [one.changed.get(which, {}) for one in batch]
        return asked if any(asked) else [one.media for one in batch[:1]]

    def _made_ahead(self, samples: Sequence[Sample]) -> MadeAhead:
        passes = {logprobs.different(responses) for responses in self.passes(self.of(samples))}
        return {
            one: model_inputs.of_responses(self.backbone, one, self.packing)
            for one in passes
            if self.backbone.knows([response.sources for response in one])
        }
