"""Questions -> batches that one call of `generate` can answer, and what that call is told."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_adapters.clip import Clip

_DEFAULT_NEW_TOKENS = 512


def generation_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A task's generation settings as `generate` takes them; `settings` stays as it is.

    Greedy unless the task asks for sampling or a temperature; a checkpoint's own sampling settings then count for
    nothing, its others (such as a repetition penalty) do.
    """
    temperature = settings.get("temperature") or 0.0
    sample = bool(settings.get("do_sample") or temperature > 0)
    drawn = {"temperature": temperature or 1.0, "top_p": settings.get("top_p") or 1.0} if sample else {}
    return {
        "max_new_tokens": max(1, int(settings.get("max_new_tokens") or _DEFAULT_NEW_TOKENS)),
        "num_beams": int(settings.get("num_beams") or 1),
        "do_sample": sample,
        **({"temperature": None, "top_p": None, "top_k": None} | drawn),
    }


def batches(asked: Sequence[tuple[Clip, Mapping[str, Any]]], size: int) -> list[list[int]]:
    """Numbers of questions (clip, generation settings), at most `size` a batch, each number once.

    One batch shares its settings and its modalities; questions about one clip follow one another.
    """
    groups: dict[tuple[Any, ...], dict[Clip, list[int]]] = {}
    for number, (clip, settings) in enumerate(asked):
        kind = (clip.video is not None, clip.audio is not None, tuple(sorted(settings.items())))
        groups.setdefault(kind, {}).setdefault(clip, []).append(number)
    ordered = [[number for numbers in group.values() for number in numbers] for group in groups.values()]
    return [numbers[start : start + size] for numbers in ordered for start in range(0, len(numbers), size)]
