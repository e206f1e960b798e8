"""The records of supervised training: an Arrow table or a stream, several files in the shares that are asked for."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import torch
from torch.utils.data import Dataset

from avem_train.backbones.base import Backbone
from avem_train.data import checks, conversations
from avem_train.data.conversations import Conversation
from avem_train.data.model_facts import ModelFacts
from avem_train.data.records import Problem
from avem_train.dpo.dataset import EpochSampler, Sample
from emorealm_tasks import files, settings
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.errors import stop

_TEXT, _TEXTS = datasets.Value("string"), datasets.List(datasets.Value("string"))
_COLUMNS = datasets.Features(
    {"id": _TEXT, "video": _TEXT, "audio": _TEXT, "own_sound": datasets.Value("bool"), "prompts": _TEXTS}
    | {"responses": _TEXTS}
)
_CHUNK = 10_000  # records that are Python objects at once
_MEGA = 50  # updates within which records are put in the order of their lengths


@dataclass(frozen=True)
class Example:
    """A place in a batch."""

    conversation: Conversation
    """What is asked and answered."""
    real: bool
    """Whether it counts; a filler does not."""


def held(
    paths: Sequence[Path], root: Path | None, model: ModelFacts, bad: checks.BadRecords, check_media: bool
) -> list[Any]:
    """The conversations of each file as an Arrow table (`datasets.Dataset`).

    Bad ones are listed in bad_records.jsonl. Stops at them where `bad` says so, and where a file has no other.
    """
    listed_in = bad.out / checks.BAD_RECORDS
    listed_in.unlink(missing_ok=True)
    tables, problems = [], []
    for path in paths:
        table, faults, count = _table(path, root, model, check_media)
        tables.append(table)
        problems += faults
        if faults and bad.prints:
            print(checks.report(path, count, faults), file=sys.stderr)
        if not len(table) and bad.on_bad_record == "skip":
            stop(f"{path}: there is no conversation in it that can be trained on")
    if problems:
        files.write(listed_in, "".join(json.dumps(asdict(problem)) + "\n" for problem in problems))
        if bad.on_bad_record == "stop":
            stop(f"all of them are listed in {listed_in}; mend them, or go on without them with on_bad_record=skip")
    return tables


def _table(path: Path, root: Path | None, model: ModelFacts, check_media: bool) -> tuple[Any, list[Problem], int]:
    """A file's good conversations, the problems of the others, and how many items there are."""
    parts, problems, count = [], [], 0
    found = conversations.read(path, root, model)
    while chunk := list(islice(found, _CHUNK)):
        count += len(chunk)
        problems += [one for one in chunk if isinstance(one, Problem)]
        good = [one for one in chunk if isinstance(one, Conversation)]
        faults = _media_faults(good) if check_media else {}
        problems += [problem for number in faults for problem in faults[number]]
        good = [one for number, one in enumerate(good) if number not in faults]
        columns = {field.name: [getattr(one, field.name) for one in good] for field in fields(Conversation)}
        parts.append(datasets.Dataset.from_dict(columns, features=_COLUMNS))
    if not count:
        stop(f"{path}: there is no conversation in it")
    return datasets.concatenate_datasets(parts), problems, count


def _media_faults(good: Sequence[Conversation]) -> dict[int, list[Problem]]:
    """Number of a conversation -> what is wrong with its files."""
    paths = {path for one in good for path in one.files.values()}
    probed = availability.probe_files(sorted(paths), settings.load().cache)
    faults = {}
    for number, one in enumerate(good):
        outcomes = ((kind, path, probed[path]) for kind, path in one.files.items())
        found = [problem for outcome in outcomes if (problem := _media_fault(one.id, *outcome))]
        if found:
            faults[number] = found
    return faults


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
        self.lengths: Sequence[int] | None = None
        """Of each record, where batches are of about one length."""

    def order(self, generator: torch.Generator) -> list[int]:
        """Numbers of an epoch's records; the files' records are numbered one file after the other."""
        chosen = torch.arange(self.records)
        if self.mix:
            shares = [self.records * weight / sum(self.mix) for weight in self.mix]
            starts = [sum(self.sizes[:number]) for number in range(len(self.sizes))]
            ends = [round(sum(shares[: number + 1])) - round(sum(shares[:number])) for number in range(len(shares))]
            files = zip(starts, self.sizes, ends, strict=True)
            chosen = torch.cat([start + _rounds(size, count, generator) for start, size, count in files])
        order: list[int] = chosen[torch.randperm(len(chosen), generator=generator)].tolist()
        if self.lengths is None:
            return order
        mega = _MEGA * self.update
        lengths = self.lengths
        parts = [sorted(order[start : start + mega], key=lengths.__getitem__) for start in range(0, len(order), mega)]
        return [number for part in parts for number in part]


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

    def lengths(self) -> list[int]:
        """Characters of each one's texts."""
        texts = zip(self.table["prompts"], self.table["responses"], strict=True)
        return [sum(map(len, (*prompts, *responses))) for prompts, responses in texts]


def _of_row(row: dict[str, Any]) -> Conversation:
    return Conversation(**row | {name: tuple(row[name]) for name in ("prompts", "responses")})


def stream(
    paths: Sequence[Path],
    root: Path | None,
    model: ModelFacts,
    bad: checks.BadRecords,
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


def _rows(path: Path, root: Path | None, model: ModelFacts, bad: checks.BadRecords) -> Iterator[dict[str, Any]]:
    """A file's conversations as rows. Stops at a bad one, or lists it in bad_records.jsonl, as `bad` says."""
    for one in conversations.read(path, root, model):
        if isinstance(one, Conversation):
            yield asdict(one)
        elif bad.on_bad_record == "stop":
            stop(f"{path}: {one.id}: {one.reason}; mend it, or go on without such records with on_bad_record=skip")
        elif bad.prints:
            with (bad.out / checks.BAD_RECORDS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(one)) + "\n")


def collator(backbone: Backbone) -> Callable[[Sequence[Example]], dict[str, Any]]:
    """The collator: starts reading a batch's media, and counts its targets for the mean over an update."""

    def collate(examples: Sequence[Example]) -> dict[str, Any]:
        backbone.prefetch(list(dict.fromkeys(source for one in examples for source in one.conversation.sources)))
        targets = [
            id_
            for one in examples
            if one.real
            for text in one.conversation.responses
            for id_ in backbone.response(text)
        ]
        labels = torch.tensor([[-100, *targets]])  # the first one is never counted: some losses shift labels
        return {"examples": list(examples), "labels": labels}

    return collate
