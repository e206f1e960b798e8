"""How fast a training is: tokens and records a second, and the share of the device's peak that its operations reach."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from avem_train.dpo.operations import Operations

PEAKS = {
    ("B200",): 2250e12,
    ("H200", "NVL"): 835e12,
    ("H200",): 989e12,
    ("H100", "NVL"): 835e12,
    ("H100", "PCIe"): 756e12,
    ("H100",): 989e12,
    ("H800",): 989e12,
    ("A100",): 312e12,
    ("A800",): 312e12,
    ("A40",): 150e12,
    ("A10",): 125e12,
    ("L40S",): 362e12,
    ("L4",): 121e12,
    ("MI300X",): 1307e12,
}
"""Words of a device's name as torch gives it -> its peak in bfloat16, operations a second, dense, by the data sheets of
NVIDIA and AMD (half of what NVIDIA prints "with sparsity"). The first entry whose words are all in the name counts."""


def peak(device_name: str) -> float:
    """A device's peak in bfloat16, operations a second; 0 where it is not known, as of a slice of one (MIG)."""
    words = set(device_name.replace("-", " ").split())
    return 0.0 if "MIG" in words else next((value for names, value in PEAKS.items() if words >= {*names}), 0.0)


def device_peak(device: torch.device, half: bool) -> float:
    """As `peak`, of a device of this machine. half: whether it computes in bfloat16; else its peak is not known."""
    return peak(torch.cuda.get_device_name(device)) if half and device.type == "cuda" else 0.0


class Throughput:
    """Counts this process's work from the first step on; `paused` and what comes before count for nothing.

    operations: of the model. peak: of the device, operations a second; 0 = not known.
    """

    def __init__(self, operations: Operations, peak: float) -> None:
        self.operations, self.peak = operations, peak
        self._running, self._begun = False, 0.0
        self._counts = [0.0, 0.0, 0.0]  # tokens, records, operations

    def start(self) -> None:
        """Training begins; nothing where it has begun already."""
        if not self._running:
            self._running, self._begun = True, time.monotonic()

    def passed(self, rows: Sequence[int], adapted: bool = True) -> None:
        """The language model read rows of so many tokens, with a backward pass where gradients are on."""
        if not self._running:
            return
        trains = torch.is_grad_enabled()
        done = self.operations.forward(rows, adapted) + (self.operations.backward(rows) if trains else 0.0)
        self._add(sum(rows) if trains else 0, 0, done)

    def finished(self, records: int) -> None:
        """So many records' losses are computed."""
        self._add(0, records if self._running else 0, 0)

    def _add(self, *counts: float) -> None:
        self._counts = [before + count for before, count in zip(self._counts, counts, strict=True)]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done inside is no training: an evaluation, a checkpoint."""
        running, began = self._running, time.monotonic()
        self._running = False
        try:
            yield
        finally:
            self._running = running
            self._begun += time.monotonic() - began

    def take(self, accelerator: Any) -> dict[str, float]:
        """Since the last call, of all processes together, as it is logged.

        tokens_per_second: read by the model in training, media included and padding left out.
        """
        if not self._running:
            return {}
        now = time.monotonic()
        seconds, self._begun = max(now - self._begun, 1e-9), now
        counts = torch.tensor(self._counts, dtype=torch.float64, device=accelerator.device)
        tokens, records, operations = accelerator.reduce(counts, "sum").tolist()
        self._counts = [0.0, 0.0, 0.0]
        speed = {"tokens_per_second": round(tokens / seconds, 1), "records_per_second": round(records / seconds, 3)}
        if self.peak:
            speed["mfu"] = round(operations / seconds / (self.peak * accelerator.num_processes), 4)
        return speed
