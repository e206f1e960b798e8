"""Sequences that begin alike: token ids, tokens, texts."""

from collections.abc import Sequence
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
