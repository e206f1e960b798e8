"""Clocks, peaks and ceilings of the device that a benchmark runs on, a GPU or (to try the path) a CPU."""

import gc
import statistics
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

TOP = 10  # kernels that a profile names


class Machine:
    """A device whose work is timed with the host's clock around synchronised calls."""

    def __init__(self, name: str) -> None:
        self.device = torch.device(name)
        self.cuda = self.device.type == "cuda"

    @property
    def dtype(self) -> torch.dtype:
        """What a model of true size is kept in: bfloat16, on a CPU float32."""
        return torch.bfloat16 if self.cuda else torch.float32

    def synchronise(self) -> None:
        """Wait until the device has done all it was given."""
        if self.cuda:
            torch.cuda.synchronize()

    def clock(self, work: Callable[[], Any], repeats: int = 5, warm_up: int = 2) -> dict[str, float]:
        """Median, least and most seconds of `repeats` calls."""
        for _ in range(warm_up):
            work()
        seconds = []
        for _ in range(repeats):
            self.synchronise()
            started = time.perf_counter()
            work()
            self.synchronise()
            seconds.append(time.perf_counter() - started)
        return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}

    def free(self) -> None:
        """Give back what nothing refers to, and begin to count the peak anew."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> float:
        """GiB at the peak since `free`, the weights included; 0 on a CPU."""
        return torch.cuda.max_memory_allocated() / 2**30 if self.cuda else 0.0

    def waits(self, work: Callable[[], Any]) -> int:
        """How many times the host waits for the GPU inside of `work`."""
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                work()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in said)

    def profile(self, work: Callable[[], Any]) -> dict[str, Any]:
        """Share of the time in which a kernel ran, launches, and the longest kernels in seconds; {} on a CPU.

        The time is of a call without the profiler, which slows the host down.
        """
        if not self.cuda:
            return {}
        from torch.profiler import ProfilerActivity, profile

        seconds = self.clock(work, repeats=1, warm_up=1)["median"]
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            work()
            self.synchronise()
        events = [event for event in profiler.events() if event.device_type == torch.autograd.DeviceType.CUDA]
        by_kernel: dict[str, float] = defaultdict(float)
        for event in events:
            by_kernel[event.name[:70]] += event.self_device_time_total / 1e6
        longest = sorted(by_kernel.items(), key=lambda item: -item[1])[:TOP]
        busy = sum(by_kernel.values())
        return {
            "seconds": seconds,
            "kernel_seconds": busy,
            "share_busy": busy / seconds,
            "launches": len(events),
            "longest": [{"kernel": name, "seconds": spent} for name, spent in longest],
        }


def roofline(machine: Machine) -> dict[str, float]:
    """What the card gives: matrix products, copies, and attention at AVERE's shape in the three forms that occur."""
    return {**_products(machine), **_copies(machine), **_attention(machine)}


def _products(machine: Machine) -> dict[str, float]:
    size = 8192 if machine.cuda else 256
    tokens, hidden, inner = (9628, 4096, 11008) if machine.cuda else (64, 32, 64)
    kind = {"device": machine.device, "dtype": machine.dtype}
    a, b = torch.randn(size, size, **kind), torch.randn(size, size, **kind)
    h, w = torch.randn(tokens, hidden, **kind), torch.randn(inner, hidden, **kind)
    square, layer = machine.clock(lambda: a @ b, 10, 3), machine.clock(lambda: F.linear(h, w), 10, 3)
    return {
        "matmul_tflops": 2 * size**3 / square["median"] / 1e12,
        "mlp_matmul_tflops": 2 * tokens * hidden * inner / layer["median"] / 1e12,
    }


def _copies(machine: Machine) -> dict[str, float]:
    source = torch.randn(2**29 if machine.cuda else 2**16, device=machine.device)
    target = torch.empty_like(source)
    seconds = machine.clock(lambda: target.copy_(source))["median"]
    found = {"copy_tbps": 2 * source.nbytes / seconds / 1e12}
    features = torch.randn(2056, 4096, device=machine.device, dtype=torch.bfloat16)  # one clip's projected video
    found["features_to_host_ms"] = 1e3 * machine.clock(lambda: features.to("cpu", copy=True), 10)["median"]
    if machine.cuda:
        pinned = torch.empty(features.shape, dtype=features.dtype, pin_memory=True)
        spent = machine.clock(lambda: pinned.copy_(features, non_blocking=True), 10)["median"]
        found["features_to_pinned_ms"] = 1e3 * spent
    return found


def _attention(machine: Machine) -> dict[str, float]:
    rows, heads, length, size = (8, 32, 2246, 128) if machine.cuda else (2, 2, 64, 8)
    shape = (rows, heads, length, size)
    q, k, v = (torch.randn(shape, device=machine.device, dtype=machine.dtype) for _ in range(3))
    mask = torch.ones(length, length, dtype=torch.bool, device=machine.device).tril()[None, None].repeat(rows, 1, 1, 1)
    bias = torch.zeros(mask.shape, dtype=machine.dtype, device=machine.device)
    bias = bias.masked_fill_(~mask, torch.finfo(machine.dtype).min)
    forms = {"causal": {"is_causal": True}, "bool_mask": {"attn_mask": mask}, "additive_mask": {"attn_mask": bias}}
    found = {}
    for name, given in forms.items():
        seconds = machine.clock(lambda given=given: F.scaled_dot_product_attention(q, k, v, **given))["median"]
        found[f"attention_{name}_ms_a_row"] = 1e3 * seconds / rows
    return found
