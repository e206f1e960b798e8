"""Responses -> log-probabilities: the plain way, a row each, and the packed way, every common prefix once.

Both run the same forward pass of the language model. Media enter where their placeholders stand, right after the
embedding table (some also behind the first layers), and only the places that predict a response go through the head:
hooks, which work for every model and inside whatever wraps it (PEFT, DDP, ZeRO, FSDP).
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from avem_train.backbones.base import Backbone, Prompt
from avem_train.data.responses import Response
from avem_train.packing import attention, tree
from avem_train.packing.tree import Token


@dataclass(frozen=True)
class ResponseLogps:
    """Log-probabilities of responses in nats."""

    total: torch.Tensor
    """Summed over the whole response, closing token included, (responses,)."""
    watched: torch.Tensor
    """Of each watched id as the response's first token, (responses, ids)."""
    rows: list[int]
    """Tokens of each row that the model read, padding left out."""


@dataclass(frozen=True)
class Sequences:
    """Responses as inputs and targets."""

    tokens: list[tuple[Token, ...]]
    """Of each, the prompt and the response up to its last token but one (the last predicts nothing)."""
    targets: list[list[int]]
    """The ids to be predicted in each, of the response."""
    places: list[list[int]]
    """Of each id to be predicted, the place in the sequence that predicts it."""


def sequences(backbone: Backbone, responses: Sequence[Response]) -> Sequences:
    """The inputs of each response; its sources must be encoded."""
    tokens, targets, places = [], [], []
    prompts: dict[tuple[Any, ...], Prompt] = {}
    for response in responses:
        about = (response.prompt, response.sources)
        if about not in prompts:
            prompts[about] = backbone.prompt(*about)
        prompt, target = prompts[about], backbone.response(response.text)
        tokens.append((*prompt.tokens, *following(prompt, target[:-1])))
        targets.append(target)
        places.append(list(range(len(prompt.tokens) - 1, len(tokens[-1]))))
    return Sequences(tokens, targets, places)


def following(prompt: Prompt, ids: Sequence[int]) -> list[Token]:
    """Ids of text behind a prompt as tokens."""
    triple = isinstance(prompt.tokens[0].position, tuple)
    places = (prompt.next + number for number in range(len(ids)))
    return [Token(id_, (place,) * 3 if triple else place) for id_, place in zip(ids, places, strict=True)]


def score(
    model: nn.Module, backbone: Backbone, responses: Sequence[Response], packed: bool = True, watch: Sequence[int] = ()
) -> ResponseLogps:
    """Log-probabilities of the responses, with gradients where `model` has them.

    model: the backbone's language model, or what wraps it. packed: share common prefixes; the values are those of the
    plain way to rounding (1e-5 in float32). Equal responses are computed once.
    """
    unique = list(dict.fromkeys(responses))
    number = {response: i for i, response in enumerate(unique)}
    with torch.autocast(backbone.model.device.type, enabled=False):  # as in the evaluation
        features = backbone.encode([response.sources for response in unique])
    batch = sequences(backbone, unique)
    lengths = [len(target) for target in batch.targets]
    rows = tree.rows(batch.tokens, share=packed)
    logits = target_logits(model, backbone, rows, batch, features)
    logps = logits.float().log_softmax(-1)
    targets = torch.tensor([id_ for target in batch.targets for id_ in target], device=logps.device)
    token_logps = logps.gather(-1, targets[:, None])[:, 0].split(lengths)
    watched = logps[_starts(lengths)][:, list(watch)].detach()
    back = torch.tensor([number[response] for response in responses], device=logps.device)
    total = torch.stack([part.sum() for part in token_logps])[back]
    return ResponseLogps(total, watched[back], [len(row.tokens) for row in rows])


def target_logits(
    model: nn.Module,
    backbone: Backbone,
    rows: Sequence[tree.PackedRow],
    batch: Sequences,
    features: Mapping[Hashable, torch.Tensor],
) -> torch.Tensor:
    """Logits (targets, vocabulary) where the targets of a batch are predicted, one sequence after the other.

    rows: those that hold the batch's sequences. features: of every medium in them.
    """
    row_of, place = _predicting(rows, batch)
    with _media_filled_in(backbone.model, rows, features), _head_only_at(backbone.model, row_of, place):
        logits: torch.Tensor = model(**inputs(backbone.model, rows)).logits
    return logits


def inputs(model: PreTrainedModel, rows: Sequence[tree.PackedRow]) -> dict[str, Any]:
    """Arguments of the model's forward for rows padded on the right; with `causal_until` where `attention` takes it.

    The ids of media are 0 here: their features are put over them. Positions are (rows, length), or (3, rows, length)
    for a model whose positions are triples; masks are additive where rows have branches, and begin at `causal_until`.
    """
    length = max(len(row.tokens) for row in rows)
    triple = isinstance(rows[0].tokens[0].position, tuple)
    filler = Token(0, (0, 0, 0) if triple else 0)
    padded = [[*row.tokens, *[filler] * (length - len(row.tokens))] for row in rows]
    table = next(model.get_input_embeddings().parameters())
    ids = torch.tensor([[0 if token.medium is not None else token.id for token in row] for row in padded])
    positions = torch.tensor([[token.position for token in row] for row in padded])
    branched = any(len(row.parents) > 1 for row in rows)
    shared = branched and attention.installed(model.get_decoder())
    since = min(tree.prefix_length(row) for row in rows) if shared else 0
    allowed = tree.mask(rows, length, since).to(table.device)
    model_inputs: dict[str, Any] = {
        "input_ids": ids.to(table.device),
        "position_ids": (positions.permute(2, 0, 1) if triple else positions).to(table.device),
        "attention_mask": _additive(allowed, table.dtype) if branched else allowed,
        "use_cache": False,
    }
    return model_inputs | ({"causal_until": since} if shared else {})


def _additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """0 where attention is allowed, else the least number."""
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, torch.finfo(dtype).min)


def _predicting(rows: Sequence[tree.PackedRow], batch: Sequences) -> tuple[list[int], list[int]]:
    """Row and place of every token that predicts a target, one sequence after the other."""
    where = {
        number: (row, places) for row, packed_row in enumerate(rows) for number, places in packed_row.places.items()
    }
    row_of, place = [], []
    for number, predicting in enumerate(batch.places):
        row, places = where[number]
        place += [places[at] for at in predicting]
        row_of += [row] * len(predicting)
    return row_of, place


@contextmanager
def _media_filled_in(
    model: PreTrainedModel, rows: Sequence[tree.PackedRow], features: Mapping[Hashable, torch.Tensor]
) -> Iterator[None]:
    """Inside the block the embedding table gives features where tokens stand for media.

    Those of further layers go to the language model, which adds them there (DeepStack).
    """
    spots = _media_spots(rows)
    first = {medium: value if value.ndim == 2 else value[:, 0] for medium, value in features.items()}
    further = {medium: value[:, 1:] for medium, value in features.items() if value.ndim == 3}
    deep_spots = [spot for spot in spots if spot[2].medium in further]

    def insert_media(_module: nn.Module, _inputs: tuple[Any, ...], embedded: torch.Tensor) -> torch.Tensor:
        """The table's output (rows, length, hidden) with the features in it."""
        if not spots:
            return embedded
        return embedded.index_put(_at(spots, embedded.device), _taken(spots, first).to(embedded))

    def add_further(
        _module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The language model's arguments with the features of further layers."""
        embedded = named["inputs_embeds"]
        where = torch.zeros(embedded.shape[:2], dtype=torch.bool, device=embedded.device)
        where[_at(deep_spots, embedded.device)] = True
        by_layer = list(_taken(deep_spots, further).to(embedded).unbind(1))
        return arguments, named | {"visual_pos_masks": where, "deepstack_visual_embeds": by_layer}

    handles = [model.get_input_embeddings().register_forward_hook(insert_media)]
    if deep_spots:
        handles.append(model.get_decoder().register_forward_pre_hook(add_further, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


Spots = Sequence[tuple[int, int, Token]]
"""Row, place and token of every input that is a feature, row by row."""


def _media_spots(rows: Sequence[tree.PackedRow]) -> Spots:
    return [
        (number, place, token)
        for number, row in enumerate(rows)
        for place, token in enumerate(row.tokens)
        if token.medium is not None
    ]


def _at(spots: Spots, device: torch.device) -> tuple[torch.Tensor, ...]:
    """Rows and places of spots, as an index."""
    return tuple(torch.tensor(index, device=device) for index in zip(*(spot[:2] for spot in spots), strict=True))


def _taken(spots: Spots, features: Mapping[Hashable, torch.Tensor]) -> torch.Tensor:
    """The feature of each spot, (spots, ...)."""
    order = list(features)
    start: dict[Hashable, int] = dict(zip(order, _starts([len(features[source]) for source in order]), strict=True))
    values = torch.cat([features[source] for source in order])
    take = torch.tensor([start[token.medium] + token.row for _, _, token in spots], device=values.device)
    return values[take]


def _starts(lengths: Sequence[int]) -> list[int]:
    return [0, *accumulate(lengths)][:-1]


@contextmanager
def _head_only_at(model: PreTrainedModel, row: Sequence[int], place: Sequence[int]) -> Iterator[None]:
    """Inside the block the head sees hidden states (places, hidden) instead of (rows, length, hidden)."""

    def pick(_module: nn.Module, head_inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = head_inputs[0]
        return (hidden[torch.tensor(row, device=hidden.device), torch.tensor(place, device=hidden.device)],)

    handle = model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        yield
    finally:
        handle.remove()
