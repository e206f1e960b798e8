"""What text prior debiasing tends to, by policies that are tables: docs/text_prior.md, line by line."""

import math

import pytest
import torch

from avem_train.objectives import PreferenceLogps, preference_loss

BETA = 0.5
TRUTH = torch.tensor([1.2, 0.1, -0.7, 0.4], dtype=torch.float64)
"""r*: how good each of four responses is; a person prefers by Bradley-Terry."""
REFERENCE = torch.tensor([0.1, 0.4, 0.3, 0.2], dtype=torch.float64).log()
TEXT = torch.tensor([0.05, 0.25, 0.6, 0.1], dtype=torch.float64).log()
"""pi_text prefers the worst response."""
PAIRS = [(w, (r,)) for w in range(4) for r in range(4) if w != r]
TRIPLES = [(w, (v, e)) for w in range(4) for v in range(4) for e in range(4) if len({w, v, e}) == 3]


def least(loss):
    """log pi where `loss` of log pi is least, by a search that knows no closed form."""
    logits = REFERENCE.clone().requires_grad_()
    search = {"max_iter": 1000, "tolerance_grad": 1e-14, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
    optimiser = torch.optim.LBFGS([logits], **search)

    def closure():
        optimiser.zero_grad()
        value = loss(logits.log_softmax(-1))
        value.backward()
        return value

    optimiser.step(closure)
    return logits.detach().log_softmax(-1)


def fitted(comparisons, gamma, weights=(1.0,)):
    """log pi of the policy whose expected loss over all comparisons, with their Bradley-Terry chances, is least."""
    names = ("video_relevant", "emotion_relevant")[: len(weights)]
    wins = torch.tensor([w for w, _ in comparisons])
    losers = torch.tensor([rejected for _, rejected in comparisons]).T
    margin = TRUTH[wins] - sum(b * TRUTH[lost] for b, lost in zip(weights, losers, strict=True))
    chance = {True: margin.sigmoid(), False: (-margin).sigmoid()}

    def at(logps):
        of = {name: logps[lost] for name, lost in zip(names, losers, strict=True)}
        return PreferenceLogps(logps[wins], **of)

    def expected(logps):
        given = dict(zip(names, weights, strict=True))
        policy, text = at(logps), at(TEXT)
        loss, _ = preference_loss(policy, at(REFERENCE), text, given, beta=BETA, gamma_tpd=gamma, lambda_av=0)
        # the other outcome of the same comparison has the opposite margin: -log sigma(-m) = -log sigma(m) + m
        both = chance[True] * loss + chance[False] * (loss + _margin(policy, at(REFERENCE), text, given, gamma))
        return both.mean()

    return least(expected)


def _margin(policy, reference, text, weights, gamma):
    def side(logps):
        return logps.chosen - sum(weight * getattr(logps, name) for name, weight in weights.items())

    return BETA * (side(policy) - side(reference)) - gamma * side(text)


def closed_form(gamma):
    """pi proportional to pi_ref exp(r*/beta) pi_text^(gamma/beta)."""
    return (REFERENCE + TRUTH / BETA + gamma / BETA * TEXT).log_softmax(-1)


@pytest.mark.parametrize("gamma", [-0.4, -0.2, 0.0, 0.2, 0.4])
@pytest.mark.parametrize(
    ("comparisons", "weights"), [(PAIRS, (1.0,)), (TRIPLES, (0.5, 0.5)), (TRIPLES, (0.7, 0.3))], ids=["8", "10", "10b"]
)
def test_the_printed_term_raises_the_policy_to_the_text_prior(gamma, comparisons, weights):
    torch.testing.assert_close(fitted(comparisons, gamma, weights), closed_form(gamma), atol=1e-6, rtol=0)


def test_the_printed_sign_prefers_what_the_text_prefers_and_the_opposite_sign_avoids_it():
    prior = {gamma: (closed_form(gamma).exp() * TEXT).sum().item() for gamma in (-0.4, 0.0, 0.4)}
    assert prior[-0.4] < prior[0.0] < prior[0.4]


@pytest.mark.parametrize("gamma", [0.1, 0.4])
def test_a_penalty_in_the_objective_is_the_opposite_sign(gamma):
    """max E[r*] - beta KL(pi | pi_ref) - gamma E[log pi_text]."""

    def loss(logps):
        return -(logps.exp() * (TRUTH - BETA * (logps - REFERENCE) - gamma * TEXT)).sum()

    torch.testing.assert_close(least(loss), closed_form(-gamma), atol=1e-6, rtol=0)


def test_one_step_of_the_printed_term_learns_less_where_the_text_prefers_the_rejected_response():
    """The gradient of a record is sigma(gamma dt - beta ds) times beta: below the plain one where dt < 0."""
    chosen = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    zeros = torch.zeros(2, dtype=torch.float64)
    text = PreferenceLogps(torch.tensor([-5.0, -1.0], dtype=torch.float64), torch.tensor([-1.0, -5.0]).double())
    policy, reference = PreferenceLogps(chosen, zeros), PreferenceLogps(zeros, zeros)
    loss, _ = preference_loss(policy, reference, text, {"video_relevant": 1.0}, beta=BETA, gamma_tpd=0.5, lambda_av=0)
    (gradient,) = torch.autograd.grad(loss.sum(), chosen)
    expected = [-BETA / (1 + math.exp(2)), -BETA / (1 + math.exp(-2))]
    torch.testing.assert_close(gradient, torch.tensor(expected, dtype=torch.float64))
