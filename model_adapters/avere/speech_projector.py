"""The speech projector: a Q-Former that reads the audio tower's states window by window (paper, Section D.2)."""

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerEncoder

from .configuration import AvereQFormerConfig


class AvereSpeechProjector(PreTrainedModel):
    """Audio states -> language model embeddings; no window sees another."""

    config_class = AvereQFormerConfig
    base_model_prefix = "audio_projector"
    main_input_name = "states"
    input_modalities = ["audio"]  # noqa: RUF012 - these are lists in the base class
    supports_gradient_checkpointing = True
    _no_split_modules = ["Blip2QFormerLayer"]  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: AvereQFormerConfig) -> None:
        super().__init__(config)
        self.state_norm = nn.LayerNorm(config.encoder_hidden_size)
        self.query_tokens = nn.Parameter(torch.zeros(1, config.num_query_tokens, config.hidden_size))
        self.query_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.encoder = Blip2QFormerEncoder(config)
        self.linear = nn.Linear(config.hidden_size, config.output_hidden_size)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is self:
            init.normal_(self.query_tokens, std=self.config.initializer_range)

    def read(self, states: torch.Tensor) -> torch.Tensor:
        """(clips, states, width) -> what the queries read, (clips, windows x queries, the Q-Former's width).

        States after the last window are unused.
        """
        config = self.config
        windows = self.state_norm(states).unfold(1, config.window_states, config.stride_states)
        windows = windows.transpose(-1, -2).flatten(0, 1)
        queries = self.dropout(self.query_norm(self.query_tokens)).expand(len(windows), -1, -1)
        read = self.encoder(queries, encoder_hidden_states=windows, query_length=config.num_query_tokens)
        return read.last_hidden_state.unflatten(0, (len(states), -1)).flatten(1, 2)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(clips, states, width) -> (clips, windows x queries, hidden)."""
        return self.linear(self.read(states))
