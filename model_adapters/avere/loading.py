"""A folder of weights -> a model and its processor on the right device, or one line that says what is wrong."""

from pathlib import Path
from typing import Any

import torch

from model_adapters.base import lora_folders
from model_adapters.base.arguments import first_line
from model_adapters.base.weight_checks import Unusable, load_whole

from . import folders
from .classes import AvereForConditionalGeneration, AvereProcessor


def load_model(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    attn_implementation: str | None,
    adapter: Path | None,
    **options: Any,
) -> AvereForConditionalGeneration:
    """The model of `folder` in eval mode, with the LoRA of the folder `adapter` at work if one is named.

    `options` go to `from_pretrained`.
    """
    options |= {"attn_implementation": attn_implementation} if attn_implementation else {}
    try:
        model = load_whole(AvereForConditionalGeneration, str(folder), dtype=dtype, local_files_only=True, **options)
    except Unusable as error:
        folders.refuse(folder, str(error))
    if adapter:
        model = lora_folders.attach("avere", model, adapter)
    return model.to(device).eval()  # type: ignore[arg-type]  # the wrapper of `to` hides its types


def load_processor(folder: Path) -> AvereProcessor:
    """Tokenizer and media preparation of `folder`."""
    try:
        return AvereProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # of whatever kind the files are broken in
        folders.refuse(folder, f"its processor or tokenizer cannot be loaded ({first_line(error)})")
