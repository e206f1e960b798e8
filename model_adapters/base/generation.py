"""A task's generation settings -> the arguments of transformers' `generate`."""

from collections.abc import Mapping
from typing import Any

_DEFAULT_NEW_TOKENS = 512


def generation_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A task's generation settings as `generate` takes them; `settings` stays as it is.

    Greedy unless the task asks for sampling or a temperature; a checkpoint's own sampling settings then count for
    nothing, its others (such as a repetition penalty) do.
    """
    temperature = settings.get("temperature") or 0.0
    sample = bool(settings.get("do_sample") or temperature > 0)
    sampling = {"temperature": temperature or 1.0, "top_p": settings.get("top_p") or 1.0} if sample else {}
    return {
        "max_new_tokens": max(1, int(settings.get("max_new_tokens") or _DEFAULT_NEW_TOKENS)),
        "num_beams": int(settings.get("num_beams") or 1),
        "do_sample": sample,
        **({"temperature": None, "top_p": None, "top_k": None} | sampling),
    }
