"""Warnings about records that can be trained on but may be mistakes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
        if pairs:
            first, second = pairs[0]
            does = {"repeated": "says what {} says", "contradictory": "rejects what {} chooses"}[kind]
            lines.append(f"{kind}: {len(pairs)} records; the first, {second!r}, {does.format(repr(first))}")
    files = {str(file) for record in records for file in (record.video, record.audio, record.rejected_video) if file}
    cut = availability.incomplete(files, cache)
    lines += [f"damaged clip: {line}" for line in cut[:_MOST_LISTED]]
    return [*lines, f"damaged clip: {len(cut) - _MOST_LISTED} more"] if len(cut) > _MOST_LISTED else lines


def repeated(records: Sequence["Preference"]) -> list[tuple[str, str]]:
    """Ids of records that ask and answer the same about the same clip: the first one's, the later one's."""
    first: dict[tuple[object, ...], str] = {}
    pairs = []
    for record in records:
        content = (*_question(record), record.chosen, record.rejected_video_relevant, record.rejected_emotion_relevant)
        earlier = first.setdefault((*content, record.rejected_irrelevant), record.id)
        if earlier != record.id:
            pairs.append((earlier, record.id))
    return pairs


def contradictory(records: Sequence["Preference"], responses: Sequence[str]) -> list[tuple[str, str]]:
    """Ids of records about the same question: one that chooses a response, and one that rejects it; once a record."""
    chosen: dict[tuple[object, ...], str] = {}
    for record in records:
        chosen.setdefault((*_question(record), record.chosen.strip()), record.id)
    pairs = []
    for record in records:
        rejected = [(*_question(record), record.response(name).strip()) for name in responses]
        by = next((chosen[content] for content in rejected if chosen.get(content, record.id) != record.id), None)
        if by is not None:
            pairs.append((by, record.id))
    return pairs


def _question(record: "Preference") -> tuple[object, ...]:
    return record.video, record.audio, record.prompt.strip()
