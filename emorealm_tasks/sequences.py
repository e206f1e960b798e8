"""Sequences that are alike: by what they begin with (token ids, texts), or by their letters (names)."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any


def common_prefix(sequences: Sequence[Sequence[Any]], remainder: int = 0) -> int:
    """How many leading items all sequences share, leaving each at least `remainder` items. Raises ValueError for none.

    With `remainder` 1 every prompt keeps the token whose logits predict the first one of its response.
    """
    length = min(map(len, sequences)) - remainder
    first = sequences[0]
    for other in sequences[1:]:
        if first[:length] != other[:length]:
            length = next(i for i in range(length) if first[i] != other[i])
    return length


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name most like a mistyped one; "" where none is alike enough. cutoff: from 0 (any is) to 1."""
    return next(iter(get_close_matches(name, list(known), 1, cutoff)), "")
