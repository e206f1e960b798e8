"""AVERE's classes; importing this module registers them with transformers' Auto classes."""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoProcessor

from .configuration import AvereAudioConfig, AvereConfig, AvereQFormerConfig, AvereVisionConfig
from .modeling import AvereForConditionalGeneration, AvereModel
from .processing import AvereProcessor
from .released import from_released_ids

AutoConfig.register("avere", AvereConfig, exist_ok=True)
AutoModel.register(AvereConfig, AvereModel, exist_ok=True)
AutoModelForCausalLM.register(AvereConfig, AvereForConditionalGeneration, exist_ok=True)
AutoProcessor.register(AvereConfig, AvereProcessor, exist_ok=True)

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
