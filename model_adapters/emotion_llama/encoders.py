"""A clip -> the embeddings that stand for it in the prompt; one module for each version."""

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d
from transformers import Blip2VisionConfig, Blip2VisionModel, HubertModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from .configuration import PATCHES_PER_TOKEN, EmotionLlamaConfig
from .fusion import Fusion

_NORM_EPS = 1e-5  # of the norm after the image encoder, which is not the encoder's own


class ImageEncoder(nn.Module):
    """EVA-CLIP ViT-g and the norm after it."""

    def __init__(self, config: Blip2VisionConfig, norm_eps: float = _NORM_EPS) -> None:
        super().__init__()
        self.tower = Blip2VisionModel(config)
        self.tower.post_layernorm = nn.LayerNorm(config.hidden_size, eps=norm_eps)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """(images, 3, height, width) -> (images, 1 + patches, width), CLS first."""
        return self.tower(pixel_values).last_hidden_state


def group_patches(states: torch.Tensor) -> torch.Tensor:
    """(images, patches, width) -> (images, patches / 4, 4 width): neighbours in a row side by side."""
    images, patches, width = states.shape
    return states.reshape(images, patches // PATCHES_PER_TOKEN, PATCHES_PER_TOKEN * width)


class ClipEncoder(nn.Module):
    """Version 1: the image, and a vector each for face crops, face clip (both given) and audio (given, or HuBERT's)."""

    def __init__(self, config: EmotionLlamaConfig) -> None:
        super().__init__()
        width, hidden = config.vision_config.hidden_size, config.text_config.hidden_size
        self.image = ImageEncoder(config.vision_config)
        self.image_projector = nn.Linear(PATCHES_PER_TOKEN * width, hidden)
        self.feature_projectors = nn.ModuleList(nn.Linear(config.feature_size, hidden) for _ in range(3))
        self.cls_projector = nn.Linear(width, hidden)
        self.hubert = HubertModel(config.hubert_config) if config.hubert_config else None

    def forward(
        self,
        pixel_values: torch.Tensor,
        clip_features: torch.Tensor,
        input_values: torch.Tensor | None = None,
        audio_lengths: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(clips, 260, hidden): image, MAE, VideoMAE, audio, CLS.

        pixel_values: (clips, 3, height, width). clip_features: (clips, 3, feature size): MAE, VideoMAE, audio.
        input_values, audio_lengths: waves (clips, samples) and their lengths; the audio feature is computed from them
        where a length is above 0.
        """
        states = self.image(pixel_values)
        if input_values is not None and audio_lengths is not None:
            clip_features = clip_features.clone()
            for row, length in enumerate(audio_lengths.tolist()):
                if length:
                    clip_features[row, 2] = self.audio_features(input_values[row : row + 1, :length])[0]
        return self.join(states, clip_features.to(states.dtype))

    def join(self, states: torch.Tensor, clip_features: torch.Tensor) -> torch.Tensor:
        """The image's states (clips, 1 + patches, width) and the features of `forward` -> all embeddings."""
        features = [project(clip_features[:, place]) for place, project in enumerate(self.feature_projectors)]
        image, cls = self.of_image(states)
        return torch.cat([image, torch.stack(features, 1), cls], dim=1)

    def of_image(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The image's states -> embeddings of its patches and of CLS, (clips, tokens, hidden) each."""
        return self.image_projector(group_patches(states[:, 1:])), self.cls_projector(states[:, :1])

    def audio_features(self, input_values: torch.Tensor) -> torch.Tensor:
        """Waves of one length, 16 kHz, normalised (clips, samples) -> mean of the last states (clips, feature size).

        Raises ValueError in a model without HuBERT.
        """
        if self.hubert is None:
            raise ValueError("this model has no HuBERT: convert it with --hubert, or give clip_features")
        return self.hubert(input_values).last_hidden_state.mean(1)


class FusedClipEncoder(nn.Module):
    """Version 2: fusion, image, video and audio."""

    def __init__(self, config: EmotionLlamaConfig) -> None:
        super().__init__()
        image, video = config.vision_config.hidden_size, config.video_config.hidden_size
        audio, hidden = config.whisper_config.d_model, config.text_config.hidden_size
        self.tokens, self.frames = config.pooled_tokens, config.video_frames
        self.image = ImageEncoder(config.vision_config)
        self.video = ImageEncoder(config.video_config, config.video_config.layer_norm_eps)
        self.audio = WhisperEncoder(config.whisper_config)
        self.fusion = Fusion((audio, image, video), config.fusion_sizes)
        self.image_projector = nn.Linear(PATCHES_PER_TOKEN * image, hidden)
        self.video_projector = nn.Linear(video, hidden)
        self.audio_projector = nn.Linear(audio, hidden)
        self.fusion_projector = nn.Linear(config.fusion_sizes[2], hidden)

    def forward(
        self,
        pixel_values: torch.Tensor,
        pixel_values_videos: torch.Tensor,
        input_features: torch.Tensor,
        media_given: torch.Tensor,
    ) -> torch.Tensor:
        """(clips, 448, hidden): fusion, image, video, audio.

        pixel_values: (clips, 3, height, width). pixel_values_videos: (clips, frames, 3, height, width). input_features:
        log-mel (clips, bins, mel frames). media_given: (clips, 2) of 0 and 1, video and audio: the features of a medium
        that is not given are zeros.
        """
        states = self.image(pixel_values)
        video = self.video_features(pixel_values_videos) * media_given[:, 0, None, None].to(states.dtype)
        audio = self.audio_features(input_features) * media_given[:, 1, None, None].to(states.dtype)
        return self.join(states, video, audio)

    def join(self, states: torch.Tensor, video: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        """The image's states (clips, 1 + patches, width) and the features of video and audio -> all embeddings."""
        image_cls = states[:, :1].expand(-1, self.tokens, -1)
        parts = (
            self.fusion_projector(self.fusion((audio, image_cls, video))),
            self.image_projector(group_patches(states[:, 1:])),
            self.video_projector(video),
            self.audio_projector(audio),
        )
        return torch.cat(parts, dim=1)

    def video_features(self, pixel_values_videos: torch.Tensor) -> torch.Tensor:
        """(clips, frames, 3, height, width) -> (clips, tokens, width): a square of tokens a frame, frame by frame."""
        clips, frames = pixel_values_videos.shape[:2]
        states = self.video(pixel_values_videos.flatten(0, 1))[:, 1:]
        side, pooled = round(states.shape[1] ** 0.5), round((self.tokens // self.frames) ** 0.5)
        grid = states.transpose(1, 2).unflatten(-1, (side, side))
        return adaptive_avg_pool2d(grid, pooled).flatten(2).transpose(1, 2).reshape(clips, frames * pooled**2, -1)

    def audio_features(self, input_features: torch.Tensor) -> torch.Tensor:
        """Log-mel (clips, bins, mel frames) -> (clips, tokens, width): the states averaged over time."""
        states = self.audio(input_features.to(self.audio.conv1.weight.dtype)).last_hidden_state
        return adaptive_avg_pool1d(states.transpose(1, 2), self.tokens).transpose(1, 2)
