"""What the losses are computed of: log-probabilities of responses, by model and by what a response is for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from avem_train.objectives.settings import REJECTED


@dataclass(frozen=True)
class PreferenceLogps:
    """Log-probabilities of one model, summed over a response's tokens, each of shape (batch,).

    All are under the record's own media, but for `rejected_media` and `swapped`. None where an objective has no such
    term. Counts of tokens come in the same form.
    """

    chosen: Tensor
    """Of y_w."""
    video_relevant: Tensor | None = None
    """Of y_l^vr."""
    emotion_relevant: Tensor | None = None
    """Of y_l^er."""
    rejected_media: Tensor | None = None
    """Of y_w under the rejected media."""
    irrelevant: Tensor | None = None
    """Of y_l^irr."""
    swapped: Tensor | None = None
    """Under the rejected media: of the rejected response that is right there."""


@dataclass(frozen=True)
class Scored:
    """All log-probabilities that a loss may ask for; None where the objective has no such term."""

    policy: PreferenceLogps
    """Of the model in training, under the record's media and the rejected ones."""
    reference: PreferenceLogps
    """Of the frozen model, likewise."""
    text: PreferenceLogps | None = None
    """Of the frozen model without media: the text prior."""
    blind: PreferenceLogps | None = None
    """Of the model in training without media."""
    relevant_changed: PreferenceLogps | None = None
    """Of the model in training where what the prompt is about is changed."""
    irrelevant_changed: PreferenceLogps | None = None
    """Of the model in training where what the prompt is not about is changed; any value where `has_irrelevant` is 0."""
    has_irrelevant: Tensor | None = None
    """1 where a record has a medium that its prompt is not about, else 0; (batch,)."""
    has_rejected_media: Tensor | None = None
    """1 where a record has rejected media, else 0, and what is under them may be any value; (batch,); None = all."""
    tokens: PreferenceLogps | None = None
    """Tokens of each response, closing token included."""
    swapped_of: Mapping[str, Tensor] | None = None
    """Name in REJECTED -> 1 where that response is right under the rejected media, else 0; (batch,)."""
    balance: Tensor | None = None
    """Factor of the response term, (batch,): see `forms.balance`."""


def present(*models: PreferenceLogps) -> list[str]:
    """Names of the log-probabilities that all of the models have."""
    return [field.name for field in fields(PreferenceLogps) if all(getattr(m, field.name) is not None for m in models)]


def check_shapes(*models: PreferenceLogps | None) -> None:
    """Raises ValueError where log-probabilities differ in shape."""
    shapes = {tuple(getattr(model, name).shape) for model in models if model is not None for name in present(model)}
    if len(shapes) > 1:
        raise ValueError(f"log-probabilities of one batch must have one shape (batch,), got {sorted(shapes)}")


def weighted(values: Mapping[str, Tensor], weights: Mapping[str, float | Tensor], whose: str) -> Tensor:
    """Weighted sum of the rejected responses' values (batch,); where the weight is 0 the value does not matter.

    whose: in the message of the ValueError for a response that has a weight and no value, or an unknown name.
    """
    total = torch.zeros_like(values["chosen"])
    for name, weight in weights.items():
        if name not in REJECTED:
            raise ValueError(f"unknown rejected response {name!r}: one of {', '.join(REJECTED)}")
        if not isinstance(weight, Tensor):
            if weight == 0:
                continue
            weight = torch.full_like(total, weight)
        if name not in values:
            raise ValueError(f"the response {name!r} has a weight, but {whose} lack its log-probabilities")
        weight = weight.to(total)
        total = total + weight * values[name].where(weight != 0, 0)
    return total


def advantage(model: PreferenceLogps, weights: Mapping[str, float | Tensor], whose: str) -> Tensor:
    """Log p(y_w) - sum_i b_i log p(y_l^i), (batch,)."""
    return model.chosen - weighted({name: getattr(model, name) for name in present(model)}, weights, whose)


def per_token(model: PreferenceLogps, tokens: PreferenceLogps) -> PreferenceLogps:
    """Mean log-probability of a token in place of the sum; where a record lacks a response (0 tokens), the sum."""
    names = present(model, tokens)
    return PreferenceLogps(**{name: getattr(model, name) / getattr(tokens, name).clamp(min=1) for name in names})


def positive(margin: Tensor) -> Tensor:
    """1 where the margin is above 0, else 0; NaN stays NaN, so that it can be left out of a mean."""
    return torch.where(margin.isnan(), margin, (margin > 0).to(margin))
