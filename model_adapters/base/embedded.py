"""The weights that ship with the package: known without torch, which takes seconds to import."""

import json
import math
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
NANO, NANO_2 = _PACKAGE / "avere_nano", _PACKAGE / "avere_nano_2"
EMOTION_LLAMA_NANO = _PACKAGE / "emotion_llama_nano"
ADAPTERS = {"avere_nano_dpo": NANO, "avere_nano_2_dpo": NANO_2, "avere_nano_2_plus": NANO_2}
"""Adapters that ship with the package, by name, and the weights that they are put on: AVEm-DPO's and AVEm-plus's."""
EMBEDDED = (NANO.name, NANO_2.name, *ADAPTERS)
"""AVERE's weights that ship with the package, by the names that `pretrained` takes."""
BASES = {folder.name: folder for folder in (NANO, NANO_2, EMOTION_LLAMA_NANO)}
"""Whole weights that ship with the package, by name."""


def parameter_count(name: str) -> int | None:
    """Of embedded weights by their name, from the header of their file; None for other names."""
    folder = BASES.get(name) or ADAPTERS.get(name)
    if folder is None:
        return None
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(entry["shape"]) for key, entry in header.items() if key != "__metadata__")


def weights_folder(name_or_path: str) -> Path:
    """The folder of whole weights that a path names, or a name of BASES the embedded ones; it need not be there."""
    return BASES.get(name_or_path) or Path(name_or_path).expanduser().resolve()
