"""Emotion-LLaMA: frozen encoders, their projections, and a Llama 2 that reads a clip's embeddings in its prompt.

Both versions are one class; they differ in the module that encodes a clip (`encoders`).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import Cache, GenerationMixin, LlamaModel, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutputWithPast

from model_adapters.avere.modeling import CACHE, fill, under_either_name, with_logits

from .configuration import EmotionLlamaConfig
from .encoders import ClipEncoder, FusedClipEncoder
from .low_rank import LowRankLinear, add_low_rank

MEDIA = (
    "pixel_values", "pixel_values_videos", "input_features", "media_given",
    "clip_features", "input_values", "audio_lengths", "media_embeds",
)  # fmt: skip
"""Arguments of `forward` that describe clips."""
_UPDATED = ("q_proj", "v_proj")


class EmotionLlamaForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Emotion-LLaMA with its language model head.

    Arguments of `forward`, beside those of every causal model of transformers:

    input_ids: (batch, length) with expanded placeholders (`media_token_id`), as many a clip as it has tokens.
    media: what `encode` takes for this version; or its result as media_embeds (clips, tokens, hidden), so that a clip
        is encoded once. One row a clip, in the order of the prompts that have one.
    attention_mask: (batch, length so far) of 0 and 1, or an additive (batch, 1, length, length so far).
    labels: (batch, length), shifted inside; -100 is left out.
    cache: keys and values of what came before (`past_key_values` until transformers 5.24; either name is taken); media
        of the cached part are not given again.
    logits_to_keep: only the last so many logits, or those at these indices; 0: all.

    Raises ValueError when media and placeholders do not match; on a GPU placeholders without media end the process, as
    ids outside of the vocabulary do.
    """

    config_class = EmotionLlamaConfig
    base_model_prefix = "model"
    input_modalities = ["image", "video", "audio", "text"]  # noqa: RUF012 - these are lists in the base class
    supports_gradient_checkpointing = True
    _no_split_modules = ["Blip2EncoderLayer", "HubertEncoderLayer", "WhisperEncoderLayer", "LlamaDecoderLayer"]  # noqa: RUF012
    _skip_keys_device_placement = [CACHE]  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: EmotionLlamaConfig) -> None:
        super().__init__(config)
        self.clip_encoder = ClipEncoder(config) if config.version == 1 else FusedClipEncoder(config)
        self.language_model = LlamaModel(config.text_config)
        if config.lora_rank:
            add_low_rank(self.language_model, _UPDATED, config.lora_rank, config.lora_alpha, config.lora_dropout)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, LowRankLinear):
            init.zeros_(module.up.weight)

    def get_input_embeddings(self) -> nn.Module:
        """The language model's embedding table."""
        return self.language_model.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's embedding table."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """The head."""
        return self.lm_head

    def encode(self, **media: torch.Tensor) -> torch.Tensor:
        """A batch of clips -> (clips, tokens, hidden); arguments as in `ClipEncoder` (1) or `FusedClipEncoder` (2)."""
        return self.clip_encoder(**media)

    def merge(self, input_ids: torch.Tensor, media_embeds: torch.Tensor | None) -> torch.Tensor:
        """Ids (batch, length) -> embeddings (batch, length, hidden), clips in place of their placeholders."""
        is_media = input_ids == self.config.media_token_id
        embeddings = self.get_input_embeddings()(input_ids.masked_fill(is_media, 0))
        return fill(embeddings, is_media, media_embeds, "media")

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        pixel_values_videos: torch.Tensor | None = None,
        input_features: torch.Tensor | None = None,
        media_given: torch.Tensor | None = None,
        clip_features: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        audio_lengths: torch.Tensor | None = None,
        media_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        cache: Cache | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, length, vocabulary), and the mean loss over `labels`; see the class."""
        clips = {
            "pixel_values": pixel_values,
            "pixel_values_videos": pixel_values_videos,
            "input_features": input_features,
            "media_given": media_given,
            "clip_features": clip_features,
            "input_values": input_values,
            "audio_lengths": audio_lengths,
        }
        outputs = self.language_model(
            inputs_embeds=self._embedded(input_ids, inputs_embeds, media_embeds, clips),
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=use_cache,
            **{CACHE: under_either_name(cache, past_key_values)},
            **kwargs,
        )
        return with_logits(self, outputs, labels, logits_to_keep, **kwargs)

    def _embedded(
        self,
        input_ids: torch.Tensor | None,
        inputs_embeds: torch.Tensor | None,
        media_embeds: torch.Tensor | None,
        clips: Mapping[str, torch.Tensor | None],
    ) -> torch.Tensor:
        """What the language model reads; clips: arguments of `encode`."""
        media = {name: value for name, value in clips.items() if value is not None}
        if media and media_embeds is not None:
            raise ValueError(f"give either {next(iter(media))} or media_embeds")
        if inputs_embeds is not None and input_ids is None:
            return inputs_embeds
        if input_ids is None or inputs_embeds is not None:
            raise ValueError("give either input_ids or inputs_embeds")
        return self.merge(input_ids, self.encode(**media) if media else media_embeds)

    def prepare_inputs_for_generation(
        self, input_ids: torch.Tensor, is_first_iteration: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Media belong to the prefill: later steps find them in the cache."""
        inputs = super().prepare_inputs_for_generation(input_ids, is_first_iteration=is_first_iteration, **kwargs)
        if not is_first_iteration and kwargs.get("use_cache", True):
            inputs = {name: value for name, value in inputs.items() if name not in MEDIA}
        return inputs
