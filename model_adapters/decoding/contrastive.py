"""Visual contrastive decoding (VCD, Leng et al., 2024) for pictures and sounds: Table 5's row without training.

A clip is contrasted with itself under diffusion noise: what the noise does not take away comes from the priors of the
language model. Both branches are rows of one batch, so they share every forward and keep their keys and values.
"""

import hashlib
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor

from emorealm_tasks.errors import stop
from model_adapters.base import arguments
from model_adapters.base.media_refs import MediaFile, NoisedMediaFile
from model_adapters.decoding.diffusion import DIFFUSION_STEPS, diffused

ARGUMENTS = ("vcd_alpha", "vcd_beta", "vcd_step", "vcd_modalities")
_INPUTS = {
    "pixel_values": "v",
    "pixel_values_videos": "v",
    "input_features": "a",
    "input_values": "a",
    "clip_features": "vva",
}
"""Inputs of a model -> their modality; several letters: those of the parts along the second dimension."""
_KINDS = {"video": "v", "audio": "a"}


def contrasted(clean: Tensor, noised: Tensor, alpha: float, beta: float) -> Tensor:
    """(1 + alpha) clean - alpha noised, and -inf for tokens less than `beta` times as likely as the likeliest.

    Logits, (rows, vocabulary) each; likelihoods are those of `clean` (adaptive plausibility). With alpha = 0 the
    plausible logits are `clean` itself.
    """
    floor = clean.max(-1, keepdim=True).values + torch.tensor(beta, device=clean.device).log()
    combined = clean if alpha == 0 else (1 + alpha) * clean - alpha * noised
    return combined.masked_fill(clean < floor, float("-inf"))


@dataclass(frozen=True)
class Contrast:
    """How to contrast: a logits processor of `generate`.

    The first half of the rows is clean, the second half the same rows noised; both halves get the contrasted logits, so
    that both go on with the same token.
    """

    alpha: float
    """Strength."""
    beta: float = 0.1
    """Plausibility, 0 to 1."""
    step: int = 500
    """Of the diffusion, 0 to 999."""
    modalities: str = "av"
    """What is noised: av, a or v."""

    def __call__(self, input_ids: Tensor | None, logits: Tensor) -> Tensor:
        """(2 rows, vocabulary) -> the same shape, both halves alike."""
        clean, noised = logits.chunk(2)
        return contrasted(clean, noised, self.alpha, self.beta).repeat(2, 1)

    def medium(self, medium: MediaFile) -> MediaFile | NoisedMediaFile:
        """What stands in a medium's place in the noised branch."""
        return NoisedMediaFile(*medium, self.step) if _KINDS[medium.kind] in self.modalities else medium

    def noised(self, row: Mapping[str, Tensor], given: str = "av") -> dict[str, Tensor]:
        """One question's inputs with noise on what is made of its media; the same noise at every batch size.

        given: the question's media, av, a or v. What stands for a medium that is not given stays as it is, and so does
        one of several features that is all zeros: it was not given either.
        """
        changing = set(self.modalities) & set(given)
        return {name: self._noised(name, value, changing) for name, value in row.items()}

    def _noised(self, name: str, value: Tensor, changing: Collection[str]) -> Tensor:
        parts = _INPUTS.get(name, "")
        if len(parts) < 2:
            return diffused(torch.as_tensor(value), self.step, noise_seed(name)) if parts in changing else value
        features = [
            diffused(value[:, place], self.step, noise_seed(f"{name} {place}"))
            if kind in changing and bool(value[:, place].any())
            else value[:, place]
            for place, kind in enumerate(parts)
        ]
        return torch.stack(features, dim=1)


def noise_seed(name: str) -> int:
    """Seed of the noise on an input or a kind of medium: always the same, and another for each."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def from_arguments(model_args: MutableMapping[str, object], owner: str) -> Contrast | None:
    """Take the `vcd_` arguments out of model arguments; None without `vcd_alpha`. Stops at values out of range."""
    chosen = {name: model_args.pop(name) for name in ARGUMENTS if name in model_args}
    if "vcd_alpha" not in chosen:
        if chosen:
            stop(f"{owner}: {', '.join(chosen)} without vcd_alpha; name vcd_alpha too (1 is its authors' choice)")
        return None
    modalities = str(chosen.get("vcd_modalities", "av"))
    arguments.one_of("vcd_modalities", modalities, ("av", "a", "v"), owner)
    return Contrast(
        arguments.number("vcd_alpha", chosen["vcd_alpha"], 0.0, 100.0, owner),
        arguments.number("vcd_beta", chosen.get("vcd_beta", 0.1), 0.0, 1.0, owner),
        int(arguments.number("vcd_step", chosen.get("vcd_step", 500), 0, DIFFUSION_STEPS - 1, owner)),
        modalities,
    )
