"""Copies in the host's memory: what comes back is what went, and what they take is what is counted."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from model_adapters.avere.clips import FeatureStore
from model_adapters.base import transfer
from model_adapters.base.transfer import PAGE, HostCopy, host_bytes

A_VIDEO = 2056, 4096
"""AVERE's features of one."""


@pytest.mark.parametrize("shape", [(), (0, 4), (3, 5), A_VIDEO])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_copy_comes_back_as_it_was(device, shape, dtype):
    tensor = torch.randn(shape, device=device).to(dtype)
    copy = HostCopy(tensor)
    kept = tensor.clone()
    tensor.zero_()
    back = copy.on(device)
    assert (back.device, back.dtype) == (kept.device, dtype)
    assert torch.equal(back, kept)
    assert host_bytes(kept) >= kept.nbytes


@given(st.integers(0, 5), st.integers(0, 1000), st.sampled_from([torch.bfloat16, torch.float32, torch.uint8]))
def test_pages_hold_all_bytes_in_their_order(rows, width, dtype):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(transfer, "PAGE", 256)
        tensor = torch.randint(0, 255, (rows, width)).to(dtype)
        parts, back = transfer._parts(tensor), torch.empty_like(tensor)
        assert all(len(part) == 256 for part in parts[:-1])
        for part, page in zip(transfer._parts(back), parts, strict=True):
            part.copy_(page)
    assert torch.equal(back, tensor)


def test_features_from_a_gpu_are_counted_as_what_they_take(monkeypatch):
    """Pinned memory comes in powers of two: one piece of 16.06 MiB would take 32."""
    taken = []
    empty = torch.empty

    def noted(*size, **options):
        if options.get("pin_memory"):
            taken.append(size[0])
        return empty(*size, **options)

    monkeypatch.setattr(torch, "empty", noted)
    with FakeTensorMode():
        gpu = torch.device("cuda")
        video = torch.randn(A_VIDEO, dtype=torch.bfloat16, device=gpu)
        copy = HostCopy(video)
        back = copy.on(gpu)
    assert (back.device.type, back.shape, back.dtype) == ("cuda", video.shape, torch.bfloat16)
    assert (host_bytes(video), set(taken)) == (sum(taken), {PAGE})
    assert video.nbytes <= host_bytes(video) < 1.02 * video.nbytes


def test_what_does_not_fit_the_store_as_it_is_counted_throws_nothing_out():
    with FakeTensorMode():
        store = FeatureStore(PAGE + 1000)
        small, large = (torch.randn(size, device="cuda") for size in (100, PAGE // 4 + 100))
        store.put("small", small)
        store.put("large", large)
        assert ("small" in store, "large" in store, store.bytes) == (True, False, PAGE)
