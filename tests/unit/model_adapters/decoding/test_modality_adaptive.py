"""Modality-adaptive decoding: weights by hand, and their limits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_adapters.decoding.modality_adaptive import Adaptive, combined, from_arguments, weights

SHARES = st.tuples(*[st.floats(0.01, 1)] * 3).map(lambda values: [value / sum(values) for value in values])


def test_weights_by_hand():
    """gamma 0.5; audio 0.5, video 0.2, both 0.3."""
    (found,) = weights(torch.tensor([[0.5, 0.2, 0.3]]), 0.5)
    assert found.tolist() == pytest.approx([2.3, 0.95, 1.1, -0.35])


@given(SHARES, st.floats(0, 5))
def test_the_weights_add_up_to_four_whatever_is_needed(shares, gamma):
    """So a token that all branches find as likely is none the likelier for it."""
    (found,) = weights(torch.tensor([shares]), gamma)
    assert found.sum().item() == pytest.approx(4, abs=1e-4)


def test_what_is_needed_alone_counts_more():
    (sound,), (picture,) = (weights(torch.tensor([needed]), 1.0) for needed in ([1.0, 0, 0], [0, 1.0, 0]))
    assert sound[2] > sound[1]
    assert picture[1] > picture[2]


def test_sums_of_rows_by_hand():
    logits = [torch.tensor([[1.0, 2.0], [0.0, 1.0]])] * 2
    assert combined(logits, torch.tensor([[1.0, 2.0], [0.5, 0.0]])).tolist() == [[3.0, 6.0], [0.0, 0.5]]


def test_arguments():
    given_, other = {"mad_gamma": "0.5", "x": 1}, {"vcd_alpha": 1}
    assert from_arguments(given_, "m") == Adaptive(0.5)
    assert given_ == {"x": 1}
    assert from_arguments(other, "m") is None
    for wrong in ({"mad_gamma": -1}, {"mad_gamma": "much"}, {"mad_gamma": 1, "vcd_alpha": 1}):
        with pytest.raises(SystemExit):
            from_arguments(dict(wrong), "m")
