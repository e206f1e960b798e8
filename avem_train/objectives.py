"""The preference losses as pure functions of log-probabilities: Naive-DPO, Vista-DPO†, AVEm-DPO and what lies between.

One formula holds them all (Eqs. 3-12)::

    loss = -log sigma( beta (m(y_w) - sum_i b_i m(y_l^i)) - gamma (t(y_w) - sum_i b_i t(y_l^i)) )      Eqs. 3, 6, 8, 10
           + lambda (-log sigma( beta (m(y_w | a_w, v_w) - m(y_w | a_l, v_l)) ))                        Eqs. 4, 5

with m = log pi_theta - log pi_ref, t = log pi_text, and i over the rejected responses. The methods differ in their
`Objective` and in the rejected media (`avem_train.data.negatives`). A response's log-probabilities are summed over its
tokens in `avem_train.dpo.logprobs`; no lengths reach the loss.

| method | equations | objective | rejected media |
| --- | --- | --- | --- |
| Naive-DPO | 3 | one_response, gamma_tpd 0, lambda_av 0 | none |
| Vista-DPO† | 4 + 6 | gamma_tpd 0 | change: both |
| AVEm-DPO | 5, 10, 9 | the defaults | the defaults |
| w/o PMP | 10 | lambda_av 0 | none |
| w/o ERP | 11 | one_response | the defaults |
| w/o TPD | 12 | gamma_tpd 0 | the defaults |

Eq. 4 prints y_l in its second ratio. Its text ("aligns its response y_w to the correct input"), Eq. 5 and Fig. 4 mean
the chosen response y_w under the rejected media, and that is what `rejected_media` holds here. Every term has its
gradient, and policy and reference have the same weights: where they are equal, each -log sigma is log 2 (gamma 0).
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

REJECTED = ("video_relevant", "emotion_relevant", "irrelevant")
"""The rejected responses: y^vr, y^er (Section 4.1) and y^irr (Section E.6)."""


_NAIVE = ("rewards/chosen", "rewards/rejected", "accuracies/response", "margins/response", "loss/response")
"""The parts that `naive_dpo_loss` returns."""


@dataclass(frozen=True)
class PreferenceLogps:
    """Log-probabilities of one model, summed over a response's tokens, each of shape (batch,).

    All are under the record's own media, but for `rejected_media`. None where an objective has no such term.
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


@dataclass(frozen=True)
class Objective:
    """Settings of the loss; each acts alone, so that an ablation changes one.

    The weights of the rejected responses are at least 0, of sum 1 (Eq. 6); one of weight 0 is left out. Raises
    ValueError for other weights, a beta of 0 or below, a lambda_av below 0, and a gamma_tpd that is infinite or NaN.
    """

    beta: float = 0.1
    """Strength of the tie to the reference."""
    video_relevant: float = 0.5
    """Weight of y_l^vr."""
    emotion_relevant: float = 0.5
    """Weight of y_l^er."""
    irrelevant: float = 0.0
    """Weight of y_l^irr."""
    one_response: bool = False
    """Each record has one of them, drawn once with its weight as its chance (Eqs. 3, 8, 11)."""
    gamma_tpd: float = 0.2
    """Text prior debiasing (Eq. 7), 0 = none; below 0 it is turned round, for studies of what it does."""
    lambda_av: float = 1.0
    """Weight of the preference over media (Eq. 9), 0 = none."""

    def __post_init__(self) -> None:
        weights = self.weights
        if not (min(weights.values()) >= 0 and abs(sum(weights.values()) - 1) <= 1e-6):  # so that NaN is refused
            raise ValueError(f"the weights of the rejected responses must be at least 0 and sum to 1, got {weights}")
        if not (self.beta > 0 and math.isfinite(self.gamma_tpd) and self.lambda_av >= 0):
            raise ValueError(
                f"beta must be above 0, gamma_tpd a finite number, lambda_av at least 0; got beta {self.beta}, "
                f"gamma_tpd {self.gamma_tpd}, lambda_av {self.lambda_av}"
            )

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each of REJECTED."""
        return {name: getattr(self, name) for name in REJECTED}

    @property
    def responses(self) -> tuple[str, ...]:
        """The rejected responses that the objective uses at all, in REJECTED's order."""
        return tuple(name for name, weight in self.weights.items() if weight)


TABLE_18: dict[str, Objective] = {
    "irr": Objective(video_relevant=0, emotion_relevant=0, irrelevant=1),
    "er": Objective(video_relevant=0, emotion_relevant=1),
    "vr": Objective(video_relevant=1, emotion_relevant=0),
    "er+irr": Objective(video_relevant=0, emotion_relevant=0.7, irrelevant=0.3),
    "vr+irr": Objective(video_relevant=0.7, emotion_relevant=0, irrelevant=0.3),
    "er+vr": Objective(),
}
"""Table 18's rows: y_l^1 and y_l^2; beta_irr = 0.3 (Section E.6) leaves 0.7 for the other."""


def record_weights(objective: Objective, identifier: str, seed: int) -> dict[str, float]:
    """Weights of the rejected responses for one record, those of weight 0 left out.

    With `one_response` a single name of weight 1, drawn from the record's id and the seed alone: the same in every
    epoch, on every rank and in any order of the records.
    """
    weights = {name: objective.weights[name] for name in objective.responses}
    if not objective.one_response:
        return weights
    digest = hashlib.sha256(f"response/{seed}/{identifier}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    for name, weight in weights.items():
        place -= weight
        if place < 0:
            return {name: 1.0}
    return {objective.responses[-1]: 1.0}  # the weights' sum was a rounding error below 1


def preference_loss(
    policy: PreferenceLogps,
    reference: PreferenceLogps,
    text: PreferenceLogps | None,
    weights: Mapping[str, float | Tensor],
    *,
    beta: float = 0.1,
    gamma_tpd: float = 0.2,
    lambda_av: float = 1.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The formula of the module's docstring: any weighting of any rejected responses, with or without TPD and media.

    policy, reference: log-probabilities under the record's media; only the policy's get gradients. text: those of the
    language model without media, None = no TPD. weights: name in REJECTED -> its weight, a number or one a record
    (batch,); where it is 0 the response's log-probability may be anything, NaN if the record does not have it.

    Returns the loss (batch,) and its parts (batch,), without gradient: `rewards/chosen`, `rewards/<response>` for every
    response that policy and reference have, `rewards/rejected` (the weighted sum), `accuracies/<response>` (1 where the
    chosen reward is larger), `accuracies/response` (1 where it is larger than the sum), `margins/response`,
    `tpd` (what the margin is lowered by), `loss/response`, and `margins/media`, `accuracies/media`, `loss/media` where
    there are rejected media. Raises ValueError for a response or rejected media that the weights ask for and a model
    lacks, and for shapes that differ.
    """
    _check_shapes(policy, reference, text)
    ratios = {name: getattr(policy, name) - getattr(reference, name).detach() for name in _present(policy, reference)}
    parts = {f"rewards/{name}": beta * ratio for name, ratio in ratios.items() if name != "rejected_media"}
    rejected = _weighted(ratios, weights, "policy and reference")
    margin = beta * (ratios["chosen"] - rejected)
    tpd = torch.zeros_like(margin)
    if text is not None and gamma_tpd:
        priors = {name: getattr(text, name).detach() for name in _present(text)}
        tpd = gamma_tpd * (priors["chosen"] - _weighted(priors, weights, "text"))
    loss = -logsigmoid(margin - tpd)
    parts |= {f"accuracies/{name}": _positive(ratios["chosen"] - ratios[name]) for name in REJECTED if name in ratios}
    parts |= {
        "rewards/rejected": beta * rejected,
        "accuracies/response": _positive(margin),
        "margins/response": margin,
        "tpd": tpd,
        "loss/response": loss,
    }
    if lambda_av and "rejected_media" not in ratios:
        raise ValueError(f"lambda_av is {lambda_av}: policy and reference need rejected_media, or set lambda_av to 0")
    if "rejected_media" in ratios:
        media_margin = beta * (ratios["chosen"] - ratios["rejected_media"])
        media_loss = -logsigmoid(media_margin)
        loss = loss + lambda_av * media_loss if lambda_av else loss
        parts |= {"margins/media": media_margin, "accuracies/media": _positive(media_margin), "loss/media": media_loss}
    return loss, {name: part.detach() for name, part in parts.items()}


def avem_dpo_loss(
    policy: PreferenceLogps,
    reference: PreferenceLogps,
    text: PreferenceLogps | None,
    *,
    beta: float = 0.1,
    beta_vr: float = 0.5,
    beta_er: float = 0.5,
    gamma_tpd: float = 0.2,
    lambda_av: float = 1.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """AVEm-DPO (Eq. 9: Eq. 10 + lambda_av Eq. 5); `text` None or `gamma_tpd` 0 drops TPD (Eq. 12).

    Returns the loss (batch,) and the parts of `preference_loss`, with its errors.
    """
    weights = {"video_relevant": beta_vr, "emotion_relevant": beta_er}
    return preference_loss(policy, reference, text, weights, beta=beta, gamma_tpd=gamma_tpd, lambda_av=lambda_av)


def vista_dpo_loss(
    policy: PreferenceLogps,
    reference: PreferenceLogps,
    *,
    beta: float = 0.1,
    beta_vr: float = 0.5,
    beta_er: float = 0.5,
    lambda_av: float = 1.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Vista-DPO† (Section D.3: Eq. 6 + lambda_av Eq. 4). `rejected_media` is a clip of another emotion in picture and
    sound, whatever the prompt: that is the caller's to see to.

    Returns the loss (batch,) and the parts of `preference_loss`, with its errors.
    """
    weights = {"video_relevant": beta_vr, "emotion_relevant": beta_er}
    return preference_loss(policy, reference, None, weights, beta=beta, gamma_tpd=0, lambda_av=lambda_av)


def naive_dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float = 0.1,
) -> tuple[Tensor, dict[str, Tensor]]:
    """DPO (Eq. 3) with one rejected response; all arguments (batch,), only the policy's get gradients.

    Returns the loss (batch,) and its parts (batch,), named as in `preference_loss`: `rewards/chosen`,
    `rewards/rejected`, `margins/response`, `accuracies/response`, `loss/response`. Raises ValueError for shapes that
    differ.
    """
    policy = PreferenceLogps(policy_chosen, policy_rejected)
    reference = PreferenceLogps(reference_chosen, reference_rejected)
    weights = {"video_relevant": 1.0}  # the rejected response takes the place of any of them
    loss, parts = preference_loss(policy, reference, None, weights, beta=beta, gamma_tpd=0, lambda_av=0)
    return loss, {name: parts[name] for name in _NAIVE}


def _present(*models: PreferenceLogps) -> list[str]:
    """Names of the log-probabilities that all of the models have."""
    return [field.name for field in fields(PreferenceLogps) if all(getattr(m, field.name) is not None for m in models)]


def _check_shapes(*models: PreferenceLogps | None) -> None:
    shapes = {tuple(getattr(model, name).shape) for model in models if model is not None for name in _present(model)}
    if len(shapes) > 1:
        raise ValueError(f"log-probabilities of one batch must have one shape (batch,), got {sorted(shapes)}")


def _weighted(values: Mapping[str, Tensor], weights: Mapping[str, float | Tensor], whose: str) -> Tensor:
    """Weighted sum of the rejected responses' values (batch,); where the weight is 0 the value does not matter."""
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


def _positive(margin: Tensor) -> Tensor:
    """1 where the margin is above 0, else 0; NaN stays NaN, so that it can be left out of a mean."""
    return torch.where(margin.isnan(), margin, (margin > 0).to(margin))
