import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from avem_train.objectives import (
    TABLE_18,
    Objective,
    PreferenceLogps,
    avem_dpo_loss,
    naive_dpo_loss,
    preference_loss,
    record_weights,
    vista_dpo_loss,
)

NAMES = ("chosen", "video_relevant", "emotion_relevant", "rejected_media")


def logps(*values):
    """One record's log-probabilities, in NAMES' order."""
    return PreferenceLogps(*(torch.tensor([float(value)], dtype=torch.float64) for value in values))


# m = policy - reference: chosen 2, video-relevant -1, emotion-relevant 4, rejected media 0.5
POLICY, REFERENCE = logps(-8, -11, -6, -12), logps(-10, -10, -10, -12.5)
TEXT = logps(-5, -9, -3)


def sigma_loss(x):
    return math.log(1 + math.exp(-x))


def test_avem_dpo_by_hand():
    """Eq. 9 worked out on paper, every term with a weight of its own."""
    loss, parts = avem_dpo_loss(
        POLICY, REFERENCE, TEXT, beta=0.1, beta_vr=0.25, beta_er=0.75, gamma_tpd=0.2, lambda_av=2.0
    )
    margin = 0.1 * (2 - (0.25 * -1 + 0.75 * 4))  # -0.075
    tpd = 0.2 * (-5 - (0.25 * -9 + 0.75 * -3))  # -0.1
    media = 0.1 * (2 - 0.5)
    assert loss.item() == pytest.approx(sigma_loss(margin - tpd) + 2 * sigma_loss(media), abs=1e-12)
    expected = {
        "rewards/chosen": 0.2,
        "rewards/video_relevant": -0.1,
        "rewards/emotion_relevant": 0.4,
        "rewards/rejected": 0.275,
        "margins/response": -0.075,
        "tpd": -0.1,
        "margins/media": 0.15,
        "loss/response": sigma_loss(0.025),
        "loss/media": sigma_loss(0.15),
        "accuracies/video_relevant": 1,
        "accuracies/emotion_relevant": 0,
        "accuracies/response": 0,
        "accuracies/media": 1,
    }
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(expected, abs=1e-12)


def test_naive_and_vista_dpo_by_hand():
    loss, parts = naive_dpo_loss(POLICY.chosen, POLICY.emotion_relevant, REFERENCE.chosen, REFERENCE.emotion_relevant)
    assert loss.item() == pytest.approx(sigma_loss(0.1 * (2 - 4)), abs=1e-12)
    assert parts["accuracies/response"].item() == 0
    loss, _ = vista_dpo_loss(POLICY, REFERENCE, beta=0.2, lambda_av=0.5)
    expected = sigma_loss(0.2 * (2 - (0.5 * -1 + 0.5 * 4))) + 0.5 * sigma_loss(0.2 * 1.5)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_an_irrelevant_response_by_hand():
    """Table 18's row y^er, y^irr: weights 0.7 and 0.3, policy and reference alike."""
    policy = PreferenceLogps(POLICY.chosen, None, POLICY.emotion_relevant, irrelevant=torch.tensor([-30.0]).double())
    reference = PreferenceLogps(
        REFERENCE.chosen, None, REFERENCE.emotion_relevant, irrelevant=torch.tensor([-20.0]).double()
    )
    loss, parts = preference_loss(policy, reference, None, TABLE_18["er+irr"].weights, lambda_av=0)
    assert loss.item() == pytest.approx(sigma_loss(0.1 * (2 - (0.7 * 4 + 0.3 * -10))), abs=1e-12)
    assert "rewards/video_relevant" not in parts
    assert parts["rewards/irrelevant"].item() == pytest.approx(-1)


numbers = st.floats(-60, 0, allow_nan=False)
rows = st.lists(numbers, min_size=4, max_size=4).map(lambda row: logps(*row))
fractions = st.floats(0.05, 0.95)


@given(rows, rows, rows, fractions, st.floats(0.01, 1), st.floats(0, 1), st.floats(0.1, 2))
def test_gradients_are_those_of_finite_differences(policy, reference, text, beta_vr, beta, gamma, lambda_av):
    def loss(*values):
        weights = {"beta_vr": beta_vr, "beta_er": 1 - beta_vr}
        policy = PreferenceLogps(*values)
        return avem_dpo_loss(policy, reference, text, beta=beta, gamma_tpd=gamma, lambda_av=lambda_av, **weights)[0]

    values = tuple(getattr(policy, name).requires_grad_() for name in NAMES)
    assert torch.autograd.gradcheck(loss, values, eps=1e-6, atol=1e-6)


@given(rows, rows, rows)
def test_every_term_has_a_gradient_and_the_frozen_models_none(policy, reference, text):
    """The released Vista-DPO lacks gradients in its visual terms and in the second rejected response."""
    for row in (policy, reference, text):
        for name in NAMES:
            getattr(row, name).requires_grad_()
    loss, parts = avem_dpo_loss(policy, reference, text)
    loss.sum().backward()
    signs = {name: torch.sign(getattr(policy, name).grad).item() for name in NAMES}
    assert signs == {"chosen": -1, "video_relevant": 1, "emotion_relevant": 1, "rejected_media": 1}
    assert all(getattr(row, name).grad is None for row in (reference, text) for name in NAMES)
    assert not any(part.requires_grad for part in parts.values())


@given(rows)
def test_at_the_reference_every_loss_is_log_2(row):
    """The released Vista-DPO weighs policy and reference differently, so its loss there depends on the responses."""
    for loss, _ in (avem_dpo_loss(row, row, None), vista_dpo_loss(row, row)):
        assert loss.item() == pytest.approx(2 * math.log(2), abs=1e-12)
    loss, _ = naive_dpo_loss(row.chosen, row.video_relevant, row.chosen, row.video_relevant)
    assert loss.item() == pytest.approx(math.log(2), abs=1e-12)


@given(rows, rows, rows)
def test_limits(policy, reference, text):
    """What is switched off is gone; what is left of AVEm-DPO is then one of the others."""
    both, _ = vista_dpo_loss(policy, reference)
    for without in (avem_dpo_loss(policy, reference, None), avem_dpo_loss(policy, reference, text, gamma_tpd=0)):
        torch.testing.assert_close(without[0], both, rtol=0, atol=0)
    naive, _ = naive_dpo_loss(policy.chosen, policy.video_relevant, reference.chosen, reference.video_relevant)
    one = {"beta_vr": 1.0, "beta_er": 0.0, "lambda_av": 0.0}
    torch.testing.assert_close(avem_dpo_loss(policy, reference, None, **one)[0], naive, rtol=0, atol=1e-12)
    bare = [PreferenceLogps(row.chosen, row.video_relevant) for row in (policy, reference)]
    torch.testing.assert_close(avem_dpo_loss(*bare, None, **one)[0], naive, rtol=0, atol=1e-12)
    media, parts = avem_dpo_loss(policy, reference, text)
    alone, _ = avem_dpo_loss(policy, reference, text, lambda_av=0)
    torch.testing.assert_close(media - alone, parts["loss/media"], rtol=0, atol=1e-12)


@given(rows, rows, rows)
def test_text_priors_turn_the_loss_against_what_text_alone_expects(policy, reference, text):
    """Eq. 8: the likelier the chosen response is without media, the larger the loss."""
    assume(abs(text.chosen.item() - (text.video_relevant + text.emotion_relevant).item() / 2) > 1e-3)
    plain, _ = avem_dpo_loss(policy, reference, None)
    debiased, parts = avem_dpo_loss(policy, reference, text)
    assert (debiased > plain).item() == (parts["tpd"] > 0).item()


def test_records_may_have_weights_of_their_own():
    """w/o ERP (Eq. 11): what a record has no weight for is not looked at, be it NaN."""
    nan = float("nan")
    policy = PreferenceLogps(torch.tensor([-1.0, -2.0]), torch.tensor([-3.0, nan]), torch.tensor([nan, -5.0]))
    policy.chosen.requires_grad_()
    policy.video_relevant.requires_grad_()
    reference = PreferenceLogps(*(torch.zeros(2) for _ in range(3)))
    weights = {"video_relevant": torch.tensor([1.0, 0.0]), "emotion_relevant": torch.tensor([0.0, 1.0])}
    loss, parts = preference_loss(policy, reference, None, weights, lambda_av=0)
    naive, _ = naive_dpo_loss(policy.chosen, torch.tensor([-3.0, -5.0]), reference.chosen, reference.chosen)
    torch.testing.assert_close(loss, naive)
    assert parts["accuracies/video_relevant"][0] == 1
    assert parts["accuracies/video_relevant"][1].isnan()
    loss.sum().backward()
    assert policy.video_relevant.grad.isfinite().all()


def test_what_is_missing_is_named():
    lacking = PreferenceLogps(POLICY.chosen, POLICY.video_relevant, POLICY.emotion_relevant)
    with pytest.raises(ValueError, match="need rejected_media, or set lambda_av to 0"):
        avem_dpo_loss(lacking, REFERENCE, None)
    with pytest.raises(ValueError, match="need rejected_media"):
        vista_dpo_loss(POLICY, lacking)
    with pytest.raises(ValueError, match="'emotion_relevant' has a weight, but policy and reference lack"):
        avem_dpo_loss(PreferenceLogps(POLICY.chosen, POLICY.video_relevant), REFERENCE, None, lambda_av=0)
    with pytest.raises(ValueError, match="'video_relevant' has a weight, but text lack"):
        avem_dpo_loss(POLICY, REFERENCE, PreferenceLogps(POLICY.chosen))
    with pytest.raises(ValueError, match="unknown rejected response 'video'"):
        preference_loss(POLICY, REFERENCE, None, {"video": 1.0})
    with pytest.raises(ValueError, match="one shape"):
        avem_dpo_loss(POLICY, PreferenceLogps(*(torch.zeros(1, 1) for _ in NAMES)), None)
    with pytest.raises(ValueError, match="one shape"):
        naive_dpo_loss(torch.zeros(2), torch.zeros(2), torch.zeros(2), torch.zeros(1))


def test_settings_that_make_no_loss_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        Objective(video_relevant=0.7)
    with pytest.raises(ValueError, match="at least 0"):
        Objective(video_relevant=1.5, emotion_relevant=-0.5)
    with pytest.raises(ValueError, match="beta must be above 0"):
        Objective(beta=0)
    with pytest.raises(ValueError, match="gamma_tpd"):
        Objective(gamma_tpd=float("inf"))
    with pytest.raises(ValueError, match="lambda_av"):
        Objective(lambda_av=-0.1)


def test_table_18_has_the_papers_rows():
    used = {name: row.responses for name, row in TABLE_18.items()}
    assert used == {
        "irr": ("irrelevant",),
        "er": ("emotion_relevant",),
        "vr": ("video_relevant",),
        "er+irr": ("emotion_relevant", "irrelevant"),
        "vr+irr": ("video_relevant", "irrelevant"),
        "er+vr": ("video_relevant", "emotion_relevant"),
    }
    assert {row.irrelevant for row in TABLE_18.values()} == {0, 0.3, 1}
    assert TABLE_18["er+vr"] == Objective()


@given(st.integers(0, 2**31), st.sampled_from(list(TABLE_18)))
def test_one_response_is_drawn_by_id_and_seed_alone(seed, row):
    settings = Objective(**TABLE_18[row].weights, one_response=True)
    for identifier in ("r0", "r1", "r2"):
        (name,) = drawn = record_weights(settings, identifier, seed)
        assert name in settings.responses
        assert drawn == {name: 1.0} == record_weights(settings, identifier, seed)


def test_one_response_is_drawn_with_its_weight_as_its_chance():
    draws = [record_weights(Objective(one_response=True), str(i), 3) for i in range(4000)]
    share = sum("video_relevant" in draw for draw in draws) / len(draws)
    assert share == pytest.approx(0.5, abs=0.03)
    tilted = Objective(video_relevant=0.8, emotion_relevant=0.2, one_response=True)
    share = sum("video_relevant" in record_weights(tilted, str(i), 3) for i in range(4000)) / 4000
    assert share == pytest.approx(0.8, abs=0.03)
    other = [record_weights(Objective(one_response=True), str(i), 4) for i in range(4000)]
    assert draws != other
    assert record_weights(Objective(), "a", 0) == {"video_relevant": 0.5, "emotion_relevant": 0.5}
