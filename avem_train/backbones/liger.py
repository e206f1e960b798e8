"""Liger's kernels in a language model: its norms, its gated layers and its rotary positions, by Liger's own hook.

The head stays as it is: it is computed where a token is predicted and nowhere else (`dpo.logprobs`), and what a fused
one saves is the logits of all other places.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from emorealm_tasks.errors import stop

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_OPTIONS = {"fused_linear_cross_entropy": False}
"""Of liger-kernel: a decoder has no head."""


def apply(model: "PreTrainedModel") -> None:
    """Put the kernels into the decoder of a model on a GPU. Stops where Liger has none for its class."""
    from transformers.integrations.liger import apply_liger_kernel

    decoder = model.get_decoder()
    kind = decoder.config.model_type
    hook = import_module("liger_kernel.transformers.monkey_patch")  # of no dependency of ours
    if kind not in hook.MODEL_TYPE_TO_APPLY_LIGER_FN:
        stop(f"running.liger=true: the installed liger-kernel has no kernels for {kind}; use running.liger=false")
    apply_liger_kernel(decoder, _OPTIONS)
