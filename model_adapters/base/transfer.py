"""Tensors from the host to a model's device and back without waiting for what the device is at."""

from collections.abc import Sequence

import torch

PAGE = 1 << 18
"""Bytes of a page of `HostCopy`."""


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


def host_bytes(tensor: torch.Tensor) -> int:
    """What a `HostCopy` takes of the host's memory."""
    return tensor.nbytes if tensor.device.type != "cuda" else PAGE * -(-tensor.nbytes // PAGE)


class HostCopy:
    """A copy of a tensor in the host's memory, for its device to take back.

    From a GPU it is queued too, into pinned memory in pages of one size: torch gives such memory out in powers of two
    and keeps what comes back for others of the same size, so of other sizes there would be more than is counted.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self._shape, self._dtype = tensor.shape, tensor.dtype
        self._whole = tensor.to("cpu", copy=True) if tensor.device.type != "cuda" else None
        self._pages = [] if self._whole is not None else [_page(part) for part in _parts(tensor.contiguous())]

    def on(self, device: torch.device) -> torch.Tensor:
        """The tensor on `device`, not to be changed; sent by `to_device`, or queued behind what filled the pages."""
        if self._whole is not None:
            return to_device(self._whole, device)
        found = torch.empty(self._shape, dtype=self._dtype, device=device)
        for part, page in zip(_parts(found), self._pages, strict=True):
            part.copy_(page[: len(part)], non_blocking=True)
        return found


def _page(part: torch.Tensor) -> torch.Tensor:
    page = torch.empty(PAGE, dtype=torch.uint8, pin_memory=True)
    page[: len(part)].copy_(part, non_blocking=True)
    return page


def _parts(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The bytes of a contiguous tensor, at most `PAGE` at a time: views of it."""
    return tensor.view(-1).view(torch.uint8).split(PAGE)
