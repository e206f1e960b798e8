"""The terms that losses are put together from: pure functions of margins and log-probabilities, all (batch,).

s = log pi_theta - log pi_ref of a response; w is the chosen one, i counts the rejected ones of weights b_i.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from avem_train.objectives.logps import PreferenceLogps, advantage, per_token, present, weighted


def lowered_by(
    text: PreferenceLogps,
    weights: Mapping[str, float | Tensor],
    gamma: float,
    *,
    printed: bool = True,
    tokens: PreferenceLogps | None = None,
    bound: float = 0.0,
) -> Tensor:
    """What the text prior takes off the margin: gamma dt as Eq. 8 prints it, -gamma dt as a penalty in the objective.

    dt = t(y_w) - sum_i b_i t(y_l^i), t = log p_text, or t / tokens where `tokens` are given (then a letter and a
    sentence count alike). bound: c above 0 turns gamma dt into c tanh(gamma dt / c): the same slope at 0, and no record
    is worth more than c; in the limit of a large c it is gamma dt. Without gradient.
    """
    prior = gamma * advantage(text if tokens is None else per_token(text, tokens), weights, "text").detach()
    if bound:
        prior = bound * torch.tanh(prior / bound)
    return prior if printed else -prior


def of_margin(margin: Tensor, kind: str, beta: float, noise: float = 0.0) -> Tensor:
    """The response term as a function of the margin (beta in it), as TRL's DPOTrainer has it.

    sigmoid (DPO): -log sigma(m). hinge (SLiC): max(0, 1 - m). ipo (Azar et al., 2024, Eq. 17): (m / beta - 1 / (2
    beta))^2, where the caller takes means over tokens. robust (Chowdhury et al., 2024): of preferences that are the
    wrong way round with the chance `noise`, an unbiased estimate of the sigmoid's; it may be below 0. Raises ValueError
    for another kind.
    """
    if kind == "sigmoid":
        return -logsigmoid(margin)
    if kind == "hinge":
        return (1 - margin).relu()
    if kind == "ipo":
        return (margin / beta - 1 / (2 * beta)) ** 2
    if kind == "robust":
        return (noise * logsigmoid(-margin) - (1 - noise) * logsigmoid(margin)) / (1 - 2 * noise)
    raise ValueError(f"unknown margin {kind!r}")


def anchor(chosen: Tensor) -> Tensor:
    """max(0, -s_w): what the chosen response has lost against the reference, in nats. chosen: s_w.

    DPO's margin leaves the chosen response's own probability free, which then falls; DPO-Positive (Pal et al., 2024)
    puts this penalty into the margin. Here it is a term of its own, so that its gradient stays where margins saturate.
    """
    return (-chosen).relu()


def mdpo_anchor(chosen: Tensor, beta: float) -> Tensor:
    """-log sigma(beta s_w): mDPO's anchored preference (Wang et al., 2024, delta = 0). chosen: s_w."""
    return -logsigmoid(beta * chosen)


def cross_entropy(chosen: Tensor, tokens: Tensor) -> Tensor:
    """-log p(y_w) / tokens: as video-SALMONN 2 and Iterative RPO add it. chosen: log p(y_w), no ratio."""
    return -chosen / tokens


def blind_conditional(
    ratios: Mapping[str, Tensor], blind: Mapping[str, Tensor], weights: Mapping[str, float | Tensor], beta: float
) -> Tensor:
    """-log sigma(beta (s_w - s_w^blind)) - sum_i b_i log sigma(beta (s_i^blind - s_i)).

    Media shall add to the chosen response and take from the rejected ones, against the policy's own text prior and not
    the frozen one's. ratios, blind: s with and without media, by response; both have gradients. log 2 times 1 + sum b_i
    where both are the reference. Raises ValueError for a response that has a weight and no values.
    """
    against = {name: -logsigmoid(beta * (blind[name] - ratios[name])) for name in blind if name in ratios}
    return -logsigmoid(beta * (ratios["chosen"] - blind["chosen"])) + weighted(against, weights, "policy and blind")


def swapped_media(
    ratios: Mapping[str, Tensor], swapped: Tensor, right_there: Mapping[str, float | Tensor], beta: float
) -> Tensor:
    """-log sigma(beta (s_l(rejected media) - s_l)) of the rejected response that is right under the rejected media.

    The other half of the preference over media: there the rejected clip shall lower the chosen response, here it shall
    raise the one that is true of it (symmetric preference; SymMPO compares the same four). right_there: name -> 1 where
    that response is the right one, else 0; 0 where a record has none.
    """
    has = torch.zeros_like(swapped)
    for value in right_there.values():
        has = has + value
    return -logsigmoid(beta * (swapped - weighted(ratios, right_there, "policy and reference"))) * has


def mod_margin(
    policy: Tensor,
    reference: Tensor,
    relevant: Tensor | None,
    irrelevant: Tensor | None,
    *,
    beta: float,
    beta_relevant: float | Tensor,
    beta_irrelevant: float | Tensor,
) -> Tensor:
    """MoD-DPO's margin, DERIVED from its stated objective (arXiv 2603.03192); the paper's own equation was not read.

    Each argument is a difference of log-probabilities, chosen minus weighted rejected. The objective, an expectation
    over the policy pi::

        E[r] - beta KL(pi | pi_ref) - beta_irrelevant KL(pi | sg pi_irr) + beta_relevant KL(pi | sg pi_rel)

    with pi_irr, pi_rel the policy itself where what the prompt is not about, or is about, is changed; sg: no gradient.
    Its maximum has tau log pi = r + beta log pi_ref + beta_irrelevant log pi_irr - beta_relevant log pi_rel - const,
    tau = beta + beta_irrelevant - beta_relevant > 0. Solved for r, the constant falls out of a difference::

        tau d log pi - beta d log pi_ref - beta_irrelevant d log sg pi_irr + beta_relevant d log sg pi_rel

    Limits: both weights 0 is DPO; where a change changes nothing (pi_irr = pi) the value is the one without that
    weight, and the gradient keeps it. A weight is 0 for records that have no such medium to change.
    """
    margin = (beta + beta_irrelevant - beta_relevant) * policy - beta * reference
    if irrelevant is not None:
        margin = margin - beta_irrelevant * irrelevant.detach()
    if relevant is not None:
        margin = margin + beta_relevant * relevant.detach()
    return margin


def log_ratios(policy: PreferenceLogps, reference: PreferenceLogps) -> dict[str, Tensor]:
    """S of every response that both have; the reference without gradient."""
    return {name: getattr(policy, name) - getattr(reference, name).detach() for name in present(policy, reference)}
