"""Contrastive decoding: hand-computed logits, exact at alpha 0, and what of it a model sees."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_adapters.decoding.contrastive import Contrast, contrasted, from_arguments
from model_adapters.decoding.diffusion import kept_signal

ROWS = st.lists(st.lists(st.floats(-20, 20), min_size=5, max_size=5), min_size=1, max_size=4)


def test_logits_by_hand():
    """beta 0.1: tokens more than ln 10 = 2.30 below the best of the clean branch cannot win."""
    clean, noised = torch.tensor([[3.0, 2.0, 0.5, 1.0]]), torch.tensor([[3.0, 0.0, -9.0, 2.0]])
    assert contrasted(clean, noised, 1.0, 0.1).tolist() == [[3.0, 4.0, -math.inf, 0.0]]
    assert contrasted(clean, noised, 0.5, 0.0).tolist() == [[3.0, 3.0, 5.25, 0.5]]


@given(ROWS, st.floats(0, 1))
def test_at_alpha_0_the_plausible_logits_are_the_clean_ones(rows, beta):
    clean = torch.tensor(rows)
    made = contrasted(clean, -clean, 0.0, beta)
    kept = made > -math.inf
    assert torch.equal(made[kept], clean[kept])
    assert torch.equal(made.argmax(-1), clean.argmax(-1))


@given(ROWS, st.floats(0, 3))
def test_only_plausible_tokens_can_win_and_one_always_can(rows, alpha):
    clean = torch.tensor(rows)
    winner = contrasted(clean, clean.flip(-1), alpha, 0.1).argmax(-1, keepdim=True)
    assert (clean.gather(-1, winner)[:, 0] >= clean.max(-1).values + math.log(0.1) - 1e-5).all()


def test_both_branches_go_on_with_one_token():
    logits = torch.randn(6, 9)
    made = Contrast(1.0)(None, logits)
    assert torch.equal(made[:3], made[3:])
    assert torch.equal(made[:3], contrasted(logits[:3], logits[3:], 1.0, 0.1))


def test_noise_is_on_the_asked_modality_alone_and_has_the_share_of_the_step():
    row = {
        "pixel_values_videos": torch.ones(400, 50),
        "input_features": torch.ones(1, 8, 30),
        "input_ids": torch.ones(1),
    }
    noised = Contrast(1.0, step=500, modalities="v").noised(row)
    assert torch.equal(noised["input_features"], row["input_features"])
    assert torch.equal(noised["input_ids"], row["input_ids"])
    assert noised["pixel_values_videos"].mean().item() == pytest.approx(kept_signal(500) ** 0.5, abs=0.02)
    again = Contrast(1.0, step=500, modalities="v").noised(row)
    assert torch.equal(noised["pixel_values_videos"], again["pixel_values_videos"])
    assert not torch.equal(Contrast(1.0).noised(row)["input_features"], row["input_features"])


def test_what_was_not_given_is_not_noised():
    """A medium that the question has not, and one feature of several that is all zeros."""
    features = torch.stack([torch.zeros(1, 4), torch.ones(1, 4), 2 * torch.ones(1, 4)], dim=1)
    row = {"pixel_values": torch.zeros(1, 3), "input_values": torch.ones(1, 5), "clip_features": features}
    contrast = Contrast(1.0, step=500)
    noised = contrast.noised(row, given="a")
    assert torch.equal(noised["pixel_values"], row["pixel_values"])
    assert not torch.equal(noised["input_values"], row["input_values"])
    changed = (noised["clip_features"] != features).any(-1)[0].tolist()
    assert changed == [False, False, True]
    assert (contrast.noised(row)["clip_features"] != features).any(-1)[0].tolist() == [False, True, True]
    alone = Contrast(1.0, step=500, modalities="v").noised(row)
    assert (alone["clip_features"] != features).any(-1)[0].tolist() == [False, True, False]


def test_arguments():
    assert from_arguments({}, "m") is None
    given = {"vcd_alpha": 0.5, "vcd_step": 100, "other": 1}
    assert from_arguments(given, "m") == Contrast(0.5, 0.1, 100, "av")
    assert given == {"other": 1}
    for wrong in ({"vcd_alpha": 1, "vcd_beta": 2}, {"vcd_alpha": 1, "vcd_modalities": "x"}, {"vcd_beta": 0.1}):
        with pytest.raises(SystemExit):
            from_arguments(dict(wrong), "m")
