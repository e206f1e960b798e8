"""Diffusion noise on what encoders take, as VCD (Leng et al., 2024) puts it on pictures."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

DIFFUSION_STEPS = 1000


def diffused(features: "Tensor", step: int, seed: int) -> "Tensor":
    """sqrt(a) features + sqrt(1 - a) noise, a = `kept_signal(step)`, with standard normal noise from `seed`."""
    import torch  # seconds to import; the settings of a training need none of it

    noise = torch.randn(features.shape, generator=torch.Generator().manual_seed(seed))
    signal = kept_signal(step)
    return (features.float() * signal**0.5 + noise.to(features.device) * (1 - signal) ** 0.5).to(features.dtype)


def kept_signal(step: int) -> float:
    """Share of the signal's power left at a step (0 to 999) of the diffusion that VCD (Leng et al., 2024) uses.

    The noise variance added in step s is 1e-5 + (0.005 - 1e-5) sigmoid(12 s / 999 - 6).
    """
    import torch

    variances = 1e-5 + (0.005 - 1e-5) * torch.sigmoid(torch.linspace(-6, 6, DIFFUSION_STEPS, dtype=torch.float64))
    return float(torch.cumprod(1 - variances, 0)[step])
