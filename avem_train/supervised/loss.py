"""Conversations -> the loss of their answers, and of nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from avem_train.backbones.base import Backbone
from avem_train.data.conversations import Conversation
from avem_train.dpo import logprobs
from avem_train.dpo.model_inputs import ModelInputs, Sequences, following, of_rows
from avem_train.packing.tree import SHARED, Packing
from model_adapters.base.transfer import to_device


@dataclass(frozen=True)
class Losses:
    """Of a batch of conversations."""

    nll: torch.Tensor
    """Of every token of the answers, closing tokens included, in nats, (targets,)."""
    right: torch.Tensor
    """Whether the model put the token first, (targets,)."""
    owner: list[int]
    """Number of each token's conversation."""
    rows: list[int]
    """Tokens that the language model read, media included and padding left out, of every tree of the rows."""


def losses(
    model: nn.Module,
    backbone: Backbone,
    conversations: Sequence[Conversation],
    packing: Packing = SHARED,
    ahead: ModelInputs | None = None,
) -> Losses:
    """The loss of every token of the answers, with gradients where `model` has them.

    model: the backbone's language model, or what wraps it. ahead: these conversations' inputs where they are made.
    """
    sources = [one.sources for one in conversations]
    with torch.autocast(backbone.model.device.type, enabled=False):  # as in the evaluation
        features = backbone.encode(sources)
    inputs = ahead or model_inputs(backbone, conversations, packing)
    logits = logprobs.target_logits(model, backbone, inputs, features).float()
    targets = to_device(inputs.targets, logits.device)
    return Losses(
        nn.functional.cross_entropy(logits, targets, reduction="none"),
        logits.detach().argmax(-1) == targets,
        [number for number, count in enumerate(inputs.counts) for _ in range(count)],
        inputs.tree_sizes,
    )


def model_inputs(backbone: Backbone, conversations: Sequence[Conversation], packing: Packing) -> ModelInputs:
    """What the pass over conversations takes; the backbone must know their sources."""
    batch = sequences(backbone, conversations)
    return of_rows(backbone.model, packing.rows(batch.tokens), batch)


def sequences(backbone: Backbone, conversations: Sequence[Conversation]) -> Sequences:
    """The inputs of each conversation, and what is predicted where; the backbone must know its sources."""
    tokens, targets, places = [], [], []
    for one in conversations:
        prompt = backbone.prompt(one.prompts[0], one.sources)
        ids: list[int] = []
        target: list[int] = []
        place: list[int] = []
        for number, text in enumerate(one.responses):
            ids += backbone.follow_up(one.prompts[number]) if number else []
            answer = backbone.response(text)
            first = len(prompt.tokens) + len(ids) - 1
            place += range(first, first + len(answer))
            ids += answer
            target += answer
        tokens.append((*prompt.tokens, *following(prompt, ids[:-1])))  # the last one predicts nothing
        targets.append(target)
        places.append(place)
    return Sequences(tokens, targets, places)
