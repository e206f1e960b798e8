"""Qwen2.5-VL for training: it sees, and does not hear.

Rotary positions are triples, transformers' own (`get_rope_index`), which must be told which tokens are a video's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from transformers import BatchFeature, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from avem_train.backbones.chatml import ANSWERING, ChatMLBackbone, triples
from avem_train.data.responses import Source
from avem_train.packing.tree import Position
from model_adapters.base.frame_sampling import QWEN, ClipMedia
from model_adapters.in_process.prompts import picture_inputs

_VIDEO = 2  # among `mm_token_type_ids`


class Qwen25VLBackbone(ChatMLBackbone):
    """See `ChatMLBackbone`."""

    model_class = Qwen2_5_VLForConditionalGeneration
    processor_class = Qwen2_5_VLProcessor
    encoder_names = ("visual",)
    projector_names = ("visual.merger",)
    answering = asdict(ANSWERING)
    sampling = ANSWERING.sampling(QWEN)

    def inputs(self, prompt: str, clip_media: ClipMedia) -> BatchFeature:
        """See `ChatMLBackbone`."""
        return picture_inputs(self.processor, prompt, clip_media)

    def encoded(self, source: Source, inputs: BatchFeature) -> torch.Tensor:
        """See `ChatMLBackbone`."""
        features: torch.Tensor = self.seen(source, inputs).pooler_output
        return features

    def layout(self, kind: str, inputs: BatchFeature) -> Mapping[str, torch.Tensor]:
        """See `ChatMLBackbone`."""
        steps = torch.tensor([float(inputs["second_per_grid_ts"][0])])
        return {"video_grid_thw": inputs["video_grid_thw"], "second_per_grid_ts": steps}

    def positions(self, ids: torch.Tensor, layout: Mapping[str, Any]) -> Sequence[Position]:
        """Time, height and width of each token."""
        kinds = _VIDEO * (ids == self.model.config.video_token_id).int()
        return triples(self.model.model.get_rope_index(ids, mm_token_type_ids=kinds, **layout)[0])
