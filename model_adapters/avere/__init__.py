"""AVERE, native to transformers: configuration, model, processor, converter, and the adapter for lmms-eval.

The classes are imported, and registered with transformers' Auto classes, when the first of them is asked for:
transformers takes seconds, and whatever can be told without it is told at once.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classes import (
        AvereAudioConfig,
        AvereConfig,
        AvereForConditionalGeneration,
        AvereModel,
        AvereProcessor,
        AvereQFormerConfig,
        AvereVisionConfig,
        from_released_ids,
    )

__all__ = [
    "AvereAudioConfig",
    "AvereConfig",
    "AvereForConditionalGeneration",
    "AvereModel",
    "AvereProcessor",
    "AvereQFormerConfig",
    "AvereVisionConfig",
    "from_released_ids",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import classes

    return getattr(classes, name)
