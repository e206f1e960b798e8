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
    """All of the model. Parts may be given as configs or as dicts."""

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
        """The language model."""
        vision_config: Blip2VisionConfig
        """The encoder of an image."""
        hubert_config: HubertConfig | None
        """Version 1's encoder of audio. None: the model has none, and the audio feature must be given."""
        whisper_config: WhisperConfig
        """Version 2's encoder of audio."""
        video_config: Blip2VisionConfig
        """Version 2's encoder of frames."""
        media_token_id: int
        """Placeholder, never looked up; by default the id after the vocabulary."""
    else:
        text_config: dict | PreTrainedConfig | None = None
        vision_config: dict | PreTrainedConfig | None = None
        hubert_config: dict | PreTrainedConfig | None = None
        whisper_config: dict | PreTrainedConfig | None = None
        video_config: dict | PreTrainedConfig | None = None
        media_token_id: int | None = None
    version: int = 1
    """1 (image, summary features) or 2 (fusion, image, video, audio)."""
    placement: str = "released"
    """`released` puts tokens as the published inference does (two BOS; version 1 has all tokens at `<VideoHere>` and
    leaves `<FeatureHere>` as text), `training` as the published training does (one BOS, each token in its slot). For
    training and for models of one's own."""
    features: str = "demo"
    """Version 1: what stands beside the image in training, and in an evaluation that does not say otherwise; a name of
    `given_features`, whose folders are of this machine."""
    feature_size: int = 1024
    """Width of version 1's features."""
    lora_rank: int = 64
    """Of the low-rank update that belongs to the released weights (query and value projections)."""
    lora_alpha: float = 16.0
    """The update is scaled by lora_alpha / lora_rank."""
    lora_dropout: float = 0.05
    """Share of its inputs that are dropped in training, 0 to 1."""
    fusion_sizes: list[int] | tuple[int, ...] = (512, 128, 256)
    """Version 2's fusion module: first hidden layer, second hidden layer, output."""
    video_frames: int = 16
    """Version 2: frames of a clip."""
    pooled_tokens: int = 64
    """Version 2: tokens that video and audio are averaged to. A frame gives pooled_tokens / video_frames tokens, a
    square."""
    tie_word_embeddings: bool = False
    """Whether the language model's head shares its weights with the embedding table."""

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
