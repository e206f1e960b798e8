"""Which layers of a model LoRA adapts."""

from collections.abc import Sequence

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
"""Those of attention."""
NAMES = (*ATTENTION, "gate_proj", "up_proj", "down_proj")
"""The linear layers of a block of the language model."""


def linears(names: Sequence[str]) -> str:
    """Such layers of all blocks, by their names in the whole model (a regular expression).

    Qwen2.5-Omni's are `model.layers` in transformers up to 5.20.
    """
    return rf"(.*\blanguage_model|model)\.layers\.\d+\..*\.({'|'.join(names)})"


LINEARS = linears(NAMES)
"""All of them."""
