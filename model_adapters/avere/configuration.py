"""Settings of AVERE: four parts (video tower, audio tower, Q-Former, language model) and how they are joined.

The defaults are those of the released 7B model (paper, Section D.2); a nano model is the same classes with smaller
numbers.
"""

from typing import TYPE_CHECKING, Any

from transformers import Blip2QFormerConfig, CLIPVisionConfig, LlamaConfig, PreTrainedConfig, WhisperConfig

STATES_PER_SECOND = 50
"""Whisper's encoder gives one state for two mel frames of 10 ms."""


class AvereVisionConfig(CLIPVisionConfig):
    """The video tower: a CLIP vision transformer whose layers also attend over `num_frames` frames of a clip."""

    model_type = "avere_vision"

    hidden_size: int = 1024
    """Width of a token."""
    intermediate_size: int = 4096
    """Width of the feed-forward layers."""
    num_hidden_layers: int = 24
    """Layers, each with attention over space and over time."""
    num_attention_heads: int = 16
    """Heads of each attention; they divide `hidden_size`."""
    image_size: int = 224
    """Height and width of a frame, pixels."""
    patch_size: int = 14
    """Height and width of a patch, pixels."""
    hidden_act: str = "gelu"
    """Activation of the feed-forward layers, as transformers names it."""
    num_frames: int = 8
    """Frames of a clip."""

    @property
    def tokens_per_frame(self) -> int:
        """One token a patch, and CLS."""
        return (self.image_size // self.patch_size) ** 2 + 1


class AvereAudioConfig(WhisperConfig):
    """The audio tower: a Whisper encoder that hears `window_seconds` of sound, no more and no less.

    `max_source_positions` follows from the window.
    """

    model_type = "avere_audio"

    d_model: int = 1280
    """Width of a state."""
    encoder_layers: int = 32
    """Layers of the encoder."""
    encoder_attention_heads: int = 20
    """Heads of each attention; they divide `d_model`."""
    encoder_ffn_dim: int = 5120
    """Width of the feed-forward layers."""
    num_mel_bins: int = 128
    """Mel bins of the input."""
    window_seconds: int = 30
    """Seconds of sound that are heard."""

    def __post_init__(self, **kwargs: Any) -> None:
        self.max_source_positions = STATES_PER_SECOND * self.window_seconds
        super().__post_init__(**kwargs)


class AvereQFormerConfig(Blip2QFormerConfig):
    """The speech projector: learned queries read each window of the audio tower's states.

    `encoder_hidden_size`, the audio tower's width, is filled in by `AvereConfig`.
    """

    model_type = "avere_qformer"

    num_hidden_layers: int = 2
    """Layers of the Q-Former."""
    cross_attention_frequency: int = 1
    """Every how many layers the queries attend over the states."""
    output_hidden_size: int = 4096
    """Width of a token for the language model; `AvereConfig` fills in its own."""
    num_query_tokens: int = 1
    """Queries, and so tokens, of each window."""
    window_seconds: float = 0.33333
    """Length of a window, in seconds."""
    stride_seconds: float = 0.33333
    """Seconds from the start of a window to that of the next."""

    @property
    def window_states(self) -> int:
        """Length of a window in states; halves are rounded to even, as the released model does."""
        return round(STATES_PER_SECOND * self.window_seconds)

    @property
    def stride_states(self) -> int:
        """Distance between the starts of two windows in states."""
        return round(STATES_PER_SECOND * self.stride_seconds)


class AvereConfig(PreTrainedConfig):
    """All of AVERE. Parts may be given as configs or as dicts; a part left out has the released sizes."""

    model_type = "avere"
    sub_configs = {  # noqa: RUF012 - a class attribute of the base class
        "text_config": LlamaConfig,
        "vision_config": AvereVisionConfig,
        "audio_config": AvereAudioConfig,
        "qformer_config": AvereQFormerConfig,
    }

    if TYPE_CHECKING:  # what `__post_init__` makes of them
        text_config: LlamaConfig
        """The language model."""
        vision_config: AvereVisionConfig
        """The video tower."""
        audio_config: AvereAudioConfig
        """The audio tower."""
        qformer_config: AvereQFormerConfig
        """The speech projector."""
        video_token_id: int
        """Placeholder, repeated `video_tokens` times a clip; never looked up in the embedding table. By default the id
        after the vocabulary."""
        audio_token_id: int
        """Placeholder, repeated `audio_tokens` times a clip; as `video_token_id`. By default the id after that."""
    else:
        text_config: dict | PreTrainedConfig | None = None
        vision_config: dict | PreTrainedConfig | None = None
        audio_config: dict | PreTrainedConfig | None = None
        qformer_config: dict | PreTrainedConfig | None = None
        video_token_id: int | None = None
        audio_token_id: int | None = None
    vision_feature_layer: int = -2
    """Index of the video tower's hidden state that is used, counted as in `hidden_states` of transformers (0 =
    embeddings). The released model takes the output of the last layer but one."""
    max_sequence_length: int = 3072
    """The released model cuts merged sequences here, in tokens (see `from_released_ids`)."""
    tie_word_embeddings: bool = False
    """Whether the language model's head shares its weights with the embedding table."""

    def __post_init__(self, **kwargs: Any) -> None:
        for name, kind in self.sub_configs.items():
            part = getattr(self, name)
            if part is None or isinstance(part, dict):
                setattr(self, name, kind(**(part or {})))
        self.qformer_config.encoder_hidden_size = self.audio_config.d_model
        self.qformer_config.output_hidden_size = self.text_config.hidden_size
        for place, name in enumerate(("video_token_id", "audio_token_id")):
            if getattr(self, name) is None:
                setattr(self, name, self.text_config.vocab_size + place)
        super().__post_init__(**kwargs)

    @property
    def video_tokens(self) -> int:
        """Embeddings a video hands to the language model: 8 x 257 = 2056 in the released model."""
        return self.vision_config.num_frames * self.vision_config.tokens_per_frame

    @property
    def audio_windows(self) -> int:
        """Whole windows in the audio tower's states; the states left over are not heard (88 of 17, 4 left over)."""
        states = self.audio_config.max_source_positions
        return (states - self.qformer_config.window_states) // self.qformer_config.stride_states + 1

    @property
    def audio_tokens(self) -> int:
        """Embeddings a sound hands to the language model: one for each window and query."""
        return self.audio_windows * self.qformer_config.num_query_tokens

    @property
    def vision_layers_run(self) -> int:
        """How many of the video tower's layers lie before the hidden state that is used."""
        layer = self.vision_feature_layer
        return layer if layer >= 0 else self.vision_config.num_hidden_layers + 1 + layer
