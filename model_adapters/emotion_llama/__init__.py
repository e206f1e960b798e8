"""Emotion-LLaMA and Emotion-LLaMA-v2, native to transformers: configuration, model, processor, converter, adapters.

The classes are imported, and registered with transformers' Auto classes, when the first of them is asked for.
"""

from typing import TYPE_CHECKING

from emorealm_tasks import lazy

if TYPE_CHECKING:
    from .classes import EmotionLlamaConfig, EmotionLlamaForConditionalGeneration, EmotionLlamaProcessor

__all__ = ["EmotionLlamaConfig", "EmotionLlamaForConditionalGeneration", "EmotionLlamaProcessor"]

__getattr__ = lazy.names(__name__, {"classes": __all__})
