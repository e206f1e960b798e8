"""emotion-llama-nano: Emotion-LLaMA's architecture (version 1) at a size that a laptop trains.

As in the released demo (`features=demo`), a clip is its first frame and one vector of its sound; the summary features
of the face are zeros. The language model is trained whole, so there is no LoRA beside its weights.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import HubertModel

from avem_train.nano.miniature import Miniature, Shape, text_config
from avem_train.nano.rendered_clips import pictures
from emorealm_tasks.mini.render.sound import synthesise
from emorealm_tasks.mini.world.sampling import Clip
from model_adapters.emotion_llama import (
    EmotionLlamaConfig,
    EmotionLlamaForConditionalGeneration,
    EmotionLlamaProcessor,
)
from model_adapters.emotion_llama.encoders import ClipEncoder
from model_adapters.emotion_llama.processing import INSTRUCTIONS, SAMPLING_RATE, answer_form

_FILTER, _HOP = 400, 320  # samples of a filter, and between two
_LOWEST, _HIGHEST = 80.0, 7600.0  # Hz
_PHASES = 4
_AUDIO_PLACE = 2  # among the three features


@dataclass(frozen=True)
class EmotionLlamaShape(Shape):
    """Sizes of emotion-llama-nano."""

    patch: int = 16
    """Of a picture, pixels."""
    filters: int = 128
    """Of the first convolution over the wave; a multiple of four."""


def configuration(shape: EmotionLlamaShape) -> EmotionLlamaConfig:
    """The model configuration of a shape. Each token has its own slot in the prompt (`placement`)."""
    vision: dict[str, Any] = {
        "hidden_size": shape.vision_width,
        "intermediate_size": 4 * shape.vision_width,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.tower_heads,
        "image_size": shape.image_size,
        "patch_size": shape.patch,
        "initializer_range": 0.02,
    }
    hubert: dict[str, Any] = {
        "hidden_size": shape.audio_width,
        "intermediate_size": 4 * shape.audio_width,
        "num_hidden_layers": shape.audio_layers,
        "num_attention_heads": shape.tower_heads,
        "conv_dim": (shape.filters, shape.audio_width),
        "conv_kernel": (_FILTER, 3),
        "conv_stride": (_HOP, 2),
        "conv_bias": True,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": shape.tower_heads,
        "apply_spec_augment": False,
    }
    rates = ("hidden_dropout", "activation_dropout", "attention_dropout", "feat_proj_dropout", "layerdrop")
    parts: dict[str, Any] = {  # settings of the parts, by name
        "text_config": text_config(shape),
        "vision_config": vision,
        "hubert_config": hubert | dict.fromkeys(rates, 0.0),
        "placement": "training",
        "feature_size": shape.audio_width,
        "lora_rank": 0,
    }
    return EmotionLlamaConfig(**parts)


class EmotionLlamaMiniature(Miniature):
    """See `Miniature`. Encoder states: those of the image, CLS first, and one vector of the sound."""

    ENCODERS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "video": ("clip_encoder.image.",),
        "audio": ("clip_encoder.hubert.",),
    }
    TEMPLATE = f"[INST] <video> </video> <feature> </feature> [{INSTRUCTIONS[1][0]}] [/INST]"
    model: EmotionLlamaForConditionalGeneration
    processor: EmotionLlamaProcessor

    @classmethod
    def processor_of(cls, tokenizer: Any, shape: EmotionLlamaShape) -> EmotionLlamaProcessor:
        """See `Miniature`."""
        return EmotionLlamaProcessor(tokenizer, configuration(shape))

    @staticmethod
    def answer_form(text: str) -> str:
        """Lower case, without full stops."""
        return answer_form(text)

    def build_model(self, shape: EmotionLlamaShape) -> EmotionLlamaForConditionalGeneration:
        """See `Miniature`."""
        model = EmotionLlamaForConditionalGeneration(configuration(shape))
        nn.init.normal_(model.clip_encoder.image.tower.embeddings.position_embedding, std=0.3)
        hubert: Any = model.clip_encoder.hubert
        first = hubert.feature_extractor.conv_layers[0].conv
        with torch.no_grad():
            first.weight.copy_(filter_bank(shape.filters)[:, None])
            # quiet frames are told from loud ones by what stands beside the signal
            nn.init.normal_(first.bias, std=0.1)
        return model

    @property
    def _clip_encoder(self) -> ClipEncoder:
        encoder: Any = self.model.clip_encoder
        of_version_1: ClipEncoder = encoder
        return of_version_1

    def _language_model(self) -> Any:
        return self.model.language_model

    def prompt_ids(self, question: str, shown: bool) -> list[int]:
        """See `Miniature`."""
        return self.processor.encode_prompt(self.processor.prompt(question, shown, INSTRUCTIONS[1][0]))

    def text_ids(self, text: str) -> list[int]:
        """See `Miniature`."""
        return self.processor.encode_piece(text)

    def inputs(self, clip: Clip, modality: str) -> torch.Tensor:
        """Pixel values of the first frame (3, height, width), or the normalised wave (samples,)."""
        if modality == "video":
            return self.processor.media(pictures(clip, 1), None)["pixel_values"][0]
        return self.processor.media(None, synthesise(clip))["input_values"][0]

    def stacked(self, rows: list[torch.Tensor]) -> torch.Tensor:
        """`inputs` of several clips as one tensor; waves are of several lengths: behind their ends is NaN."""
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=math.nan)

    def views(self, modality: str, inputs: torch.Tensor) -> list[torch.Tensor]:
        """All states of the image; the mean over time of the sound's."""
        if modality == "video":
            return [self._clip_encoder.image(inputs)]
        return [self._hear(inputs)[:, None]]

    def _hear(self, waves: torch.Tensor) -> torch.Tensor:
        """`ClipEncoder.audio_features` of waves of several lengths (clips, samples) -> (clips, width)."""
        hubert = self._clip_encoder.hubert
        assert isinstance(hubert, HubertModel)
        there = ~waves.isnan()
        states = hubert(waves.nan_to_num(), attention_mask=there.long()).last_hidden_state
        lengths = there.sum(1)
        for kernel, stride in zip(hubert.config.conv_kernel, hubert.config.conv_stride, strict=True):
            lengths = (lengths - kernel) // stride + 1
        heard = torch.arange(states.shape[1]) < lengths[:, None]
        mean: torch.Tensor = (states * heard[..., None]).sum(1) / lengths[:, None]
        return mean

    def encoder_parameters(self, modality: str) -> list[nn.Parameter]:
        """See `Miniature`."""
        encoder = self._clip_encoder.image if modality == "video" else self._clip_encoder.hubert
        assert encoder is not None
        return list(encoder.parameters())

    def projectors(self, modality: str) -> list[nn.Module]:
        """Those of patches and CLS, or that of the sound."""
        encoder = self._clip_encoder
        if modality == "video":
            return [encoder.image_projector, encoder.cls_projector]
        return [encoder.feature_projectors[_AUDIO_PLACE]]

    def project(self, modality: str, states: torch.Tensor) -> torch.Tensor:
        """See `Miniature`."""
        encoder = self._clip_encoder
        if modality == "video":
            return torch.cat(encoder.of_image(states), dim=1)
        projected: torch.Tensor = encoder.feature_projectors[_AUDIO_PLACE](states)
        return projected

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """See `Miniature`."""
        states, heard = batch["video"], batch["audio"]
        features = torch.cat([torch.zeros_like(heard).expand(-1, _AUDIO_PLACE, -1), heard], dim=1)
        logits: torch.Tensor = self.model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            position_ids=batch["position_ids"],
            media_embeds=self._clip_encoder.join(states, features),
            use_cache=False,
        ).logits
        return logits


def filter_bank(count: int) -> torch.Tensor:
    """Filters for a wave at 16 kHz (count, samples of a filter): each frequency in four phases.

    Frequencies are evenly spaced on the mel scale. Behind a rectifier the four phases add up to how loud the frequency
    is; from random filters the encoder does not find its frequencies in time.
    """
    mel = torch.linspace(_mel(_LOWEST), _mel(_HIGHEST), count // _PHASES)
    frequencies = 700 * (10 ** (mel / 2595) - 1)
    time = torch.arange(_FILTER) / SAMPLING_RATE
    phases = torch.arange(_PHASES) * (2 * math.pi / _PHASES)
    waves = torch.cos(2 * math.pi * frequencies[:, None, None] * time + phases[:, None])
    return (waves * torch.hann_window(_FILTER)).flatten(0, 1) * (2 / math.sqrt(_FILTER))


def _mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)
