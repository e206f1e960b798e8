"""Replies -> log-probabilities: the plain way, a row each, and the packed way, every common beginning once.

Both run the same forward pass of the language model. Media enter where their placeholders stand, right behind the
embedding table, and only the places that predict a response go through the head: two hooks, which work for every model
and inside whatever wraps it (PEFT, DDP, ZeRO, FSDP).
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from avem_train.backbones.base import Backbone, Prompt
from avem_train.data.responses import Reply, Source
from avem_train.packing import attention, tree
from avem_train.packing.tree import Token


@dataclass(frozen=True)
class Scored:
    """Log-probabilities of replies in nats.

    total: of the whole response, closing token included, (replies,). watched: of each watched id as the response's
    first token, (replies, ids).
    """

    total: torch.Tensor
    watched: torch.Tensor


@dataclass(frozen=True)
class Sequences:
    """Replies as inputs: tokens[i] up to the last but one of response i (the last predicts nothing)."""

    tokens: list[tuple[Token, ...]]
    responses: list[list[int]]


def sequences(backbone: Backbone, replies: Sequence[Reply]) -> Sequences:
    """The inputs of each reply; its sources must be encoded."""
    tokens, responses = [], []
    prompts: dict[tuple[Any, ...], Prompt] = {}
    for reply in replies:
        asked = (reply.prompt, reply.sources)
        if asked not in prompts:
            prompts[asked] = backbone.prompt(*asked)
        prompt, response = prompts[asked], backbone.response(reply.response)
        flat = isinstance(prompt.tokens[0].position, int)
        places = range(prompt.next, prompt.next + len(response) - 1)
        said = [Token(id_, place if flat else (place,) * 3) for id_, place in zip(response, places, strict=False)]
        tokens.append((*prompt.tokens, *said))
        responses.append(response)
    return Sequences(tokens, responses)


def score(
    model: nn.Module, backbone: Backbone, replies: Sequence[Reply], packed: bool = True, watch: Sequence[int] = ()
) -> Scored:
    """Log-probabilities of the replies, with gradients where `model` has them.

    model: the backbone's language model, or what wraps it. packed: share common beginnings; the values are those of the
    plain way to rounding (1e-5 in float32). Equal replies are computed once.
    """
    unique = list(dict.fromkeys(replies))
    number = {reply: i for i, reply in enumerate(unique)}
    with torch.autocast(backbone.model.device.type, enabled=False):  # as in the evaluation
        features = backbone.encode(list(dict.fromkeys(source for reply in unique for source in reply.sources)))
    asked = sequences(backbone, unique)
    rows = tree.rows(asked.tokens, share=packed)
    row_of, place, lengths = _predicting(rows, asked)
    with _media_filled_in(backbone.model, rows, features), _head_only_at(backbone.model, row_of, place):
        logits = model(**inputs(backbone.model, rows)).logits
    logps = logits.float().log_softmax(-1)
    wanted = torch.tensor([id_ for response in asked.responses for id_ in response], device=logps.device)
    taken = logps.gather(-1, wanted[:, None])[:, 0].split(lengths)
    watched = logps[_starts(lengths)][:, list(watch)].detach()
    back = torch.tensor([number[reply] for reply in replies], device=logps.device)
    return Scored(torch.stack([part.sum() for part in taken])[back], watched[back])


def inputs(model: PreTrainedModel, rows: Sequence[tree.Row]) -> dict[str, Any]:
    """Arguments of the model's forward for rows padded on the right; with `causal_until` where `attention` takes it.

    The ids of media are 0 here: their features are put over them. Positions are (rows, length), or (3, rows, length)
    for a model whose positions are triples; masks are additive where rows have branches.
    """
    length = max(len(row.tokens) for row in rows)
    flat = isinstance(rows[0].tokens[0].position, int)
    filler = Token(0, 0 if flat else (0, 0, 0))
    padded = [[*row.tokens, *[filler] * (length - len(row.tokens))] for row in rows]
    table = next(model.get_input_embeddings().parameters())
    ids = torch.tensor([[0 if token.medium is not None else token.id for token in row] for row in padded])
    positions = torch.tensor([[token.position for token in row] for row in padded])
    allowed = tree.mask(rows, length)
    if allowed.ndim == 4:
        dtype = table.dtype
        allowed = torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, torch.finfo(dtype).min)
    made = {
        "input_ids": ids,
        "position_ids": positions if flat else positions.permute(2, 0, 1),
        "attention_mask": allowed,
    }
    given: dict[str, Any] = {name: value.to(table.device) for name, value in made.items()} | {"use_cache": False}
    if allowed.ndim == 4 and attention.installed(model.get_decoder()):
        given["causal_until"] = min(tree.trunk(row) for row in rows)
    return given


def _predicting(rows: Sequence[tree.Row], asked: Sequences) -> tuple[list[int], list[int], list[int]]:
    """Row and place of every token that predicts one of a response, one response after the other; their lengths."""
    where = {number: (row, places) for row, made in enumerate(rows) for number, places in made.places.items()}
    row_of, place, lengths = [], [], []
    for number, response in enumerate(asked.responses):
        row, places = where[number]
        place += places[-len(response) :]
        row_of += [row] * len(response)
        lengths.append(len(response))
    return row_of, place, lengths


@contextmanager
def _media_filled_in(
    model: PreTrainedModel, rows: Sequence[tree.Row], features: dict[Source, torch.Tensor]
) -> Iterator[None]:
    """Inside the block the embedding table gives features where tokens stand for media."""
    spots = [
        (number, place, token)
        for number, row in enumerate(rows)
        for place, token in enumerate(row.tokens)
        if token.medium is not None
    ]

    def put(_module: nn.Module, _inputs: tuple[Any, ...], embedded: torch.Tensor) -> torch.Tensor:
        """The table's output (rows, length, hidden) with the features in it."""
        if not spots:
            return embedded
        order = list(features)
        lengths = [len(features[source]) for source in order]
        start: dict[Hashable, int] = dict(zip(order, _starts(lengths), strict=True))
        take = torch.tensor([start[token.medium] + token.row for _, _, token in spots], device=embedded.device)
        values = torch.cat([features[source] for source in order]).to(embedded.device, embedded.dtype)[take]
        at = tuple(torch.tensor(index, device=embedded.device) for index in zip(*(s[:2] for s in spots), strict=True))
        return embedded.index_put(at, values)

    handle = model.get_input_embeddings().register_forward_hook(put)
    try:
        yield
    finally:
        handle.remove()


def _starts(lengths: Sequence[int]) -> list[int]:
    return [0, *accumulate(lengths)][:-1]


@contextmanager
def _head_only_at(model: PreTrainedModel, row: Sequence[int], place: Sequence[int]) -> Iterator[None]:
    """Inside the block the head sees hidden states (places, hidden) instead of (rows, length, hidden)."""

    def pick(_module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = given[0]
        return (hidden[torch.tensor(row, device=hidden.device), torch.tensor(place, device=hidden.device)],)

    handle = model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        yield
    finally:
        handle.remove()
