"""Tensors from the host to a model's device and back without waiting for what the device is at."""

from collections.abc import Sequence

import torch


def to_device(tensor: torch.Tensor, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor on `device`, in `dtype` if one is given.

    A plain copy from the host's memory to a GPU waits until the GPU has done all that was asked of it before; then the
    GPU waits in turn for the host's next order. A copy from pinned memory is queued like any other work.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device, dtype)
    return tensor.pin_memory().to(device, non_blocking=True).to(dtype or tensor.dtype)


def numbers_on(device: torch.device, numbers: Sequence[float]) -> torch.Tensor:
    """Numbers of the host as a tensor on `device`, sent by `to_device`."""
    return to_device(torch.tensor(numbers), device)


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """A copy in the host's memory, for `to_device` to take back.

    From a GPU it is queued too, into pinned memory: only what is queued behind it may read it.
    """
    if tensor.device.type != "cuda":
        return tensor.to("cpu", copy=True)
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)


def host_bytes(tensor: torch.Tensor) -> int:
    """What `to_host` takes of the host's memory: torch gives out pinned memory in powers of two."""
    size = tensor.nbytes
    return size if tensor.device.type != "cuda" else 1 << max(size - 1, 0).bit_length()
