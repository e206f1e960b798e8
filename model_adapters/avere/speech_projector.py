"""The speech projector: a Q-Former that reads the audio tower's states window by window (paper, Section D.2)."""

import torch
from torch import nn
from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerEncoder

from .configuration import AvereQFormerConfig


class AvereSpeechProjector(nn.Module):
    """Audio states -> language model embeddings; no window sees another.

    `hidden_size` is the language model's width.
    """

    def __init__(self, config: AvereQFormerConfig, hidden_size: int) -> None:
        super().__init__()
        self.config = config
        self.state_norm = nn.LayerNorm(config.encoder_hidden_size)
        self.query_tokens = nn.Parameter(torch.zeros(1, config.num_query_tokens, config.hidden_size))
        self.query_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.encoder = Blip2QFormerEncoder(config)
        self.linear = nn.Linear(config.hidden_size, hidden_size)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(clips, states, width) -> (clips, windows x queries, hidden). States behind the last window are unused."""
        config = self.config
        windows = self.state_norm(states).unfold(1, config.window_states, config.stride_states)
        windows = windows.transpose(-1, -2).flatten(0, 1)
        queries = self.dropout(self.query_norm(self.query_tokens)).expand(len(windows), -1, -1)
        read = self.encoder(queries, encoder_hidden_states=windows, query_length=config.num_query_tokens)
        return self.linear(read.last_hidden_state).unflatten(0, (len(states), -1)).flatten(1, 2)
