"""Questions -> batches that one call of `generate` can answer, and the settings of that call."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_adapters.base.media_refs import ClipFiles


def batches(questions: Sequence[tuple[ClipFiles, Mapping[str, Any]]], size: int) -> list[list[int]]:
    """Numbers of questions (clip, generation settings), at most `size` a batch, each number once.

    One batch shares its settings and its modalities; questions about one clip follow one another.
    """
    groups: dict[tuple[Any, ...], dict[ClipFiles, list[int]]] = {}
    for number, (clip, settings) in enumerate(questions):
        kind = (clip.video is not None, clip.audio is not None, tuple(sorted(settings.items())))
        groups.setdefault(kind, {}).setdefault(clip, []).append(number)
    ordered = [[number for numbers in group.values() for number in numbers] for group in groups.values()]
    return [numbers[start : start + size] for numbers in ordered for start in range(0, len(numbers), size)]
