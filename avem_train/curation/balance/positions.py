"""Where the right option stands: at each position equally often."""

from collections import Counter
from collections.abc import Sequence


def spread(positions: Sequence[int], options: int) -> list[int]:
    """New positions of right options, below `options`: no two are taken more than once more, few move.

    Earlier ones stay where they are as far as that allows.
    """
    base, rest = divmod(len(positions), options)
    counts = Counter(positions)
    largest = sorted(range(options), key=lambda position: (-counts[position], position))
    free = {position: base + (largest.index(position) < rest) for position in range(options)}
    settled: list[int | None] = []
    for position in positions:
        stays = free[position] > 0
        free[position] -= stays
        settled.append(position if stays else None)
    open_places = iter([position for position in range(options) for _ in range(free[position])])
    return [next(open_places) if position is None else position for position in settled]


def rotated(items: Sequence[str], steps: int) -> list[str]:
    """The items, each `steps` further; those that pass the end come first."""
    cut = -steps % len(items)
    return [*items[cut:], *items[:cut]]
