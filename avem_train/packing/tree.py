"""Sequences with common prefixes in rows that hold every prefix once: a prefix tree of segments.

`prefix` has one prefix and its branches; here branches branch again. Responses to one prompt share media and prompt;
the same response under another sound shares the picture before it; two responses share the words they begin with. A
token sees its own segment and the segments before it on the way to the root, at the positions that it would have alone,
so every sequence has the log-probabilities of a row of its own.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import torch

from emorealm_tasks.sequences import common_prefix

Position = float | tuple[float, float, float]
"""Where a token stands: a number, or one each for time, height and width (Qwen's models that see)."""


class Token(NamedTuple):
    """One input. Equal tokens are the same input."""

    id: int
    """In the vocabulary."""
    position: Position
    """Where it stands in its sequence."""
    medium: Hashable = None
    """What the input is a feature of; None for one of the embedding table."""
    row: int = 0
    """Which of the medium's features."""


@dataclass
class PackedRow:
    """One row of a batch: a prefix tree."""

    tokens: list[Token] = field(default_factory=list)
    """What stands in it."""
    segment: list[int] = field(default_factory=list)
    """Of each token."""
    parents: list[int] = field(default_factory=list)
    """Of each segment, -1 at a root; smaller than its own number."""
    places: dict[int, list[int]] = field(default_factory=dict)
    """Sequence number -> where its tokens are."""


class Packing(NamedTuple):
    """How sequences are put into rows; values are those of a row each, to rounding (1e-5 in float32)."""

    share: bool = True
    """Sequences that begin alike share that beginning (`rows`)."""
    row_tokens: int = 0
    """Rows are joined up to so many tokens, none seeing another (`joined`); 0 = they are not."""

    def rows(self, sequences: Sequence[Sequence[Token]]) -> list[PackedRow]:
        """Rows that hold all sequences (none empty), each in one of them."""
        found = rows(sequences, self.share)
        return joined(found, self.row_tokens) if self.row_tokens else found


SHARED = Packing()
"""As training has it unless told otherwise."""


def rows(sequences: Sequence[Sequence[Token]], share: bool = True) -> list[PackedRow]:
    """Rows that hold all sequences (none empty), each in one of them.

    A sequence joins a row where at least half of it is shared with the row's first; others would only make the row's
    attention longer. A row stays shorter than twice the longest sequence: a batch is padded to its longest row, and
    prompts without media, which all begin alike, would otherwise gather in one. Without `share` every sequence has a
    row of its own: the plain way, which sharing must equal.
    """
    limit = 2 * max(map(len, sequences), default=0)
    groups: list[list[int]] = []
    lengths: list[int] = []
    for number, sequence in enumerate(sequences):
        for place, group in enumerate(groups if share else []):
            common = common_prefix([sequences[group[0]], sequence])
            longer = lengths[place] + len(sequence) - common
            if 2 * common >= len(sequence) and longer <= limit:
                group.append(number)
                lengths[place] = longer
                break
        else:
            groups.append([number])
            lengths.append(len(sequence))
    return [_build(sequences, group) for group in groups]


def joined(rows: Sequence[PackedRow], limit: int) -> list[PackedRow]:
    """Rows of at most `limit` tokens (a longer one stays alone), each made of several whose trees stand side by side.

    No tree sees another, so every sequence has the values that it has in a row of its own; there is less padding, and
    fewer rows. The longest rows come first, each into the first row that has room.
    """
    filled: list[PackedRow] = []
    for row in sorted(rows, key=lambda row: -len(row.tokens)):
        into = next((one for one in filled if len(one.tokens) + len(row.tokens) <= limit), None)
        if into is None:
            filled.append(PackedRow(list(row.tokens), list(row.segment), list(row.parents), dict(row.places)))
            continue
        tokens, segments = len(into.tokens), len(into.parents)
        into.places |= {number: [tokens + place for place in places] for number, places in row.places.items()}
        into.tokens += row.tokens
        into.segment += [segments + segment for segment in row.segment]
        into.parents += [parent if parent < 0 else segments + parent for parent in row.parents]
    return filled


def _build(sequences: Sequence[Sequence[Token]], group: list[int]) -> PackedRow:
    row = PackedRow(places={number: [] for number in group})
    _extend(row, sequences, group, 0, -1)
    return row


def _extend(row: PackedRow, sequences: Sequence[Sequence[Token]], group: list[int], start: int, parent: int) -> None:
    """Append what the group's sequences, equal up to `start`, still share; then every branch."""
    first = sequences[group[0]]
    end = common_prefix([sequences[number] for number in group])
    if end > start:
        places = range(len(row.tokens), len(row.tokens) + end - start)
        row.tokens += first[start:end]
        row.parents.append(parent)
        parent = len(row.parents) - 1
        row.segment += [parent] * len(places)
        for number in group:
            row.places[number] += places
    branches: dict[Token, list[int]] = {}
    for number in group:
        if len(sequences[number]) > end:
            branches.setdefault(sequences[number][end], []).append(number)
    for branch in branches.values():
        _extend(row, sequences, branch, end, parent)


def prefix_length(batch: Sequence[PackedRow], length: int) -> int:
    """How many tokens of every row, padded on the right to `length`, see what is before them and no more.

    All of a row without branches: nothing is behind its padding that could see it.
    """
    return min((row.segment.count(0) for row in batch if len(row.parents) > 1), default=length)


class Extent(NamedTuple):
    """Where a tree stands in its row."""

    start: int
    """Its first token."""
    branches: int
    """Where its first branch begins: its tokens before that see what is before them in it. Its end if it has none."""
    end: int
    """Behind its last token."""


def trees(row: PackedRow) -> list[Extent]:
    """The trees of a row: one, unless rows were `joined`."""
    roots: list[int] = []
    for segment, parent in enumerate(row.parents):
        roots.append(segment if parent < 0 else roots[parent])
    of_root, of_tree = Counter(row.segment), Counter(roots[segment] for segment in row.segment)
    ends = zip(of_tree, of_tree.values(), accumulate(of_tree.values()), strict=True)
    return [Extent(end - size, end - size + of_root[root], end) for root, size, end in ends]


def visible(row: PackedRow, since: int = 0, within: Extent | None = None) -> torch.Tensor:
    """Which tokens the tokens of a row from `since` on may see: bool (tokens - since, tokens), [i, j] = i sees j.

    within: tokens of this tree alone, in it.
    """
    start, end = (within.start, within.end) if within else (0, len(row.tokens))
    count = len(row.parents)
    above = torch.eye(count, dtype=torch.bool)
    for segment, parent in enumerate(row.parents):
        if parent >= 0:
            above[segment] |= above[parent]
    of_token = torch.tensor(row.segment[start:end])
    of_segment = above.repeat_interleave(torch.bincount(of_token, minlength=count), dim=1)  # segments are contiguous
    return of_segment[of_token[since - start :]].tril_(since - start)


def mask(batch: Sequence[PackedRow], length: int, since: int = 0) -> torch.Tensor:
    """Bool (rows, 1, length - since, length) of rows padded on the right: what the tokens from `since` on may see.

    Padding sees itself, so that no line is empty.
    """
    allowed = torch.zeros(len(batch), 1, length - since, length, dtype=torch.bool)
    for of_row, row in zip(allowed[:, 0], batch, strict=True):
        size = len(row.tokens)
        lines = max(0, size - since)
        of_row[:lines, :size] = visible(row, since)
        of_row[lines:, since + lines :].fill_diagonal_(True)
    return allowed


def real(batch: Sequence[PackedRow], length: int) -> torch.Tensor:
    """Bool (rows, length) of rows padded on the right: True at tokens."""
    sizes = torch.tensor([len(row.tokens) for row in batch])
    return torch.arange(length) < sizes[:, None]
