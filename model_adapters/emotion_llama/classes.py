"""Emotion-LLaMA's classes; importing this module registers them with transformers' Auto classes."""

from transformers import AutoConfig, AutoModelForCausalLM, AutoProcessor

from .configuration import EmotionLlamaConfig
from .modeling import EmotionLlamaForConditionalGeneration
from .processing import EmotionLlamaProcessor

AutoConfig.register("emotion_llama", EmotionLlamaConfig, exist_ok=True)
AutoModelForCausalLM.register(EmotionLlamaConfig, EmotionLlamaForConditionalGeneration, exist_ok=True)
AutoProcessor.register(EmotionLlamaConfig, EmotionLlamaProcessor, exist_ok=True)

__all__ = ["EmotionLlamaConfig", "EmotionLlamaForConditionalGeneration", "EmotionLlamaProcessor"]
