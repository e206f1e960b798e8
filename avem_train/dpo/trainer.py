"""`transformers.Trainer` on preference records: which replies a batch needs of which model, and what is logged.

No loss mathematics here: `objectives` has it. Policy = the model with its adapters; reference = the same with adapters
off; text prior = the reference asked without media. The last two are looked up where they are kept, else computed live.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.utils.data import Dataset, Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from avem_train.backbones.base import Backbone
from avem_train.data import responses
from avem_train.data.negatives import Negatives
from avem_train.data.records import Preference
from avem_train.data.responses import Replies, Reply
from avem_train.dpo import logprobs
from avem_train.dpo.finite import Finite, LossNotFinite, check_numbers, set_rate
from avem_train.dpo.model_card import settle
from avem_train.dpo.reference_cache import KeptLogps
from avem_train.objectives import Objective, PreferenceLogps, preference_loss

if TYPE_CHECKING:
    from peft import PeftModel


class Draw(NamedTuple):
    """A place in a batch: a record by number, its weight in the batch's mean, and the epoch."""

    record: int
    weight: float
    epoch: int


class Epoch(Sampler[Draw]):
    """Every record once, in an order that epoch and seed give; whole batches on every process.

    Where the last update of an epoch has fewer than `update` records, it is filled up to a multiple of `slice_`, what
    all processes take at once, with fillers of weight 0; the others weigh more, so that its mean is that of its
    records. An update is then the same however it is divided into processes and accumulation.
    """

    def __init__(self, records: int, slice_: int, update: int, seed: int) -> None:
        self.records, self.slice, self.update, self.seed, self.epoch = records, slice_, update, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch, counted from 0, from the next pass on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.records // self.slice) * self.slice

    def __iter__(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.records, generator=generator).tolist()
        last = (self.records - 1) // self.update * self.update
        real, slots = self.records - last, len(self) - last
        for number in range(len(self)):
            weight = 1.0 if number < last else slots / real if number < self.records else 0.0
            yield Draw(order[number % self.records], weight, self.epoch)


class Draws(Dataset[Draw]):
    """What the sampler draws is what the batch holds: records are looked up where the loss is computed."""

    def __init__(self, records: int) -> None:
        self.records = records

    def __len__(self) -> int:
        return self.records

    def __getitem__(self, draw: Draw) -> Draw:
        return draw


@dataclass
class Lesson:
    """What is taught: the records, the objective, and how replies are scored.

    kept: values of the frozen model; None: computed live. watch: first ids of "Yes" and "No". packed: share common
    beginnings.
    """

    records: Sequence[Preference]
    objective: Objective
    negatives: Negatives
    seed: int
    backbone: Backbone
    kept: KeptLogps | None = None
    watch: tuple[int, ...] = ()
    packed: bool = True

    def __post_init__(self) -> None:
        self._planned: dict[int, list[Replies]] = {}
        self.text_roles = ("chosen", *self.objective.responses)
        self.media_roles = (*self.text_roles, "rejected_media") if self.objective.lambda_av else self.text_roles

    def replies(self, epoch: int) -> list[Replies]:
        """The replies of every record in an epoch: the same in each, unless rejected media are drawn anew."""
        epoch = epoch if self.negatives.redraw else 0
        if epoch not in self._planned:
            self._planned = {epoch: responses.plan(self.records, self.objective, self.negatives, self.seed, epoch)}
        return self._planned[epoch]

    def collate(self, draws: Sequence[Draw]) -> dict[str, list[tuple[int, float, int]]]:
        """A batch; starts reading its media."""
        asked = [self.replies(draw.epoch)[draw.record] for draw in draws]
        media = [source for one in asked for reply in one.media.values() for source in reply.sources]
        self.backbone.prefetch(list(dict.fromkeys(media)))
        return {"draws": [(draw.record, draw.weight, draw.epoch) for draw in draws]}


class Meter:
    """Means of logged values over records, also over those of other processes."""

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}

    def add(self, values: Mapping[str, torch.Tensor], counted: Mapping[str, torch.Tensor], real: torch.Tensor) -> None:
        """Values (batch,) of the records that are `real` and, where `counted` has the name, counted."""
        for name, value in values.items():
            use = real & counted[name] if name in counted else real
            pair = torch.stack([value.masked_fill(~use, 0).sum().double(), use.sum().double()])
            self.sums[name] = self.sums[name] + pair if name in self.sums else pair

    def means(self, accelerator: Any) -> dict[str, float]:
        """Means since the last call, of names that any record had."""
        names = sorted(self.sums)
        if not names:
            return {}
        total = accelerator.reduce(torch.stack([self.sums[name] for name in names]), "sum").tolist()
        self.sums = {}
        return {name: value / count for name, (value, count) in zip(names, total, strict=True) if count}


class Ordered(TrainerCallback):
    """Tells the sampler which epoch begins.

    accelerate and transformers do so through what wraps a sampler, but not where a run of several processes goes on in
    the middle of an epoch: that epoch would have the order of the first.
    """

    def __init__(self, order: Epoch) -> None:
        self.order = order

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """`state.epoch` is the share of epochs done, the one that a run goes on in included."""
        self.order.set_epoch(int(state.epoch or 0))


class PreferenceTrainer(Trainer):
    """See the module's docstring. `model` is the backbone's, with adapters."""

    model: "PeftModel"

    def __init__(self, model: "PeftModel", lesson: Lesson, **kwargs: Any) -> None:
        arguments: TrainingArguments = kwargs["args"]
        slice_ = arguments.per_device_train_batch_size * arguments.world_size
        update = slice_ * arguments.gradient_accumulation_steps
        self.order = Epoch(len(lesson.records), slice_, update, arguments.data_seed or 0)
        super().__init__(model=model, train_dataset=Draws(len(lesson.records)), data_collator=lesson.collate, **kwargs)
        self.add_callback(Ordered(self.order))
        self.add_callback(Finite())
        self.lesson = lesson
        self.meter = Meter()
        self.loss_is_scaled_for_ga = False  # `compute_loss` returns the mean over its slice of the update
        self.model_accepts_loss_kwargs = False

    def _get_train_sampler(self, train_dataset: Dataset[Draw] | None = None) -> Epoch:
        return self.order

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The loss of a batch of draws, a scalar."""
        draws = [Draw(*draw) for draw in inputs["draws"]]
        asked = [self.lesson.replies(draw.epoch)[draw.record] for draw in draws]
        reference, text = self._frozen(model, asked)
        policy = self._policy(model, asked)
        objective = self.lesson.objective
        weights = {
            name: torch.tensor([one.weights.get(name, 0.0) for one in asked], device=self.args.device)
            for name in objective.responses
        }
        loss, parts = preference_loss(
            policy.logps,
            reference,
            text,
            weights,
            beta=objective.beta,
            gamma_tpd=objective.gamma_tpd,
            lambda_av=objective.lambda_av,
        )
        self._refuse_what_is_no_number(draws, loss)
        self._note(draws, asked, policy, parts, weights)
        return (loss * torch.tensor([draw.weight for draw in draws], device=loss.device)).mean()

    def _policy(self, model: nn.Module, asked: Sequence[Replies]) -> "Columns":
        roles = [one.media for one in asked]
        flat = [reply for of_record in roles for reply in of_record.values()]
        scored = logprobs.score(model, self.lesson.backbone, flat, self.lesson.packed, self.lesson.watch)
        return Columns.of(self.lesson.media_roles, roles, scored.total, scored.watched)

    def _frozen(self, model: nn.Module, asked: Sequence[Replies]) -> tuple[PreferenceLogps, PreferenceLogps | None]:
        """Reference, and text prior where the objective has one."""
        media, text = [one.media for one in asked], [one.text for one in asked]
        flat = [reply for of_record in (*media, *text) for reply in of_record.values()]
        if self.lesson.kept is not None:
            total = torch.tensor([self.lesson.kept[reply] for reply in flat], device=self.args.device)
        else:
            with torch.no_grad(), self.accelerator.unwrap_model(model).disable_adapter():
                total = logprobs.score(model, self.lesson.backbone, flat, self.lesson.packed).total
        count = sum(map(len, media))
        reference = Columns.of(self.lesson.media_roles, media, total[:count]).logps
        if not self.lesson.objective.gamma_tpd:
            return reference, None
        return reference, Columns.of(self.lesson.text_roles, text, total[count:]).logps

    def _refuse_what_is_no_number(self, draws: Sequence[Draw], loss: torch.Tensor) -> None:
        finite = loss.isfinite().tolist()
        bad = [draw for draw, fine in zip(draws, finite, strict=True) if not fine]
        if bad:
            names = ", ".join(repr(self.lesson.records[draw.record].id) for draw in bad)
            raise LossNotFinite(f"the loss of record {names} is no number at step {self.state.global_step + 1}")

    def _note(
        self,
        draws: Sequence[Draw],
        asked: Sequence[Replies],
        policy: "Columns",
        parts: Mapping[str, torch.Tensor],
        weights: Mapping[str, torch.Tensor],
    ) -> None:
        """Add to what the next log holds; a response's values count only where a record has that response."""
        values = dict(parts)
        counted: dict[str, torch.Tensor] = {}
        for name, weight in weights.items():
            counted |= {f"rewards/{name}": weight > 0, f"accuracies/{name}": weight > 0}
        values["logps/chosen"] = policy.logps.chosen.detach()
        if policy.watched is not None:
            margin, has = self._yes_no(asked, policy.watched)
            values["margins/yes_no"], counted["margins/yes_no"] = margin, has
        self.meter.add(values, counted, torch.tensor([draw.weight > 0 for draw in draws], device=self.args.device))

    def _yes_no(self, asked: Sequence[Replies], watched: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log p(right word) - log p(other) at a chosen response that begins with "Yes" or "No", and where one does."""
        first = [self.lesson.backbone.response(one.media["chosen"].response)[0] for one in asked]
        sign = [1 if id_ == self.lesson.watch[0] else -1 if id_ == self.lesson.watch[1] else 0 for id_ in first]
        signs = torch.tensor(sign, device=watched.device)
        return (watched[:, 0] - watched[:, 1]) * signs, signs != 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means of the losses' parts over the records since the last log."""
        if "loss" in logs:
            logs |= self.meter.means(self.accelerator)
        super().log(logs, start_time)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """As transformers', for a checkpoint too. Raises LossNotFinite for adapters that are no numbers."""
        check_numbers(self.model, self.state.global_step)
        super().save_model(output_dir, _internal_call)
        if self.args.should_save:
            settle(Path(output_dir or str(self.args.output_dir)), self.lesson.backbone.folder)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """As transformers', but at the learning rate of now: a training may go on with a lower one."""
        super()._load_optimizer_and_scheduler(checkpoint)
        set_rate(self.optimizer, self.lr_scheduler, self.args.learning_rate)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: a batch's tokens are known only once it is packed (tests/benchmarks/training.py counts them)."""
        return 0


@dataclass(frozen=True)
class Columns:
    """Scored replies of a batch by what they are for. watched: of the chosen ones, (batch, ids)."""

    logps: PreferenceLogps
    watched: torch.Tensor | None = None

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        asked: Sequence[Mapping[str, Reply]],
        total: torch.Tensor,
        watched: torch.Tensor | None = None,
    ) -> "Columns":
        """From values in the order of the records and their replies; 0 where a record lacks a reply of `names`."""
        places: dict[str, list[int]] = {name: [] for name in names}
        number = 0
        for roles in asked:
            at = {name: number + place for place, name in enumerate(roles)}
            for name in names:
                places[name].append(at.get(name, len(total)))
            number += len(roles)
        filled = torch.cat([total, total.new_zeros(1)])
        logps = PreferenceLogps(**{name: filled[places[name]] for name in names})
        return cls(logps, None if watched is None else watched[places["chosen"]])
