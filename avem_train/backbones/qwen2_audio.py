"""Qwen2-Audio for training: it hears the first 30 s, and does not see.

Its encoder takes 30 s always, and a mask of what is sound in them.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import (
    BatchFeature,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
)

from avem_train.backbones.chatml import ChatMLBackbone
from avem_train.data.negatives import altered
from avem_train.data.responses import Source
from model_adapters.base.frame_sampling import ClipMedia
from model_adapters.base.transfer import to_device
from model_adapters.in_process.prompts import sound_inputs


class Qwen2AudioBackbone(ChatMLBackbone):
    """See `ChatMLBackbone`."""

    model_class = Qwen2AudioForConditionalGeneration
    processor_class = Qwen2AudioProcessor
    encoder_names = ("audio_tower", "multi_modal_projector")
    projector_names = ("multi_modal_projector",)

    def __init__(self, model: PreTrainedModel, processor: ProcessorMixin, folder: Path, cache_bytes: int) -> None:
        super().__init__(model, processor, folder, cache_bytes)
        owner: Any = self.frozen.owner  # its forward asks where the encoder lies, whether or not it is given sound
        owner.audio_tower = SimpleNamespace(device=model.device)

    def inputs(self, prompt: str, clip_media: ClipMedia) -> BatchFeature:
        """See `ChatMLBackbone`."""
        return sound_inputs(self.processor, prompt, clip_media, self.sampling.rate)

    def encoded(self, source: Source, inputs: BatchFeature) -> torch.Tensor:
        """See `ChatMLBackbone`."""
        audio, device = self.frozen.audio_tower, self.model.device
        mel, length = inputs["input_features"], inputs["feature_attention_mask"].sum(-1)
        mel = torch.cat([altered(mel[..., :length], source.noise), mel[..., length:]], -1)
        frames, tokens = audio._get_feat_extract_output_lengths(length)
        padding = torch.arange(audio.max_source_positions, device=device) >= to_device(frames, device)
        mask = torch.zeros(len(padding), dtype=audio.dtype, device=device).masked_fill(
            padding, torch.finfo(audio.dtype).min
        )
        states = audio(to_device(mel, device, audio.dtype), attention_mask=mask[None, None, None]).last_hidden_state
        features: torch.Tensor = self.frozen.multi_modal_projector(states)[0, : int(tokens)]
        return features
