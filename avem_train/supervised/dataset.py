"""The records of supervised training: an Arrow table or a stream, several files in the shares that are asked for."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from torch.utils.data import Dataset

from avem_train.backbones.base import Backbone
from avem_train.data import conversations, tables
from avem_train.data.bad_records import BadRecords, Faults
from avem_train.data.conversations import Conversation
from avem_train.data.model_facts import ModelFacts
from avem_train.data.records import Problem
from avem_train.dpo.ahead import Ahead
from avem_train.dpo.dataset import EpochSampler, Sample
from avem_train.dpo.model_inputs import ModelInputs
from avem_train.packing.tree import Packing
from avem_train.supervised.loss import model_inputs
from emorealm_tasks import settings
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.errors import stop

_TEXT, _TEXTS = datasets.Value("string"), datasets.List(datasets.Value("string"))
_COLUMNS = datasets.Features(
    {"id": _TEXT, "video": _TEXT, "audio": _TEXT, "own_sound": datasets.Value("bool"), "prompts": _TEXTS}
    | {"responses": _TEXTS}
)
_BATCH = 1_000  # conversations that are read at once where all of them are


@dataclass(frozen=True)
class Example:
    """A place in a batch."""

    conversation: Conversation
    """What is asked and answered."""
    real: bool
    """Whether it counts; a filler does not."""


def held(paths: Sequence[Path], root: Path | None, model: ModelFacts, bad: BadRecords, check_media: bool) -> list[Any]:
    """The conversations of each file as an Arrow table on disk (`datasets.Dataset`).

    Bad ones are listed in bad_records.jsonl. Stops at them where `bad` says so, and where a file has no other.
    """
    found, any_bad = [], False
    for number, path in enumerate(paths):
        faults = Faults(bad, goes_on=number > 0)
        table, count = _table(path, root, model, check_media, faults)
        found.append(table)
        any_bad = any_bad or bool(faults.records)
        if faults.records and bad.prints:
            print(faults.report(path, count), file=sys.stderr)
        if not len(table) and bad.on_bad_record == "skip":
            stop(f"{path}: there is no conversation in it that can be trained on")
    if any_bad and bad.on_bad_record == "stop":
        stop(f"all of them are listed in {bad.list}; mend them, or go on without them with on_bad_record=skip")
    return found


def _table(path: Path, root: Path | None, model: ModelFacts, check_media: bool, faults: Faults) -> tuple[Any, int]:
    """A file's good conversations, and how many items there are; the problems of the others go to `faults`."""
    count = 0
    with tables.written(_COLUMNS) as rows:
        for one in conversations.read(path, root, model):
            count += 1
            if isinstance(one, Problem):
                faults.add([one])
            else:
                rows.add(vars(one))
    if not count:
        stop(f"{path}: there is no conversation in it")
    table = _with_media(rows.table, faults) if check_media else rows.table
    faults.close()
    return table, count


def _with_media(table: Any, faults: Faults) -> Any:
    """The conversations whose files can be used; the problems of the others go to `faults`."""
    paths = {path for one in _conversations(table) for path in one.files.values()}
    probed = availability.probe_files(sorted(paths), settings.load().cache)
    usable = np.ones(len(table), dtype=bool)
    for number, one in enumerate(_conversations(table)):
        outcomes = ((kind, path, probed[path]) for kind, path in one.files.items())
        found = [problem for outcome in outcomes if (problem := _media_fault(one.id, *outcome))]
        faults.add(found)
        usable[number] = not found
    return table if usable.all() else table.select(np.flatnonzero(usable), keep_in_memory=True)


def _conversations(table: Any) -> Iterator[Conversation]:
    for batch in table.iter(_BATCH):
        for values in zip(*batch.values(), strict=True):
            yield _of_row(dict(zip(batch, values, strict=True)))


def _media_fault(identity: str, kind: str, path: str, outcome: dict[str, Any]) -> Problem | None:
    if outcome["kind"]:
        return Problem(identity, f"{outcome['kind']} file", outcome["reason"])
    medium = {"video": "picture", "audio": "sound"}[kind]
    if outcome[f"no_{kind}"] or not outcome[kind]:
        return Problem(identity, f"no {medium}", outcome[f"no_{kind}"] or f"there is no {medium} in {path}")
    return None


class MixedSampler(EpochSampler):
    """Every record of several files once, or each file in its share of an epoch.

    sizes: of the files. mix: their weights; a file whose share is more than it has comes round again.
    """

    def __init__(self, sizes: Sequence[int], mix: Sequence[float], slice_: int, update: int, seed: int) -> None:
        super().__init__(sum(sizes), slice_, update, seed)
        self.sizes, self.mix = sizes, mix

    def order(self, generator: torch.Generator) -> torch.Tensor:
        """Numbers of an epoch's records, (records,); the files' records are numbered one file after the other."""
        chosen = torch.arange(self.records)
        if self.mix:
            shares = [self.records * weight / sum(self.mix) for weight in self.mix]
            starts = [sum(self.sizes[:number]) for number in range(len(self.sizes))]
            ends = [round(sum(shares[: number + 1])) - round(sum(shares[:number])) for number in range(len(shares))]
            files = zip(starts, self.sizes, ends, strict=True)
            chosen = torch.cat([start + _rounds(size, count, generator) for start, size, count in files])
        return self.by_length(chosen[torch.randperm(len(chosen), generator=generator)])


def _rounds(size: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """So many of `size` numbers, each as often as any other but for one."""
    rounds = [torch.randperm(size, generator=generator) for _ in range(-(-count // size))]
    return torch.cat([torch.empty(0, dtype=torch.long), *rounds])[:count]


class HeldConversations(Dataset[Example]):
    """Conversations by their number, of one file after the other."""

    def __init__(self, tables: Sequence[Any]) -> None:
        self.sizes = [len(table) for table in tables]
        self.table = datasets.concatenate_datasets(list(tables))

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, sample: Sample) -> Example:
        return Example(self.conversation(sample.record), sample.weight > 0)

    def conversation(self, number: int) -> Conversation:
        """One of them."""
        return _of_row(self.table[number])

    def lengths(self) -> torch.Tensor:
        """Characters of each one's texts, (conversations,)."""
        lengths = torch.zeros(len(self), dtype=torch.long)
        columns = self.table.select_columns(["prompts", "responses"]).iter(_BATCH)
        texts = (pair for batch in columns for pair in zip(batch["prompts"], batch["responses"], strict=True))
        for number, (prompts, responses) in enumerate(texts):
            lengths[number] = sum(map(len, (*prompts, *responses)))
        return lengths


def _of_row(row: dict[str, Any]) -> Conversation:
    return Conversation(**row | {name: tuple(row[name]) for name in ("prompts", "responses")})


def stream(
    paths: Sequence[Path],
    root: Path | None,
    model: ModelFacts,
    bad: BadRecords,
    mix: Sequence[float],
    seed: int,
    buffer: int,
) -> Any:
    """The conversations of the files without end, shuffled in a buffer (`datasets.IterableDataset` of Example)."""
    parts = [
        datasets.IterableDataset.from_generator(
            _rows, features=_COLUMNS, gen_kwargs={"path": path, "root": root, "model": model, "bad": bad}
        ).repeat(None)
        for path in paths
    ]
    weights = mix or [1.0] * len(parts)
    mixed = datasets.interleave_datasets(parts, [weight / sum(weights) for weight in weights], seed=seed)
    return Stream(mixed.shuffle(seed=seed, buffer_size=buffer))


class Stream(torch.utils.data.IterableDataset[Example]):
    """Rows of a `datasets.IterableDataset` as examples."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Example]:
        for row in self.rows:
            yield Example(_of_row(row), True)


def _rows(path: Path, root: Path | None, model: ModelFacts, bad: BadRecords) -> Iterator[dict[str, Any]]:
    """A file's conversations as rows. Stops at a bad one, or lists it in bad_records.jsonl, as `bad` says."""
    for one in conversations.read(path, root, model):
        if isinstance(one, Conversation):
            yield asdict(one)
        elif bad.on_bad_record == "stop":
            stop(f"{path}: {one.id}: {one.reason}; mend it, or go on without such records with on_bad_record=skip")
        elif bad.prints:
            with bad.list.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(one)) + "\n")


@dataclass(frozen=True)
class Collator:
    """A batch as `SupervisedTrainer.compute_loss` takes it; its targets are counted for the mean over an update.

    It holds no tensor: in a training that goes on accelerate would send it with a copy that is waited for.
    """

    backbone: Backbone
    """Reads texts and media."""
    packing: Packing
    """How conversations are put into rows."""

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """With what can be done for it before its step: an `Ahead` of its inputs, None where they are not known yet."""
        real = [one.conversation for one in examples if one.real]  # a filler's media may never be taken
        targets = sum(len(self.backbone.response(text)) for one in real for text in one.responses)
        made = partial(self._made_ahead, [one.conversation for one in examples])
        return {"examples": list(examples), "targets": targets, "ahead": Ahead(partial(self._read, real), made)}

    def _read(self, conversations: Sequence[Conversation]) -> None:
        self.backbone.prefetch(list(dict.fromkeys(source for one in conversations for source in one.sources)))

    def _made_ahead(self, conversations: Sequence[Conversation]) -> ModelInputs | None:
        known = self.backbone.knows([one.sources for one in conversations])
        return model_inputs(self.backbone, conversations, self.packing) if known else None
