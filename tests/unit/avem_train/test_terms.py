"""The terms beside the paper's: values by hand, gradients, limits, and MoD-DPO's margin against its objective."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avem_train.objectives import REJECTED, Objective, PreferenceLogps, Scored, forms, objective_loss, terms
from avem_train.objectives.settings import MARGINS

EQUAL = {"video_relevant": 0.5, "emotion_relevant": 0.5}
EXACT = {"max_iter": 2000, "tolerance_grad": 1e-14, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
PLAIN = Objective(gamma_tpd=0, lambda_av=0)


def row(*values):
    """One record's values: chosen, video-relevant, emotion-relevant."""
    return PreferenceLogps(*(torch.tensor([float(value)], dtype=torch.float64) for value in values))


def one(value):
    return torch.tensor([float(value)], dtype=torch.float64)


def sigma_loss(x):
    return math.log(1 + math.exp(-x))


# s: chosen 2, video-relevant -1, emotion-relevant 4; without media 1, 3, -2; dt = -5 - (-9 - 3) / 2 = 1
POLICY, REFERENCE = row(-8, -11, -6), row(-10, -10, -10)
TEXT, BLIND = row(-5, -9, -3), row(-4, -6, -5)
TOKENS = row(2, 3, 1)
S = (2, -1, 4)
MARGIN = 0.1 * (2 - (-1 + 4) / 2)


def scored(**more):
    return Scored(POLICY, REFERENCE, TEXT, blind=BLIND, tokens=TOKENS, **more)


def loss_of(objective, given=None):
    value, parts = objective_loss(given or scored(), EQUAL, objective)
    return value.item(), parts


@pytest.mark.parametrize(("gamma", "sign"), [(0.2, "printed"), (-0.2, "penalty")])
def test_a_penalty_is_the_printed_term_turned_round(gamma, sign):
    value, parts = loss_of(replace(PLAIN, gamma_tpd=gamma, text_prior=sign))
    assert value == pytest.approx(sigma_loss(MARGIN - 0.2 * 1), abs=1e-12)
    assert parts["tpd"].item() == pytest.approx(0.2)
    value, parts = loss_of(replace(PLAIN, gamma_tpd=-gamma, text_prior=sign))
    assert value == pytest.approx(sigma_loss(MARGIN + 0.2), abs=1e-12)


def test_a_text_prior_by_token_and_with_a_bound_by_hand():
    per_token = -5 / 2 - (-9 / 3 + -3 / 1) / 2  # 0.5
    value, _ = loss_of(replace(PLAIN, gamma_tpd=2, text_prior="penalty", length_normalised=True))
    assert value == pytest.approx(sigma_loss(MARGIN + 2 * per_token), abs=1e-12)
    value, _ = loss_of(replace(PLAIN, gamma_tpd=2, text_prior="penalty", length_normalised=True, prior_bound=0.5))
    assert value == pytest.approx(sigma_loss(MARGIN + 0.5 * math.tanh(2 * per_token / 0.5)), abs=1e-12)


@given(st.floats(-50, 50), st.floats(0.1, 5))
def test_a_bound_holds_and_a_large_one_is_none(prior, bound):
    text = PreferenceLogps(one(prior), one(0), one(0))
    lowered = terms.lowered_by(text, EQUAL, 0.7, bound=bound).item()
    assert abs(lowered) <= bound
    assert terms.lowered_by(text, EQUAL, 0.7, bound=1e6).item() == pytest.approx(0.7 * prior, abs=1e-6)


def test_anchors_and_cross_entropy_by_hand():
    value, parts = loss_of(replace(PLAIN, anchor=0.3, lambda_anchor=0.5, lambda_ce=0.25))
    further = 0.3 * 0 + 0.5 * sigma_loss(0.1 * 2) + 0.25 * 8 / 2
    assert value == pytest.approx(sigma_loss(MARGIN) + further, abs=1e-12)
    assert {"loss/anchor", "loss/mdpo_anchor", "loss/ce"} <= set(parts)
    fallen = Scored(row(-13, -11, -6), REFERENCE)
    value, _ = loss_of(replace(PLAIN, anchor=0.3), fallen)
    assert value == pytest.approx(sigma_loss(0.1 * (-3 - 1.5)) + 0.3 * 3, abs=1e-12)


def test_an_anchor_pulls_only_where_the_chosen_response_fell():
    chosen = torch.tensor([0.5, -0.5, -20], dtype=torch.float64, requires_grad=True)
    terms.anchor(chosen).sum().backward()
    assert chosen.grad.tolist() == [0, -1, -1]


def test_blind_conditional_by_hand():
    """s without media: chosen -4 + 5 = 1, video-relevant -6 + 9 = 3, emotion-relevant -5 + 3 = -2."""
    value, _ = loss_of(replace(PLAIN, lambda_blind=2))
    chosen, rejected = sigma_loss(0.1 * (2 - 1)), [sigma_loss(0.1 * (3 + 1)), sigma_loss(0.1 * (-2 - 4))]
    assert value == pytest.approx(sigma_loss(MARGIN) + 2 * (chosen + sum(rejected) / 2), abs=1e-12)
    at_reference = Scored(REFERENCE, REFERENCE, TEXT, blind=TEXT)
    value, _ = loss_of(replace(PLAIN, lambda_blind=1), at_reference)
    assert value == pytest.approx(3 * math.log(2), abs=1e-12)


def test_blind_conditional_raises_the_chosen_response_with_media_and_lowers_it_without():
    values = [tensor.clone().requires_grad_() for tensor in (POLICY.chosen, POLICY.video_relevant)]
    without = [tensor.clone().requires_grad_() for tensor in (BLIND.chosen, BLIND.video_relevant)]
    ratios, blind = (dict(zip(("chosen", "video_relevant"), given, strict=True)) for given in (values, without))
    terms.blind_conditional(ratios, blind, {"video_relevant": 1.0}, 0.1).backward()
    assert [torch.sign(value.grad).item() for value in (*values, *without)] == [-1, 1, 1, -1]


def test_swapped_media_counts_only_where_a_rejected_response_is_right():
    ratios = {"chosen": torch.zeros(2), "emotion_relevant": torch.tensor([-1.0, 5.0])}
    right = {"emotion_relevant": torch.tensor([1.0, 0.0])}
    found = terms.swapped_media(ratios, torch.tensor([2.0, 7.0]), right, 0.1)
    assert found.tolist() == pytest.approx([sigma_loss(0.3), 0])


def test_margins_by_hand():
    margin = one(0.4)
    assert terms.of_margin(margin, "sigmoid", 0.1).item() == pytest.approx(sigma_loss(0.4))
    assert terms.of_margin(margin, "hinge", 0.1).item() == pytest.approx(0.6)
    assert terms.of_margin(one(1.5), "hinge", 0.1).item() == 0
    assert terms.of_margin(margin, "ipo", 0.1).item() == pytest.approx((4 - 5) ** 2)
    robust = (0.8 * sigma_loss(0.4) - 0.2 * sigma_loss(-0.4)) / 0.6
    assert terms.of_margin(margin, "robust", 0.1, 0.2).item() == pytest.approx(robust)
    assert terms.of_margin(margin, "robust", 0.1).item() == pytest.approx(sigma_loss(0.4))
    with pytest.raises(ValueError, match="unknown margin 'apo'"):
        terms.of_margin(margin, "apo", 0.1)


def test_ipo_takes_means_over_tokens():
    value, _ = loss_of(replace(PLAIN, margin="ipo"))
    assert value == pytest.approx((2 / 2 - (-1 / 3 + 4 / 1) / 2 - 5) ** 2, abs=1e-12)


numbers = st.floats(-30, 0)
rows = st.tuples(numbers, numbers, numbers).map(lambda values: row(*values))
EVERYTHING = Objective(
    lambda_av=0,
    gamma_tpd=0.3,
    text_prior="penalty",
    length_normalised=True,
    prior_bound=1,
    lambda_blind=0.7,
    lambda_anchor=0.4,
    lambda_ce=0.2,
    beta_relevant=0.05,
    beta_irrelevant=0.02,
)


@settings(max_examples=12)
@given(rows, rows, rows, rows, rows, st.sampled_from([kind for kind in MARGINS if kind != "hinge"]))
def test_gradients_are_those_of_finite_differences(policy, reference, text, blind, changed, margin):
    names = ("chosen", "video_relevant", "emotion_relevant")
    objective = replace(EVERYTHING, margin=margin, label_noise=0.1)

    def loss(*values):
        of_model = PreferenceLogps(*values[:3]), reference, text, PreferenceLogps(*values[3:]), changed, changed
        return objective_loss(Scored(*of_model, tokens=TOKENS), EQUAL, objective)[0]

    values = tuple(getattr(model, name).requires_grad_() for model in (policy, blind) for name in names)
    for model in (reference, text, changed):
        for name in names:
            getattr(model, name).requires_grad_()
    assert torch.autograd.gradcheck(loss, values, eps=1e-6, atol=1e-5)
    loss(*values).sum().backward()
    assert all(getattr(model, name).grad is None for model in (reference, changed) for name in names)


@given(rows, rows, rows)
def test_without_changed_media_mod_dpo_is_dpo(policy, reference, changed):
    plain, _ = objective_loss(Scored(policy, reference), EQUAL, PLAIN)
    mod = replace(PLAIN, beta_relevant=0.05, beta_irrelevant=0.02)
    no_irrelevant, _ = objective_loss(
        Scored(policy, reference, None, None, policy, changed, has_irrelevant=one(0)), EQUAL, mod
    )
    torch.testing.assert_close(no_irrelevant, plain)  # nor does a change that changes nothing count


@given(rows, rows, rows)
def test_a_record_without_rejected_media_keeps_the_preference_of_responses(policy, reference, changed):
    """Whatever stands where its log-probabilities under them would."""
    with_media = [replace(model, rejected_media=one(-7)) for model in (policy, reference)]
    paper = Objective(gamma_tpd=0, beta_relevant=0.05)
    lacking = Scored(*with_media, relevant_changed=changed, has_rejected_media=one(0))
    torch.testing.assert_close(objective_loss(lacking, EQUAL, paper)[0], objective_loss(lacking, EQUAL, PLAIN)[0])
    having = replace(lacking, has_rejected_media=one(1))
    every = replace(lacking, has_rejected_media=None)
    torch.testing.assert_close(objective_loss(having, EQUAL, paper)[0], objective_loss(every, EQUAL, paper)[0])


def test_mod_dpo_by_hand():
    """d log p: policy 0.5, reference 0, relevant 3, irrelevant -1; tau = 0.1 + 0.02 - 0.05."""
    given = Scored(POLICY, REFERENCE, None, None, row(-4, -8, -6), row(-8, -5, -9))
    _, parts = objective_loss(given, EQUAL, replace(PLAIN, beta_relevant=0.05, beta_irrelevant=0.02))
    assert parts["margins/response"].item() == pytest.approx(0.07 * 0.5 - 0.1 * 0 - 0.02 * -1 + 0.05 * 3, abs=1e-12)


@pytest.mark.parametrize(("relevant", "irrelevant"), [(0.05, 0.02), (0.0, 0.3), (0.08, 0.0)])
def test_the_reward_of_mod_dpo_is_that_of_its_objective_at_its_maximum(relevant, irrelevant):
    """The policy of four responses that maximises the objective, found by search: r = margin + one constant."""
    reward = torch.tensor([1.2, 0.1, -0.7, 0.4], dtype=torch.float64) * 0.1
    reference, of_relevant, of_irrelevant = (
        torch.tensor(p, dtype=torch.float64).log()
        for p in ([0.1, 0.4, 0.3, 0.2], [0.4, 0.1, 0.1, 0.4], [0.3, 0.3, 0.2, 0.2])
    )
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([logits], **EXACT)

    def negative():
        search.zero_grad()
        policy = logits.log_softmax(-1)
        of = {"reference": (0.1, reference), "irrelevant": (irrelevant, of_irrelevant)}
        of["relevant"] = (-relevant, of_relevant)
        kept = reward - sum(weight * (policy - other) for weight, other in of.values())
        value = -(policy.exp() * kept).sum()
        value.backward()
        return value

    for _ in range(3):
        search.step(negative)
    policy = logits.detach().log_softmax(-1)
    betas = {"beta": 0.1, "beta_relevant": relevant, "beta_irrelevant": irrelevant}
    implied = terms.mod_margin(policy, reference, of_relevant, of_irrelevant, **betas)
    torch.testing.assert_close(implied - implied[0], reward - reward[0], atol=1e-6, rtol=0)


def test_balanced_forms_have_the_shares_they_have_without_a_text_prior():
    """Each record of a form counts as before against the others of it, and the form as if there were no prior."""
    lowered = torch.tensor([0.1, -0.1, 2.0, 0.5, 1.0], dtype=torch.float64)
    letters = [True, True, False, False, False]
    pull = forms.balance(lowered, letters) * lowered.sigmoid()
    assert pull[:2].sum().item() == pytest.approx(2 * 0.5)
    assert pull[2:].sum().item() == pytest.approx(3 * 0.5)
    assert (pull[2] / pull[3]).item() == pytest.approx((lowered[2].sigmoid() / lowered[3].sigmoid()).item())
    assert forms.balance(torch.zeros(3), [True, False, False]).tolist() == [1, 1, 1]
    assert forms.balance(torch.ones(2), [False, False]).isfinite().all()


@pytest.mark.parametrize(("text", "letter"), [("B", True), ("(C)", True), ("a", False), ("No, it is.", False)])
def test_a_letter_is_an_option_and_no_more(text, letter):
    assert forms.is_letter(text) is letter


def test_the_pull_at_a_record_is_the_sum_over_its_responses():
    policy = PreferenceLogps(*(torch.tensor([-1.0, -2.0], requires_grad=True) for _ in range(3)))
    reference = PreferenceLogps(*(torch.full((2,), -1.0) for _ in range(3)))
    text = PreferenceLogps(torch.tensor([0.0, 5.0]), torch.zeros(2), torch.zeros(2))
    loss, _ = objective_loss(Scored(policy, reference, text), EQUAL, replace(PLAIN, gamma_tpd=1.0))
    sizes = forms.gradient_sizes(loss, [policy, None])
    assert sizes.tolist() == pytest.approx([2 * 0.1 * 0.5, 2 * 0.1 / (1 + math.exp(-5))])
    loss.sum().backward()  # the graph stays


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"anchor": -1}, "anchor must be at least 0"),
        ({"lambda_blind": float("nan")}, "lambda_blind must be at least 0"),
        ({"prior_bound": float("inf")}, "prior_bound must be at least 0"),
        ({"text_prior": "sign"}, "text_prior 'sign': one of printed, penalty"),
        ({"margin": "apo"}, "margin 'apo': one of sigmoid, hinge, ipo, robust"),
        ({"label_noise": 0.5}, "label_noise must be 0 to below 0.5"),
        ({"beta_relevant": 0.1}, "beta 0.1 must be above beta_relevant"),
    ],
)
def test_settings_that_make_no_loss_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Objective(**changes)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"lambda_blind": 1}, "lambda_blind needs blind"),
        ({"lambda_ce": 1}, "lambda_ce needs tokens"),
        ({"margin": "ipo"}, "margin=ipo needs tokens"),
        ({"beta_relevant": 0.01}, "beta_relevant needs relevant_changed"),
        ({"lambda_swapped": 1}, "lambda_swapped needs swapped"),
    ],
)
def test_what_a_term_lacks_is_named(changes, missing):
    with pytest.raises(ValueError, match=missing):
        objective_loss(Scored(POLICY, REFERENCE), EQUAL, replace(PLAIN, **changes))


def test_every_response_that_can_be_rejected_is_one_of_the_logps():
    assert set(REJECTED) < set(PreferenceLogps.__dataclass_fields__)
