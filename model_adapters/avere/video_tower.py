"""The video tower: CLIP's vision transformer with attention over time before every layer (LanguageBind-Video)."""

import torch
from torch import nn
from transformers import initialization as init
from transformers.models.clip.modeling_clip import (
    CLIPAttention,
    CLIPEncoderLayer,
    CLIPPreTrainedModel,
    CLIPVisionEmbeddings,
)

from .configuration import AvereVisionConfig


class AvereVideoLayer(CLIPEncoderLayer):
    """A CLIP layer that first lets each spatial position, CLS too, attend over the frames of its clip."""

    def __init__(self, config: AvereVisionConfig) -> None:
        super().__init__(config)
        self.temporal_embedding = nn.Parameter(torch.zeros(1, config.num_frames, config.hidden_size))
        self.temporal_layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.temporal_attn = CLIPAttention(config)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:  # type: ignore[override]  # our tower alone calls it
        """(clips, frames, tokens, width) -> the same shape.

        The temporal embedding is part of the residual, not only of what the temporal attention sees.
        """
        clips, frames, tokens, width = hidden_states.shape
        over_time = hidden_states.transpose(1, 2).reshape(clips * tokens, frames, width) + self.temporal_embedding
        mixed, _ = self.temporal_attn(self.temporal_layer_norm1(over_time))
        over_time = (over_time + mixed).view(clips, tokens, frames, width)
        over_space = over_time.transpose(1, 2).reshape(clips * frames, tokens, width)
        attended = super().forward(over_space, attention_mask=None)  # type: ignore[arg-type]  # None is taken
        return attended.view(clips, frames, tokens, width)


class AvereVideoTower(CLIPPreTrainedModel):
    """Frames -> the hidden states of every token of every frame, CLS included; there is no final LayerNorm."""

    config_class = AvereVisionConfig
    base_model_prefix = "video_tower"
    main_input_name = "pixel_values_videos"
    input_modalities = ("video",)  # type: ignore[assignment]  # inferred from the base class's two
    _no_split_modules = ["AvereVideoLayer", "CLIPVisionEmbeddings"]  # noqa: RUF012 - a list in the base class

    def __init__(self, config: AvereVisionConfig) -> None:
        super().__init__(config)
        self.embeddings = CLIPVisionEmbeddings(config)
        self.pre_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layers = nn.ModuleList(AvereVideoLayer(config) for _ in range(config.num_hidden_layers))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, AvereVideoLayer):
            init.normal_(module.temporal_embedding, std=self.config.initializer_range)

    def forward(self, pixel_values_videos: torch.Tensor, num_layers: int | None = None) -> torch.Tensor:
        """(clips, frames, 3, height, width) -> (clips, frames, tokens, width) after `num_layers` layers (None: all).

        Raises ValueError for clips of another number of frames than the configured one.
        """
        clips, frames = pixel_values_videos.shape[:2]
        if frames != self.config.num_frames:
            raise ValueError(f"the video tower takes clips of {self.config.num_frames} frames, not of {frames}")
        hidden_states = self.pre_layernorm(self.embeddings(pixel_values_videos.flatten(0, 1)))
        hidden_states = hidden_states.view(clips, frames, *hidden_states.shape[1:])
        for layer in self.layers[:num_layers]:
            hidden_states = layer(hidden_states)
        return hidden_states
