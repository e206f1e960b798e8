"""Warnings about records that can be trained on but may be mistakes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avem_train.data import repeats
from emorealm_tasks.benchmarks import availability

if TYPE_CHECKING:
    from avem_train.data.records import Preference

_MOST_LISTED = 5  # clips spelled out


def notices(records: Sequence["Preference"], unread: Sequence[str], responses: Sequence[str], cache: Path) -> list[str]:
    """The lines to print.

    unread: what `unknown` says of the file. responses: the rejected responses in use. cache: see
    `availability.incomplete`.
    """
    lines = list(unread)
    for kind, pairs in (("repeated", repeated(records)), ("contradictory", contradictory(records, responses))):
        if pair := next(pairs, None):
            count = 1 + sum(1 for _ in pairs)
            does = {"repeated": "says what {} says", "contradictory": "rejects what {} chooses"}[kind]
            lines.append(f"{kind}: {count} records; the first, {pair[1]!r}, {does.format(repr(pair[0]))}")
    files = {str(file) for record in records for file in (record.video, record.audio, record.rejected_video) if file}
    cut = availability.incomplete(files, cache)
    lines += [f"damaged clip: {line}" for line in cut[:_MOST_LISTED]]
    return [*lines, f"damaged clip: {len(cut) - _MOST_LISTED} more"] if len(cut) > _MOST_LISTED else lines


def repeated(records: Sequence["Preference"]) -> Iterator[tuple[str, str]]:
    """Ids of records that ask and answer the same about the same clip: the first one's, the later one's."""
    for _, earlier, record in repeats.repeated(records, _content):
        if earlier.id != record.id:
            yield earlier.id, record.id


def contradictory(records: Sequence["Preference"], responses: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Ids of records about the same question: one that chooses a response, and one that rejects it; once a record."""
    chosen = repeats.numbers(_chosen(record) for record in records)
    both = set()
    for name in responses:
        rejected = repeats.numbers(_rejected(record, name) for record in records)
        both |= set(np.intersect1d(chosen, rejected).tolist())
    if not both:
        return
    first: dict[tuple[object, ...], str] = {}
    for number, record in enumerate(records):
        if int(chosen[number]) in both:
            first.setdefault(_chosen(record), record.id)
    for record in records:
        found = (first.get(_rejected(record, name), record.id) for name in responses)
        if (by := next((one for one in found if one != record.id), None)) is not None:
            yield by, record.id


def _content(record: "Preference") -> tuple[object, ...]:
    responses = record.chosen, record.rejected_video_relevant, record.rejected_emotion_relevant
    return (*_question(record), *responses, record.rejected_irrelevant)


def _chosen(record: "Preference") -> tuple[object, ...]:
    return *_question(record), record.chosen.strip()


def _rejected(record: "Preference", name: str) -> tuple[object, ...]:
    return *_question(record), record.response(name).strip()


def _question(record: "Preference") -> tuple[object, ...]:
    return record.video, record.audio, record.prompt.strip()
