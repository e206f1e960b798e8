"""A cache with room for the next tokens holds what transformers' own holds, and copies former tokens seldom."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.cache_utils import DynamicLayer

from model_adapters.avere.growing_cache import ROOM, GrowingLayer


def states(rows, tokens):
    return torch.randn(rows, 2, tokens, 3), torch.randn(rows, 2, tokens, 3)


@given(st.lists(st.integers(0, 2), max_size=4), st.lists(st.integers(1, ROOM + 5), min_size=1, max_size=4))
def test_it_holds_what_transformers_own_holds(rows, widths):
    keys, values = states(3, 5)
    rows = rows or [0, 1, 2]
    own, growing = DynamicLayer(), GrowingLayer.of(keys, values, torch.tensor(rows) if rows != [0, 1, 2] else None)
    own.update(keys[rows], values[rows])
    before = keys.clone()
    for width in widths:
        new = states(len(rows), width)
        for one, other in zip(own.update(*new), growing.update(*new), strict=True):
            assert torch.equal(one, other)
        assert growing.get_seq_length() == own.get_seq_length()
    assert torch.equal(keys, before)


def test_a_step_writes_its_own_tokens_alone():
    layer = GrowingLayer.of(*states(3, 50), torch.tensor([2, 0]))
    seen = {layer.update(*states(2, 1))[0].data_ptr() for _ in range(3 * ROOM)}
    assert len(seen) == 3


def test_an_empty_one_takes_what_comes_first_without_a_copy():
    keys, values = states(2, 7)
    own, layer = DynamicLayer(), GrowingLayer()
    assert layer.get_seq_length() == 0
    held = layer.update(keys, values)
    assert [one.data_ptr() for one in held] == [keys.data_ptr(), values.data_ptr()]
    own.update(keys, values)
    new = states(2, 3)
    for one, other in zip(own.update(*new), layer.update(*new), strict=True):
        assert torch.equal(one, other)
