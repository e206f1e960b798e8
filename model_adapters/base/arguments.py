"""Model arguments as lmms-eval passes them -> values, or one line that says what is wrong and what would be right.

`owner` is the adapter's name, with which each such line begins.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from emorealm_tasks.errors import stop
from emorealm_tasks.sequences import nearest
from emorealm_tasks.untrusted import brief

if TYPE_CHECKING:
    import torch  # seconds to import: only what needs a device does so

Form = TypeVar("Form")
_AUTO_BATCH = 16
_DIGITS = 9  # of a number of processes
_DTYPES = {
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "float16": "float16",
    "fp16": "float16",
    "float32": "float32",
    "fp32": "float32",
}
"""What users write -> torch's name."""


def launched(name: str, default: int, owner: str) -> int:
    """A number that a launcher sets in the environment: RANK, LOCAL_RANK or WORLD_SIZE. Stops at anything else."""
    value = os.environ.get(name, "").strip() or str(default)
    if not value.isascii() or not value.isdecimal() or len(value) > _DIGITS:
        stop(f"{owner}: {name}={brief(value)}: a launcher (accelerate, torchrun) sets it to a number; unset it")
    return int(value)


def choose_device(name: str | None, owner: str) -> "torch.device":
    """`auto` or None: this process's own GPU when there is one, else the CPU."""
    import torch

    local_rank = launched("LOCAL_RANK", 0, owner)
    if name in (None, "auto"):
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(f"cuda:{local_rank}" if name == "cuda" else name)
    except RuntimeError:
        stop(f"{owner}: unknown device {name!r}; use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        stop(f"{owner}: device {name!r} was asked for and torch sees no GPU here; use device=cpu")
    return device


def choose_dtype(name: str, device: "torch.device", owner: str) -> "torch.dtype":
    """`auto`: bfloat16 on a GPU, float32 (the same answers at every batch size) on the CPU."""
    import torch

    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if name not in _DTYPES:
        stop(f"{owner}: unknown dtype {name!r}; use auto or one of {', '.join(_DTYPES)}")
    dtype: torch.dtype = getattr(torch, _DTYPES[name])
    return dtype


def dtype_name(dtype: "torch.dtype") -> str:
    """As users write it: bfloat16, float32."""
    return str(dtype).removeprefix("torch.")


def refuse_unknown(unknown: Collection[str], known: Collection[str], owner: str) -> None:
    """Stop at the first model argument that is not `known`, naming the nearest one that is."""
    for name in unknown:
        near = nearest(name, known, cutoff=0.5)
        hint = f"did you mean {near!r}?" if near else f"known: {', '.join(known)}"
        stop(f"{owner}: unknown model argument {name!r}; {hint}")


def parse(
    form: type[Form],
    model_args: Mapping[str, Any],
    owner: str,
    others: Collection[str] = (),
    refused: Collection[str] = (),
) -> Form:
    """The model arguments as an instance of the dataclass `form`; stops at one that has no field there.

    others: names of arguments that were taken out of `model_args` before, for the message.
    refused: fields of `form` that this model does not take.
    """
    field_names = [field.name for field in fields(form) if field.name not in refused]  # type: ignore[arg-type]
    refuse_unknown([name for name in model_args if name not in field_names], [*field_names, *others], owner)
    return form(**model_args)


def number(name: str, value: Any, low: float, high: float, owner: str) -> float:
    """`value` as a number from `low` to `high`."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        stop(f"{owner}: {name}={value!r} is not a number")
    if not low <= result <= high:
        stop(f"{owner}: {name}={value!r} is out of range; it must be between {low:g} and {high:g}")
    return result


def one_of(name: str, value: str, choices: Collection[str], owner: str) -> None:
    """Stop unless `value` is one of `choices`."""
    if value not in choices:
        stop(f"{owner}: {name}={value!r}; use one of {', '.join(choices)}")


def batch_size(value: int | str, owner: str) -> int:
    """Rows at once; `auto` (and lmms-eval's `auto:N`) is 16."""
    if isinstance(value, str) and value.startswith("auto"):
        return _AUTO_BATCH
    return int(number("batch_size", value, 1, float("inf"), owner))


def first_line(error: Exception) -> str:
    """What an error says, on one line."""
    return (str(error).strip() or type(error).__name__).split("\n")[0].strip()
