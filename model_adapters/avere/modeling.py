"""AVERE: a video tower, an audio tower, their projectors, and a Llama that reads both between its words.

The base of the paper's reference model (Section D.2). What transformers has is used as it is (CLIP layers, Whisper's
encoder, the Q-Former's layers, Llama); here is only how the parts are joined.
"""

import inspect
from typing import Any

import torch
from torch import nn
from transformers import Cache, GenerationMixin, LlamaModel, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from .configuration import AvereConfig
from .speech_projector import AvereSpeechProjector
from .video_tower import AvereVideoTower

_MEDIA = ("pixel_values_videos", "input_features", "video_features", "audio_features")
# transformers 5.24 renamed the cache; the old name goes in 5.40, and vLLM still asks for a transformers before both
CACHE = "cache" if "cache" in inspect.signature(LlamaModel.forward).parameters else "past_key_values"
"""What the installed transformers calls the cache, as an argument and in outputs."""


class AverePreTrainedModel(PreTrainedModel):
    """Loading, saving, and what the parts support."""

    config_class = AvereConfig
    base_model_prefix = "model"
    input_modalities = ["video", "audio", "text"]  # noqa: RUF012 - these are lists in the base class
    supports_gradient_checkpointing = True
    _no_split_modules = ["AvereVideoLayer", "WhisperEncoderLayer", "Blip2QFormerLayer", "LlamaDecoderLayer"]  # noqa: RUF012
    _skip_keys_device_placement = [CACHE]  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True


def new_video_projector(config: AvereConfig) -> nn.Sequential:
    """Video states -> language model embeddings, with torch's own fresh weights."""
    hidden_size = config.text_config.hidden_size
    return nn.Sequential(
        nn.Linear(config.vision_config.hidden_size, hidden_size), nn.GELU(), nn.Linear(hidden_size, hidden_size)
    )


class AvereTowers:
    """What makes embeddings of a clip's media: the part of a model that needs no language model.

    A module that inherits it has its `config` and calls `add_towers`; the names are those of the weights.
    """

    config: Any
    """An AvereConfig."""

    def add_towers(self, config: AvereConfig) -> None:
        """Both towers and their projectors, freshly initialised, as submodules."""
        self.video_tower = AvereVideoTower(config.vision_config)
        self.video_projector = new_video_projector(config)
        self.audio_tower = WhisperEncoder(config.audio_config)
        self.audio_projector = AvereSpeechProjector(config.qformer_config)

    def get_video_features(self, pixel_values_videos: torch.Tensor) -> torch.Tensor:
        """(clips, frames, 3, height, width) -> (clips, frames x tokens a frame, hidden), frame 0 first."""
        states = self.video_tower(pixel_values_videos, num_layers=self.config.vision_layers_run)
        return self.video_projector(states).flatten(1, 2)

    def get_audio_features(self, input_features: torch.Tensor) -> torch.Tensor:
        """Log-mel (clips, bins, mel frames) -> (clips, windows x queries, hidden), in the order of time."""
        input_features = input_features.to(self.audio_tower.conv1.weight.dtype)
        return self.audio_projector(self.audio_tower(input_features).last_hidden_state)


class AvereModel(AvereTowers, AverePreTrainedModel):
    """Everything but the language model's head."""

    def __init__(self, config: AvereConfig) -> None:
        super().__init__(config)
        self.add_towers(config)
        self.language_model = LlamaModel(config.text_config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The language model's embedding table."""
        return self.language_model.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's embedding table."""
        self.language_model.set_input_embeddings(value)

    def merge(
        self,
        input_ids: torch.Tensor,
        video_features: torch.Tensor | None = None,
        audio_features: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Ids (batch, length) -> embeddings (batch, length, hidden), media features in place of their placeholders.

        Features are (clips, tokens, hidden), clips in the order of their placeholders. Raises ValueError when there are
        more or fewer features than placeholders; on a GPU placeholders without any end the process (`fill`).
        """
        is_video = input_ids == self.config.video_token_id
        is_audio = input_ids == self.config.audio_token_id
        embeddings = self.get_input_embeddings()(input_ids.masked_fill(is_video | is_audio, 0))
        embeddings = fill(embeddings, is_video, video_features, "video")
        return fill(embeddings, is_audio, audio_features, "audio")

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        pixel_values_videos: torch.Tensor | None = None,
        input_features: torch.Tensor | None = None,
        video_features: torch.Tensor | None = None,
        audio_features: torch.Tensor | None = None,
        cache: Cache | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Media and ids -> the language model's last hidden states; see `AvereForConditionalGeneration.forward`."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        if pixel_values_videos is not None:
            _refuse_both(video_features, "pixel_values_videos", "video_features")
            video_features = self.get_video_features(pixel_values_videos)
        if input_features is not None:
            _refuse_both(audio_features, "input_features", "audio_features")
            audio_features = self.get_audio_features(input_features)
        if input_ids is not None:
            inputs_embeds = self.merge(input_ids, video_features, audio_features)
        return self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=use_cache,
            **{CACHE: under_either_name(cache, past_key_values)},
            **kwargs,
        )


class AvereForConditionalGeneration(AverePreTrainedModel, GenerationMixin):
    """AVERE with its language model head.

    Arguments of `forward`:

    input_ids: (batch, length) with expanded placeholders.
    attention_mask: (batch, length so far) of 0 and 1, or an additive (batch, 1, length, length so far) that is used
        as it is (packed branches; not with FlashAttention).
    position_ids: (batch, length); default: counted from the cache's length on.
    pixel_values_videos, input_features: as `get_video_features` and `get_audio_features` take them; or the results
        of those as video_features, audio_features, so that a clip is encoded once. One row a clip, in the order of
        the placeholders over the batch; a sample without a modality has no row.
    labels: (batch, length), shifted inside; -100 is left out.
    cache: keys and values of what came before, named `past_key_values` until transformers 5.24 (either name is
        taken); then `input_ids` is only what follows, `attention_mask` covers both, and media of the cached part are
        not given again. A cache of one prefix may be repeated for many rows of suffixes padded on the left, with
        `position_ids` that go on from the prefix.
    logits_to_keep: only the last so many logits, or those at these indices; 0: all.

    Raises ValueError when media and placeholders do not match; on a GPU placeholders without media end the process, as
    ids outside of the vocabulary do.
    """

    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: AvereConfig) -> None:
        super().__init__(config)
        self.model = AvereModel(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The language model's embedding table."""
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's embedding table."""
        self.model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """The head."""
        return self.lm_head

    def get_video_features(self, pixel_values_videos: torch.Tensor) -> torch.Tensor:
        """(clips, frames, 3, height, width) -> (clips, frames x tokens a frame, hidden), frame 0 first."""
        return self.model.get_video_features(pixel_values_videos)

    def get_audio_features(self, input_features: torch.Tensor) -> torch.Tensor:
        """Log-mel (clips, bins, mel frames) -> (clips, windows x queries, hidden), in the order of time."""
        return self.model.get_audio_features(input_features)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        pixel_values_videos: torch.Tensor | None = None,
        input_features: torch.Tensor | None = None,
        video_features: torch.Tensor | None = None,
        audio_features: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        cache: Cache | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, length, vocabulary), and the mean loss over `labels`; arguments as in the class docstring."""
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            pixel_values_videos=pixel_values_videos,
            input_features=input_features,
            video_features=video_features,
            audio_features=audio_features,
            cache=under_either_name(cache, past_key_values),
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        return with_logits(self, outputs, labels, logits_to_keep, **kwargs)

    def prepare_inputs_for_generation(
        self, input_ids: torch.Tensor, is_first_iteration: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Media belong to the prefill: later steps find them in the cache."""
        inputs = super().prepare_inputs_for_generation(input_ids, is_first_iteration=is_first_iteration, **kwargs)
        if not is_first_iteration and kwargs.get("use_cache", True):
            inputs = {name: value for name, value in inputs.items() if name not in _MEDIA}
        return inputs


def with_logits(
    model: Any, outputs: Any, labels: torch.Tensor | None, logits_to_keep: int | torch.Tensor, **kwargs: Any
) -> CausalLMOutputWithPast:
    """A decoder's `outputs` with the logits of `model.lm_head`, and the mean loss over `labels` where they are given.

    logits_to_keep: the last so many positions, 0 for all, or the positions themselves.
    """
    logit_positions = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
    logits = model.lm_head(outputs.last_hidden_state[:, logit_positions])
    loss = None
    if labels is not None:
        loss = model.loss_function(logits=logits, labels=labels, vocab_size=logits.shape[-1], **kwargs)
    return CausalLMOutputWithPast(
        loss=loss,
        logits=logits,
        hidden_states=outputs.hidden_states,
        attentions=outputs.attentions,
        **{CACHE: outputs.get(CACHE)},
    )


def fill(embeddings: torch.Tensor, places: torch.Tensor, features: torch.Tensor | None, kind: str) -> torch.Tensor:
    """`features` (clips, tokens, hidden) at `places` (batch, length) of `embeddings`, in order.

    Raises ValueError when there are more or fewer of them than places. Where there are none, a GPU looks for places by
    itself, and a placeholder ends the process: every step of a training or an answer comes by here, and each would wait
    until the GPU has done all before it.
    """
    if features is None and places.is_cuda:
        torch._assert_async(~places.any(), f"the input ids hold {kind} placeholders, but there are no {kind} features")
        return embeddings
    expected = int(places.sum())
    feature_count = 0 if features is None else features.shape[:2].numel()
    if expected != feature_count:
        raise ValueError(f"the input ids hold {expected} {kind} placeholders, the {kind} features are {feature_count}")
    if features is None:
        return embeddings
    return embeddings.masked_scatter(places[..., None], features.to(embeddings))


def under_either_name(cache: Cache | None, past_key_values: Cache | None) -> Cache | None:
    """The cache, by whichever of its two names it was given. Raises ValueError for both."""
    if past_key_values is None:
        return cache
    _refuse_both(cache, "past_key_values", "cache")
    return past_key_values


def _refuse_both(other: torch.Tensor | Cache | None, this: str, name: str) -> None:
    if other is not None:
        raise ValueError(f"give either {this} or {name}")
