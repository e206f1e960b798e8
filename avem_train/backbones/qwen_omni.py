"""Qwen2.5-Omni's thinker for training: text out, video and sound in.

Rotary positions are triples, transformers' own (`get_rope_index`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import torch
from transformers import (
    BatchFeature,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from avem_train.backbones.chatml import ANSWERING, ChatMLBackbone, triples
from avem_train.data.negatives import altered
from avem_train.data.responses import Source
from avem_train.packing.tree import Position
from model_adapters.base.frame_sampling import QWEN, ClipMedia
from model_adapters.base.system_prompts import QWEN_OMNI
from model_adapters.base.transfer import to_device
from model_adapters.in_process.prompts import omni_inputs


class QwenOmniBackbone(ChatMLBackbone):
    """See `ChatMLBackbone`. `load` takes a folder of the whole Qwen2.5-Omni, or of a thinker alone."""

    model_class: ClassVar[type[PreTrainedModel]] = Qwen2_5OmniThinkerForConditionalGeneration
    processor_class: ClassVar[type[ProcessorMixin]] = Qwen2_5OmniProcessor
    encoder_names = ("visual", "audio_tower")
    projector_names: ClassVar[tuple[str, ...]] = ("visual.merger", "audio_tower.proj")
    system: ClassVar[str | None] = QWEN_OMNI
    answering = asdict(ANSWERING)
    sampling = ANSWERING.sampling(QWEN)

    def inputs(self, prompt: str, clip_media: ClipMedia) -> BatchFeature:
        """See `ChatMLBackbone`."""
        return omni_inputs(self.processor, prompt, clip_media, self.sampling.rate, ANSWERING.interleave)

    def encoded(self, source: Source, inputs: BatchFeature) -> torch.Tensor:
        """See `ChatMLBackbone`."""
        if source.kind == "video":
            return self.picture(source, inputs)
        mel = altered(inputs["input_features"][0][:, inputs["feature_attention_mask"][0].bool()], source.noise)
        length, device = torch.tensor([mel.shape[1]]), self.model.device
        return self.sound(to_device(mel, device, self.frozen.audio_tower.dtype), to_device(length, device))

    def layout(self, kind: str, inputs: BatchFeature) -> Mapping[str, torch.Tensor]:
        """See `ChatMLBackbone`."""
        if kind == "video":
            steps = torch.tensor([float(inputs["video_second_per_grid"][0])])
            return {"video_grid_thw": inputs["video_grid_thw"], "second_per_grids": steps}
        return {"audio_seqlens": inputs["feature_attention_mask"].sum(-1)}

    def picture(self, source: Source, inputs: BatchFeature) -> torch.Tensor:
        """Features of a video."""
        features: torch.Tensor = self.seen(source, inputs).pooler_output
        return features

    def sound(self, mel: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Features of mel frames (bins, frames) whose number is `length` (1,)."""
        audio = self.frozen.audio_tower
        after_cnn, _ = audio._get_feat_extract_output_lengths(length)
        features: torch.Tensor = audio(mel, feature_lens=length, aftercnn_lens=after_cnn).last_hidden_state
        return features

    def positions(self, ids: torch.Tensor, layout: Mapping[str, Any]) -> Sequence[Position]:
        """Time, height and width of each token."""
        return triples(self.model.get_rope_index(ids, attention_mask=torch.ones_like(ids), **layout)[0])
