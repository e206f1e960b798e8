"""Are the weight files of a folder all there, and whole? Told without torch, before anything is loaded.

Only the head of each safetensors file is read, which says how long the file must be.
"""

import json
from pathlib import Path

from emorealm_tasks.untrusted import Unreadable, parse_json, plain_name, read_bytes, typed

_LENGTH = 8  # bytes at the start that hold the length of the header
_LONGEST_HEADER = 100_000_000  # as safetensors itself has it


def fault(folder: Path, single: str = "model.safetensors") -> str:
    """Why the safetensors of a folder make no whole weights, to follow its name; "" where they do.

    single: the name of their file, where no index of that name says that there are several.
    """
    index, names = folder / f"{single}.index.json", {single}
    if index.is_file():
        try:
            weight_map = typed(parse_json(read_bytes(index)), dict).get("weight_map")
        except Unreadable as error:
            return f"its {index.name} cannot be used: {error}"
        if not isinstance(weight_map, dict) or not weight_map or not all(map(plain_name, weight_map.values())):
            return f"its {index.name} does not name the files of its tensors"
        names = set(weight_map.values())
    if missing := sorted(name for name in names if not (folder / name).is_file()):
        return f"its {', '.join(missing)} is missing"
    return next((f"its {name} {reason}" for name in sorted(names) if (reason := _cut(folder / name))), "")


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a model: a config.json that can be read, and whole weights."""
    try:
        typed(parse_json(read_bytes(folder / "config.json")), dict)
    except Unreadable:
        return False
    return not fault(folder)


def remove_broken_off(folder: Path) -> None:
    """Remove weights of a conversion that was killed, and what safetensors was writing then. Raises OSError."""
    for pattern in ("model*.safetensors*", ".tmp??????"):
        for stale in folder.glob(pattern):
            stale.unlink()


def fault_if_there(folder: Path) -> str:
    """As `fault`; "" also where no such safetensors lie: for a hub id, and for weights in other files."""
    return fault(folder) if any(folder.glob("model*.safetensors*")) else ""


def _cut(path: Path) -> str:
    """What is wrong with the length of a safetensors file; "" where it is what its header says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if not 0 < length <= min(_LONGEST_HEADER, size - _LENGTH):
            return "is cut or is no safetensors file; copy it again"
        header = file.read(length)
    try:
        tensors = [about for name, about in json.loads(header).items() if name != "__metadata__"]
        expected = _LENGTH + length + max((int(about["data_offsets"][1]) for about in tensors), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return "is no safetensors file: its header cannot be read; copy it again"
    return "" if size == expected else f"has {size} bytes where its header says {expected}; copy it again"
