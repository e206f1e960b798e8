"""Liger's kernels in a language model: its norms, its gated layers and its rotary positions, by Liger's own hook.

The head stays as it is: it is computed where a token is predicted and nowhere else, and what a fused one saves is the
logits of all other places.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from emorealm_tasks.errors import stop

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_OPTIONS = {"fused_linear_cross_entropy": False}
"""Of liger-kernel: a decoder has no head."""


def check(setting: str, on_gpu: bool) -> None:
    """Stop where the kernels cannot be had: without liger-kernel, and without a GPU. setting: what asks for them."""
    if find_spec("liger_kernel") is None:
        stop(f"{setting}: liger-kernel is not installed: pip install liger-kernel")
    if not on_gpu:
        stop(f"{setting}: Liger's kernels need a GPU; {_without(setting)}")


def apply(model: "PreTrainedModel", setting: str) -> None:
    """Put the kernels into a model's decoder, for this process to its end. Stops where Liger has none for its class."""
    from transformers.integrations.liger import apply_liger_kernel

    decoder = model.get_decoder()
    kind = decoder.config.model_type
    hook = import_module("liger_kernel.transformers.monkey_patch")  # of no dependency of ours
    if kind not in hook.MODEL_TYPE_TO_APPLY_LIGER_FN:
        stop(f"{setting}: the installed liger-kernel has no kernels for {kind}; {_without(setting)}")
    apply_liger_kernel(decoder, _OPTIONS)


def _without(setting: str) -> str:
    return f"use {setting.rpartition(' ')[2].removesuffix('true')}false"
