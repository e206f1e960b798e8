"""Qwen3-Omni's thinker for training: text out, video and sound in.

What it needs beyond Qwen2.5-Omni: its first layers take features of the picture too (DeepStack), its positions are no
whole numbers, and its linear layers are experts' in part. LoRA adapts those of attention; experts and their router are
frozen.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from transformers import (
    BatchFeature,
    PreTrainedModel,
    ProcessorMixin,
    Qwen3OmniMoeProcessor,
    Qwen3OmniMoeThinkerForConditionalGeneration,
)

from avem_train.backbones.qwen_omni import QwenOmniBackbone
from avem_train.data.responses import Source


class Qwen3OmniBackbone(QwenOmniBackbone):
    """See `ChatMLBackbone`. `load` takes a folder of the whole Qwen3-Omni, or of a thinker alone."""

    model_class: ClassVar[type[PreTrainedModel]] = Qwen3OmniMoeThinkerForConditionalGeneration
    processor_class: ClassVar[type[ProcessorMixin]] = Qwen3OmniMoeProcessor
    projector_names = ("visual.merger", "audio_tower.proj1", "audio_tower.proj2")
    system = None

    def picture(self, source: Source, inputs: BatchFeature) -> torch.Tensor:
        """Features of a video, (tokens, 1 + layers that take some, hidden)."""
        seen = self.seen(source, inputs)
        return torch.stack([seen.pooler_output, *seen.deepstack_features], 1)

    def sound(self, mel: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Features of mel frames (bins, frames) whose number is `length` (1,)."""
        features: torch.Tensor = self.frozen.audio_tower(mel, feature_lens=length).last_hidden_state
        return features

    @property
    def projectors(self) -> Sequence[str]:
        """Also the maps to features of further layers."""
        merger, *others = super().projectors
        return (merger, *(f"{merger}_list.{place}" for place in range(len(self.frozen.visual.merger_list))), *others)
