"""AVERE, native to transformers: configuration, model, processor, converter, and the adapter for lmms-eval.

The classes are imported, and registered with transformers' Auto classes, when the first of them is asked for:
transformers takes seconds, and whatever can be told without it is told at once.
"""

from typing import TYPE_CHECKING

from emorealm_tasks import lazy

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

__getattr__ = lazy.names(__name__, {"classes": __all__})
