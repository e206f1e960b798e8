"""Logits that are NaN or infinite: the argmax of NaN is the first token, which would look like an empty answer."""

import torch

NO_NUMBERS = (
    "its logits are no numbers (NaN or infinite): the weights or adapters are damaged, or half precision overflowed; "
    "try dtype=float32"
)


class NotFinite(Exception):
    """Raised with NO_NUMBERS."""


def broken(logits: torch.Tensor) -> torch.Tensor:
    """Which rows of logits (rows, vocabulary) name no token: bool (rows,).

    A token that is ruled out has -inf, which is allowed.
    """
    return logits.isnan().any(-1) | logits.isposinf().any(-1) | ~logits.isfinite().any(-1)


def check(input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """A logits processor of `generate` that changes nothing. Raises NotFinite."""
    if bool(broken(logits).any()):
        raise NotFinite(NO_NUMBERS)
    return logits
