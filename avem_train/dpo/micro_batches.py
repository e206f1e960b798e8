"""An update's records in micro-batches of at most so many tokens, padding included; their losses add up to its loss."""

from collections.abc import Callable, Sequence

from avem_train.backbones.base import Backbone, Clip
from avem_train.packing.tree import PackedRow, Token

Tokens = tuple[Token, ...]
"""A sequence as the language model reads it."""


def divided(
    records: Sequence[Sequence[Tokens]], rows: Callable[[Sequence[Tokens]], Sequence[PackedRow]], limit: int
) -> list[list[int]]:
    """Numbers of the records of each micro-batch, the longest records first, those of about one length together.

    records: the sequences of each. rows: those that hold sequences in one batch. limit: tokens of its rows, all as long
    as the longest; a record that has more stands alone.
    """
    longest = [max(map(len, sequences)) for sequences in records]
    batches: list[list[int]] = []
    inside: list[Tokens] = []
    for number in sorted(range(len(records)), key=lambda number: -longest[number]):
        together = [*inside, *records[number]]
        if inside and _padded(rows(together)) <= limit:
            batches[-1].append(number)
            inside = together
        else:
            batches.append([number])
            inside = list(records[number])
    return batches


def _padded(rows: Sequence[PackedRow]) -> int:
    return len(rows) * max(len(row.tokens) for row in rows)


class Extents:
    """Has a backbone look at clips whose prompts it is asked for, each of them once."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._seen: set[Clip] = set()

    def look(self, clips: Sequence[Clip]) -> None:
        """Encode those that were not encoded before; call it without gradients. Raises UnreadableMedium."""
        if new := [clip for clip in dict.fromkeys(clips) if clip not in self._seen]:
            self._backbone.encode(new)
            self._seen.update(new)
