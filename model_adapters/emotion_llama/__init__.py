"""Emotion-LLaMA and Emotion-LLaMA-v2, native to transformers: configuration, model, processor, converter, adapters.

The classes are imported, and registered with transformers' Auto classes, when the first of them is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classes import EmotionLlamaConfig, EmotionLlamaForConditionalGeneration, EmotionLlamaProcessor

__all__ = ["EmotionLlamaConfig", "EmotionLlamaForConditionalGeneration", "EmotionLlamaProcessor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import classes

    return getattr(classes, name)
