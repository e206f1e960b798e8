"""avere-nano: AVERE's architecture at a size that a laptop trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from avem_train.nano.miniature import Miniature, Shape, text_config
from avem_train.nano.rendered_clips import pictures
from emorealm_tasks.mini.render.sound import synthesise
from emorealm_tasks.mini.world.sampling import Clip
from model_adapters.avere import AvereConfig, AvereForConditionalGeneration, AvereProcessor
from model_adapters.avere.processing import SYSTEM


@dataclass(frozen=True)
class AvereShape(Shape):
    """Sizes of avere-nano."""

    frames: int = 2
    """Pictures of a clip."""
    window_seconds: int = 4
    """Of sound heard."""
    span_seconds: float = 0.5
    """Sound that a speech token stands for."""
    mel_bins: int = 64
    """Of the spectrogram."""
    query_layers: int = 1
    """Of the Q-Former."""


def configuration(shape: AvereShape) -> AvereConfig:
    """The model configuration of a shape."""
    parts: dict[str, Any] = {  # settings of the parts, by name
        "text_config": text_config(shape),
        "vision_config": {
            "hidden_size": shape.vision_width,
            "intermediate_size": 4 * shape.vision_width,
            "num_hidden_layers": shape.vision_layers,
            "num_attention_heads": shape.tower_heads,
            "image_size": shape.image_size,
            "patch_size": shape.patch,
            "num_frames": shape.frames,
        },
        "audio_config": {
            "d_model": shape.audio_width,
            "encoder_layers": shape.audio_layers,
            "encoder_attention_heads": shape.tower_heads,
            "encoder_ffn_dim": 4 * shape.audio_width,
            "num_mel_bins": shape.mel_bins,
            "window_seconds": shape.window_seconds,
            "decoder_layers": 0,
        },
        "qformer_config": {
            "hidden_size": shape.audio_width,
            "num_hidden_layers": shape.query_layers,
            "num_attention_heads": shape.tower_heads,
            "intermediate_size": 2 * shape.audio_width,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "window_seconds": shape.span_seconds,
            "stride_seconds": shape.span_seconds,
        },
        "vision_feature_layer": -1,
        "max_sequence_length": 1024,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    return AvereConfig(**parts)


class AvereMiniature(Miniature):
    """See `Miniature`. Encoder states: the video tower's tokens, and the Q-Former's outputs."""

    ENCODERS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "video": ("model.video_tower.",),
        "audio": ("model.audio_tower.", "model.audio_projector."),
    }
    TEMPLATE = f"{SYSTEM} USER: ASSISTANT:"
    model: AvereForConditionalGeneration
    processor: AvereProcessor

    @classmethod
    def processor_of(cls, tokenizer: Any, shape: AvereShape) -> AvereProcessor:
        """See `Miniature`."""
        return AvereProcessor(tokenizer, configuration(shape))

    def build_model(self, shape: AvereShape) -> AvereForConditionalGeneration:
        """See `Miniature`."""
        model = AvereForConditionalGeneration(configuration(shape))
        # CLIP's tiny position embeddings vanish beside the patches', and without places the face is not learned in time
        nn.init.normal_(model.model.video_tower.embeddings.position_embedding.weight, std=0.3)
        return model

    def _language_model(self) -> Any:
        return self.model.model.language_model

    def prompt_ids(self, question: str, shown: bool) -> list[int]:
        """See `Miniature`."""
        return self.processor.encode_prompt(self.processor.prompt(question, video=shown, audio=shown))

    def text_ids(self, text: str) -> list[int]:
        """See `Miniature`."""
        ids: list[int] = self.processor.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def inputs(self, clip: Clip, modality: str) -> torch.Tensor:
        """Pixel values (frames, 3, height, width), or mel features (bins, mel frames)."""
        if modality == "video":
            return self.processor.pixel_values(pictures(clip, self.processor.config.vision_config.num_frames))
        return self.processor.input_features(synthesise(clip))

    def views(self, modality: str, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Video: all tokens of all frames before the projector. Audio: the Q-Former's outputs before its last linear
        map, and the means of the audio encoder's own states over the same windows, since through the Q-Former alone it
        is slow.
        """
        inner = self.model.model
        if modality == "video":
            return [inner.video_tower(inputs, num_layers=self.model.config.vision_layers_run).flatten(1, 2)]
        audio_states = inner.audio_tower(inputs).last_hidden_state
        window, stride = (getattr(self.model.config.qformer_config, f"{name}_states") for name in ("window", "stride"))
        return [inner.audio_projector.read(audio_states), audio_states.unfold(1, window, stride).mean(-1)]

    def encoder_parameters(self, modality: str) -> list[nn.Parameter]:
        """See `Miniature`."""
        inner = self.model.model
        if modality == "video":
            return list(inner.video_tower.parameters())
        projector = [p for name, p in inner.audio_projector.named_parameters() if not name.startswith("linear")]
        return [*(p for p in inner.audio_tower.parameters() if p.requires_grad), *projector]

    def projectors(self, modality: str) -> list[nn.Module]:
        """The video projector, or the last map of the audio projector."""
        inner = self.model.model
        return [inner.video_projector if modality == "video" else inner.audio_projector.linear]

    def project(self, modality: str, states: torch.Tensor) -> torch.Tensor:
        """See `Miniature`."""
        projected: torch.Tensor = self.projectors(modality)[0](states)
        return projected

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """See `Miniature`."""
        logits: torch.Tensor = self.model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            position_ids=batch["position_ids"],
            video_features=self.project("video", batch["video"]),
            audio_features=self.project("audio", batch["audio"]),
            use_cache=False,
        ).logits
        return logits
