"""Responses -> log-probabilities: the plain way, a row each, and the packed way, every common prefix once.

Both run the same forward pass of the language model. Media enter where their placeholders stand, right after the
embedding table (some also behind the first layers), and only the places that predict a response go through the head:
hooks, which work for every model and inside whatever wraps it (PEFT, DDP, ZeRO, FSDP).
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from avem_train.backbones.base import Backbone
from avem_train.data.responses import Response
from avem_train.dpo import model_inputs
from avem_train.dpo.model_inputs import ModelInputs
from avem_train.packing.tree import SHARED, Packing
from model_adapters.base.transfer import numbers_on, to_device

MadeAhead = Mapping[tuple[Response, ...], ModelInputs]
"""Passes that were made before the step, by the responses that they score, each once."""
_NOTHING: MadeAhead = MappingProxyType({})


@dataclass(frozen=True)
class ResponseLogps:
    """Log-probabilities of responses in nats."""

    total: torch.Tensor
    """Summed over the whole response, closing token included, (responses,)."""
    watched: torch.Tensor
    """Of each watched id as the response's first token, (responses, ids)."""
    rows: list[int]
    """Tokens that the model read, padding left out, of every tree of the rows."""


def score(
    model: nn.Module,
    backbone: Backbone,
    responses: Sequence[Response],
    packing: Packing = SHARED,
    watch: Sequence[int] = (),
    ahead: MadeAhead = _NOTHING,
) -> ResponseLogps:
    """Log-probabilities of the responses, with gradients where `model` has them.

    model: the backbone's language model, or what wraps it. ahead: its passes are taken, not made. Equal responses are
    computed once.
    """
    unique = different(responses)
    number = {response: i for i, response in enumerate(unique)}
    with torch.autocast(backbone.model.device.type, enabled=False):  # as in the evaluation
        features = backbone.encode([response.sources for response in unique])
    inputs = ahead.get(unique) or model_inputs.of_responses(backbone, unique, packing)
    logits = target_logits(model, backbone, inputs, features)
    logps = logits.float().log_softmax(-1)
    device = logps.device
    token_logps = logps.gather(-1, to_device(inputs.targets, device)[:, None])[:, 0].split(inputs.counts)
    first = logps[numbers_on(device, _starts(inputs.counts))].detach()
    watched = torch.stack([first[:, id_] for id_ in watch], 1) if watch else first[:, :0]
    back = numbers_on(device, [number[response] for response in responses])
    total = torch.stack([part.sum() for part in token_logps])[back]
    return ResponseLogps(total, watched[back], inputs.tree_sizes)


def different(responses: Sequence[Response]) -> tuple[Response, ...]:
    """Responses each once, as they are scored together."""
    return tuple(dict.fromkeys(responses))


def target_logits(
    model: nn.Module, backbone: Backbone, inputs: ModelInputs, features: Mapping[Hashable, torch.Tensor]
) -> torch.Tensor:
    """Logits (targets, vocabulary) where the targets of a pass are predicted, one sequence after the other.

    features: of every medium in it.
    """
    with _media_filled_in(backbone.model, inputs, features), _head_only_at(backbone.model, inputs.predicting):
        logits: torch.Tensor = model(**inputs.arguments(backbone.model)).logits
    return logits


@contextmanager
def _media_filled_in(
    model: PreTrainedModel, inputs: ModelInputs, features: Mapping[Hashable, torch.Tensor]
) -> Iterator[None]:
    """Inside the block the embedding table gives features where tokens stand for media.

    Those of further layers go to the language model, which adds them there (DeepStack).
    """
    ours = {number: features[medium] for number, medium in enumerate(inputs.media)}
    first = {number: value if value.ndim == 2 else value[:, 0] for number, value in ours.items()}
    further = {number: value[:, 1:] for number, value in ours.items() if value.ndim == 3}

    def insert_media(_module: nn.Module, _inputs: tuple[Any, ...], embedded: torch.Tensor) -> torch.Tensor:
        """The table's output (rows, length, hidden) with the features in it."""
        if not first:
            return embedded
        row, place, values = _filled(inputs.spots, first, embedded.device)
        return embedded.index_put((row, place), values.to(embedded))

    def add_further(
        _module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The language model's arguments with the features of further layers."""
        embedded = named["inputs_embeds"]
        deep_spots = inputs.spots[:, torch.isin(inputs.spots[2], torch.tensor(list(further)))]
        row, place, values = _filled(deep_spots, further, embedded.device)
        where = torch.zeros(embedded.shape[:2], dtype=torch.bool, device=embedded.device)
        where = where.index_put((row, place), where.new_ones(()))
        by_layer = list(values.to(embedded).unbind(1))
        return arguments, named | {"visual_pos_masks": where, "deepstack_visual_embeds": by_layer}

    handles = [model.get_input_embeddings().register_forward_hook(insert_media)]
    if further:
        handles.append(model.get_decoder().register_forward_pre_hook(add_further, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _filled(
    spots: torch.Tensor, features: Mapping[int, torch.Tensor], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, places and features (spots, ...) of spots (see `ModelInputs.spots`); `features` by number of the medium."""
    starts = torch.zeros(1 + max(features), dtype=torch.long)
    starts[list(features)] = torch.tensor(_starts([len(value) for value in features.values()]))
    row, place, take = to_device(torch.stack([spots[0], spots[1], starts[spots[2]] + spots[3]]), device)
    values = torch.cat(list(features.values()))
    return row, place, values[take.to(values.device)]


def _starts(lengths: Sequence[int]) -> list[int]:
    return [0, *accumulate(lengths)][:-1]


@contextmanager
def _head_only_at(model: PreTrainedModel, predicting: torch.Tensor) -> Iterator[None]:
    """Inside the block the head sees hidden states (places, hidden) instead of (rows, length, hidden)."""

    def pick(_module: nn.Module, head_inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = head_inputs[0]
        row, place = to_device(predicting, hidden.device)
        return (hidden[row, place],)

    handle = model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        yield
    finally:
        handle.remove()
