"""Settings of Emotion-LLaMA (version 1) and Emotion-LLaMA-v2 (version 2).

The defaults are the released sizes; a tiny model is the same classes with smaller numbers.
"""

from typing import TYPE_CHECKING, Any

from transformers import (
    Blip2VisionConfig,
    HubertConfig,
    LlamaConfig,
    PreTrainedConfig,
    WhisperConfig,
)

PATCHES_PER_TOKEN = 4
"""Neighbouring patches of the image that one token is made of."""
PLACEMENTS = ("released", "training")
_REQUIRED: dict[int, tuple[str, ...]] = {1: (), 2: ("whisper_config", "video_config")}


def square(config: Blip2VisionConfig) -> tuple[int, int]:
    """Pixels and patches along a side of a tower's image. Raises ValueError where it is no square."""
    size, patch = config.image_size, config.patch_size
    if not isinstance(size, int) or not isinstance(patch, int):
        raise ValueError(f"image_size {size} and patch_size {patch} must be single numbers: images are squares")
    return size, size // patch


class EmotionLlamaConfig(PreTrainedConfig):
    """All of the model. Parts may be given as configs or as dicts.

    version: 1 (image, summary features) or 2 (fusion, image, video, audio).
    placement: `released` puts tokens as the published inference does (two BOS; version 1 has all tokens at
        `<VideoHere>` and leaves `<FeatureHere>` as text), `training` as the published training does (one BOS, each
        token in its slot). For training and for models of one's own.
    hubert_config: version 1's encoder of audio. None: the model has none, and the audio feature must be given.
    whisper_config, video_config: version 2's encoders.
    feature_size: width of version 1's features.
    lora_rank, lora_alpha: of the low-rank update that belongs to the released weights (query and value projections).
    fusion_sizes: version 2's fusion module: first hidden layer, second hidden layer, output.
    video_frames, pooled_tokens: version 2: frames of a clip, and tokens that video and audio are averaged to. A frame
        gives pooled_tokens / video_frames tokens, a square.
    media_token_id: placeholder id, never looked up; by default the id after the vocabulary.
    """

    model_type = "emotion_llama"
    sub_configs = {  # noqa: RUF012 - a class attribute of the base class
        "text_config": LlamaConfig,
        "vision_config": Blip2VisionConfig,
        "hubert_config": HubertConfig,
        "whisper_config": WhisperConfig,
        "video_config": Blip2VisionConfig,
    }

    if TYPE_CHECKING:  # what `__post_init__` makes of them
        text_config: LlamaConfig
        vision_config: Blip2VisionConfig
        hubert_config: HubertConfig | None
        whisper_config: WhisperConfig
        video_config: Blip2VisionConfig
        media_token_id: int
    else:
        text_config: dict | PreTrainedConfig | None = None
        vision_config: dict | PreTrainedConfig | None = None
        hubert_config: dict | PreTrainedConfig | None = None
        whisper_config: dict | PreTrainedConfig | None = None
        video_config: dict | PreTrainedConfig | None = None
        media_token_id: int | None = None
    version: int = 1
    placement: str = "released"
    feature_size: int = 1024
    lora_rank: int = 64
    lora_alpha: float = 16.0
    lora_dropout: float = 0.05
    fusion_sizes: list[int] | tuple[int, ...] = (512, 128, 256)
    video_frames: int = 16
    pooled_tokens: int = 64
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        if self.version not in _REQUIRED:
            raise ValueError(f"version is {self.version!r}; it must be 1 or 2")
        if self.placement not in PLACEMENTS:
            raise ValueError(f"placement is {self.placement!r}; it must be 'released' or 'training'")
        self._make_part("text_config", {})
        self._make_part("vision_config", {"image_size": 448})
        for name in _REQUIRED[self.version]:
            self._make_part(name, {})
        if self.hubert_config is not None:
            self._make_part("hubert_config", {})
        if getattr(self, "media_token_id", None) is None:
            self.media_token_id = self.text_config.vocab_size
        super().__post_init__(**kwargs)

    def _make_part(self, name: str, defaults: dict[str, Any]) -> None:
        part: Any = getattr(self, name)
        if part is None or isinstance(part, dict):
            setattr(self, name, self.sub_configs[name](**(defaults | (part or {}))))

    @property
    def image_tokens(self) -> int:
        """Tokens of the image: 256 in the released models."""
        return square(self.vision_config)[1] ** 2 // PATCHES_PER_TOKEN

    @property
    def feature_tokens(self) -> int:
        """Version 1's tokens beside the image: MAE, VideoMAE, audio, CLS."""
        return 4

    @property
    def media_tokens(self) -> int:
        """Tokens of a clip: 260 in version 1, 448 in version 2."""
        if self.version == 1:
            return self.image_tokens + self.feature_tokens
        return self.image_tokens + 3 * self.pooled_tokens
