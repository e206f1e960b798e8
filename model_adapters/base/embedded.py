"""The weights that ship with the package: known without torch, which takes seconds to import."""

from pathlib import Path

NANO = Path(__file__).resolve().parents[1] / "avere_nano"
EMBEDDED = (NANO.name, "avere_nano_dpo")
"""Weights that ship with the package, by the names that `pretrained` takes: the base, and AVEm-DPO's adapters."""


def weights_folder(name_or_path: str) -> Path:
    """The folder of whole weights that a path names, or avere_nano the embedded ones; it need not be there."""
    return NANO if name_or_path == NANO.name else Path(name_or_path).expanduser().resolve()
