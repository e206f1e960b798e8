"""Whole weights of a folder or a hub id -> a model: every tensor from a file, or the reason why not.

transformers only warns about tensors that no file holds, and leaves them at random.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from emorealm_tasks.sequences import common_prefix
from model_adapters.base.arguments import first_line

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    Model = TypeVar("Model", bound=PreTrainedModel)

_MOST_LISTED = 3


class Unusable(Exception):
    """Weights that make no whole model; the message says why, to follow their name."""


def load_whole(model_class: "type[Model]", checkpoint: str, **options: Any) -> "Model":
    """The model of a folder or hub id, not yet in eval mode. `options` go to `from_pretrained`. Raises Unusable."""
    try:
        # no types know that there are two with output_loading_info
        loaded: Any = model_class.from_pretrained(checkpoint, output_loading_info=True, **options)
        model, report = loaded
    except Exception as error:  # of whatever kind the files are broken in
        raise Unusable(f"its weights cannot be loaded ({first_line(error)})") from error
    if missing := sorted(report["missing_keys"]):
        raise Unusable(_missing_keys(missing, report["unexpected_keys"]))
    complete: Model = model
    return complete


def _missing_keys(missing: list[str], unexpected: Iterable[str]) -> str:
    """How many tensors are not there, the first of them, and under which other prefix they seem to be."""
    names = ", ".join(missing[:_MOST_LISTED]) + (", ..." if len(missing) > _MOST_LISTED else "")
    problem = f"it lacks {len(missing)} tensor(s): {names}"
    for name in missing:
        for key in unexpected:
            end = _common_end(name, key)
            if end.count(".") > 1:  # more than "q_proj.weight", which many tensors end in
                return f"{problem}; {key} is there instead: are its names those of another layout?"
    return problem


def _common_end(first: str, second: str) -> str:
    """The dotted parts with which both names end."""
    one, other = first.split("."), second.split(".")
    same = common_prefix((one[::-1], other[::-1]))
    return ".".join(one[len(one) - same :])
