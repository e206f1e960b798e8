"""Chance that is the same on every machine and in every order: numbers drawn from a seed and names."""

import hashlib
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def draw(seed: int, *names: object) -> float:
    """A number in [0, 1), always the same for the same seed and names."""
    text = "\0".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def shuffled(items: Iterable[T], seed: int, *names: object) -> list[T]:
    """The items in an order drawn from the seed and names."""
    numbered = sorted(enumerate(items), key=lambda item: draw(seed, *names, item[0]))
    return [item for _, item in numbered]
