"""Micro-batches by tokens: as full as they may be, and an update that is the one of batches of a fixed size."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from avem_train.dpo import logprobs, micro_batches, train
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Optimiser
from avem_train.packing import tree
from avem_train.packing.tree import Token

LIMIT = 700


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=9), st.integers(1, 40))
def test_each_record_is_in_one_batch_that_is_small_enough_or_its_own(lengths, limit):
    count = iter(range(10**6))
    records = [[tuple(Token(next(count), place) for place in range(n)) for n in of_record] for of_record in lengths]
    batches = micro_batches.divided(records, tree.rows, limit)
    assert sorted(number for batch in batches for number in batch) == list(range(len(records)))
    rows = [[n for number in batch for n in lengths[number]] for batch in batches]
    assert all(len(one) * max(one) <= limit or len(batch) == 1 for one, batch in zip(rows, batches, strict=True))
    assert list(map(max, rows)) == sorted(map(max, rows), reverse=True)
    for before, after in pairwise(batches):  # the next record would have been too much
        together = [n for number in [*before, after[0]] for n in lengths[number]]
        assert len(together) * max(together) > limit


def test_an_update_is_that_of_batches_of_a_fixed_size(tiny_avere, preference_file, backbone, tmp_path, monkeypatch):
    running = Running(device="cpu", save_every=0, tensorboard=False, reference=str(tmp_path / "kept"))
    optimiser = Optimiser(learning_rate=1e-3, batch=2, accumulation=2, warm_up=0.0)  # the last update is of 2 records
    fixed = DpoSettings(preference_file, tmp_path / "out", str(tiny_avere), optimiser=optimiser, running=running)
    train.train(fixed, backbone)
    passes, compute = [], logprobs.target_logits

    def seen(model, backbone, inputs, *rest):
        if torch.is_grad_enabled():
            passes.append((inputs.ids.numel(), len(inputs.counts)))
        return compute(model, backbone, inputs, *rest)

    monkeypatch.setattr(logprobs, "target_logits", seen)
    running = replace(running, max_tokens_per_micro_batch=LIMIT)
    capped = replace(fixed, out=tmp_path / "capped", running=running)
    train.train(capped, backbone)
    logs = [(one.out / "log.jsonl").read_text().splitlines() for one in (fixed, capped)]
    for ours, theirs in zip(*(map(json.loads, lines) for lines in logs), strict=True):
        for name in {"loss", "grad_norm", "logps/chosen", "loss/media"} & theirs.keys():
            assert ours[name] == pytest.approx(theirs[name], abs=1e-6, rel=1e-6), name
    wanted, found = (load_file(one.out / "adapter_model.safetensors") for one in (fixed, capped))
    assert all(torch.allclose(wanted[name], found[name], atol=1e-6) for name in wanted)
    assert len(passes) > 3  # micro-batches of three updates
    assert all(tokens <= LIMIT or responses <= 4 for tokens, responses in passes)
    assert max(responses for _, responses in passes) > 4  # of several records
