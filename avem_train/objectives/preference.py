"""The preference losses as pure functions of log-probabilities: Naive-DPO, Vista-DPO†, AVEm-DPO, others, and mixtures.

One formula holds the paper's (Eqs. 3-12)::

    loss = -log sigma( beta (m(y_w) - sum_i b_i m(y_l^i)) - gamma (t(y_w) - sum_i b_i t(y_l^i)) )      Eqs. 3, 6, 8, 10
           + lambda (-log sigma( beta (m(y_w | a_w, v_w) - m(y_w | a_l, v_l)) ))                        Eqs. 4, 5

with m = log pi_theta - log pi_ref, t = log pi_text, and i over the rejected responses. The methods differ in their
`Objective` and in the rejected media (`avem_train.data.negatives`). A response's log-probabilities are summed over its
tokens in `avem_train.dpo.logprobs`; lengths count where an objective says so.

| method | equations | objective | rejected media |
| --- | --- | --- | --- |
| Naive-DPO | 3 | one_response, gamma_tpd 0, lambda_av 0 | none |
| Vista-DPO† | 4 + 6 | gamma_tpd 0 | change: both |
| AVEm-DPO | 5, 10, 9 | the defaults | the defaults |
| w/o PMP | 10 | lambda_av 0 | none |
| w/o ERP | 11 | one_response | the defaults |
| w/o TPD | 12 | gamma_tpd 0 | the defaults |
| mDPO | 3 + 4, `terms.mdpo_anchor` | one_response, gamma_tpd 0, lambda_anchor 1 | change: both |
| MoD-DPO (derived) | `terms.mod_margin` | as Naive-DPO, beta_relevant, beta_irrelevant | the defaults |
| MoD-DPO++ (derived) | the same | further gamma_tpd, text_prior penalty | the defaults |

Eq. 4 prints y_l in its second ratio. Its text ("aligns its response y_w to the correct input"), Eq. 5 and Fig. 4 mean
the chosen response y_w under the rejected media, and that is what `rejected_media` holds here. Every term has its
gradient, and policy and reference have the same weights: where they are equal, each -log sigma is log 2 (gamma 0).
"""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from avem_train.objectives import terms
from avem_train.objectives.logps import (
    PreferenceLogps,
    Scored,
    advantage,
    check_shapes,
    per_token,
    positive,
    weighted,
)
from avem_train.objectives.settings import REJECTED, Objective

Given = TypeVar("Given")
_NAIVE = ("rewards/chosen", "rewards/rejected", "accuracies/response", "margins/response", "loss/response")
"""The parts that `naive_dpo_loss` returns."""


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
    objective = Objective(beta=beta, gamma_tpd=gamma_tpd, lambda_av=lambda_av)
    return objective_loss(Scored(policy, reference, text), weights, objective)


def objective_loss(
    scored: Scored, weights: Mapping[str, float | Tensor], objective: Objective
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss that an objective's settings describe; `preference_loss` is the case of the paper's settings.

    weights: as in `preference_loss` (the objective's own are not looked at). Returns the loss (batch,) and the parts of
    `preference_loss`, further `loss/NAME` of each of the terms blind, anchor, mdpo_anchor, ce and swapped that has a
    weight. Raises ValueError for log-probabilities that a setting needs and `scored` lacks, and for shapes that differ.
    """
    policy, reference = scored.policy, scored.reference
    check_shapes(policy, reference, scored.text, scored.blind, scored.relevant_changed, scored.irrelevant_changed)
    ratios = terms.log_ratios(policy, reference)
    rejected = weighted(ratios, weights, "policy and reference")
    margin = _margin(scored, weights, objective)
    tpd = lowered(scored, weights, objective)
    response = terms.of_margin(margin - tpd, objective.margin, objective.beta, objective.label_noise)
    loss = response if scored.balance is None else response * scored.balance
    parts = {f"rewards/{name}": objective.beta * ratios[name] for name in ("chosen", *REJECTED) if name in ratios}
    parts |= {f"accuracies/{name}": positive(ratios["chosen"] - ratios[name]) for name in REJECTED if name in ratios}
    parts |= {
        "rewards/rejected": objective.beta * rejected,
        "accuracies/response": positive(margin),
        "margins/response": margin,
        "tpd": tpd,
        "loss/response": response,
    }
    if objective.lambda_av and "rejected_media" not in ratios:
        raise ValueError(
            f"lambda_av is {objective.lambda_av}: policy and reference need rejected_media, or set lambda_av to 0"
        )
    if "rejected_media" in ratios:
        media_margin = objective.beta * (ratios["chosen"] - ratios["rejected_media"])
        media_loss = -logsigmoid(media_margin)
        has = 1.0 if scored.has_rejected_media is None else scored.has_rejected_media
        loss = loss + objective.lambda_av * has * media_loss if objective.lambda_av else loss
        parts |= {"margins/media": media_margin, "accuracies/media": positive(media_margin), "loss/media": media_loss}
    for name, (weight, term) in _further(scored, ratios, weights, objective).items():
        loss = loss + weight * term
        parts[f"loss/{name}"] = term
    return loss, {name: part.detach() for name, part in parts.items()}


def lowered(scored: Scored, weights: Mapping[str, float | Tensor], objective: Objective) -> Tensor:
    """What the text prior takes off each record's margin, (batch,); 0 without one."""
    if scored.text is None or not objective.gamma_tpd:
        return torch.zeros_like(scored.reference.chosen)
    return terms.lowered_by(
        scored.text,
        weights,
        objective.gamma_tpd,
        printed=objective.text_prior == "printed",
        tokens=_needed(scored.tokens, "length_normalised", "tokens") if objective.length_normalised else None,
        bound=objective.prior_bound,
    )


def _margin(scored: Scored, weights: Mapping[str, float | Tensor], objective: Objective) -> Tensor:
    """Beta (m(y_w) - sum_i b_i m(y_l^i)) or MoD-DPO's; means over tokens for IPO."""

    def of(model: PreferenceLogps, whose: str) -> Tensor:
        if objective.margin == "ipo":
            model = per_token(model, _needed(scored.tokens, "margin=ipo", "tokens"))
        return advantage(model, weights, whose)

    policy, reference = of(scored.policy, "policy and reference"), of(scored.reference, "policy and reference").detach()
    changed: dict[str, Tensor | None] = {"relevant": None, "irrelevant": None}
    for which in changed:
        if getattr(objective, f"beta_{which}"):
            name = f"{which}_changed"
            changed[which] = of(_needed(getattr(scored, name), f"beta_{which}", name), name)
    has_relevant = 1.0 if scored.has_rejected_media is None else scored.has_rejected_media
    has_irrelevant = 1.0 if scored.has_irrelevant is None else scored.has_irrelevant
    return terms.mod_margin(
        policy,
        reference,
        **changed,
        beta=objective.beta,
        beta_relevant=objective.beta_relevant * has_relevant,
        beta_irrelevant=objective.beta_irrelevant * has_irrelevant,
    )


def _further(
    scored: Scored, ratios: Mapping[str, Tensor], weights: Mapping[str, float | Tensor], objective: Objective
) -> dict[str, tuple[float, Tensor]]:
    """Name -> weight and value of each term that the paper does not have and the objective has."""
    found: dict[str, tuple[float, Tensor]] = {}
    if objective.lambda_blind:
        blind = terms.log_ratios(
            _needed(scored.blind, "lambda_blind", "blind"), _needed(scored.text, "lambda_blind", "text")
        )
        found["blind"] = objective.lambda_blind, terms.blind_conditional(ratios, blind, weights, objective.beta)
    if objective.anchor:
        found["anchor"] = objective.anchor, terms.anchor(ratios["chosen"])
    if objective.lambda_anchor:
        found["mdpo_anchor"] = objective.lambda_anchor, terms.mdpo_anchor(ratios["chosen"], objective.beta)
    if objective.lambda_ce:
        tokens = _needed(scored.tokens, "lambda_ce", "tokens").chosen
        found["ce"] = objective.lambda_ce, terms.cross_entropy(scored.policy.chosen, tokens)
    if objective.lambda_swapped:
        right_there = _needed(scored.swapped_of, "lambda_swapped", "swapped_of")
        swapped = _needed(ratios.get("swapped"), "lambda_swapped", "swapped")
        found["swapped"] = (
            objective.lambda_swapped,
            terms.swapped_media(ratios, swapped, right_there, objective.beta),
        )
    return found


def _needed(value: Given | None, setting: str, name: str) -> Given:
    """The value. Raises ValueError where it is missing."""
    if value is None:
        raise ValueError(f"{setting} needs {name}, which the log-probabilities lack")
    return value


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
