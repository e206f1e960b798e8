"""Which weights a folder holds, in a few characters: kept values, adapters and answers of other weights show by it."""

import hashlib
from pathlib import Path

from emorealm_tasks import clips

_SAMPLES = 64
_BLOCK = 1 << 16


def fingerprint(folder: Path) -> str:
    """16 hex digits of the config.json (a LoRA folder's adapter_config.json) and safetensors of a model folder.

    Of a weight file larger than 4 MiB its name, its size and 64 blocks of 64 KiB spread over it are read, the header
    among them: training changes every tensor, so blocks show it, and 15 GB take no longer than a moment.
    """
    whole, added = folder / "config.json", folder / "adapter_config.json"
    digest = hashlib.sha256((added if added.is_file() and not whole.is_file() else whole).read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            if size <= _SAMPLES * _BLOCK:
                digest.update(file.read())
                continue
            for number in range(_SAMPLES):
                file.seek(number * (size - _BLOCK) // (_SAMPLES - 1))
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:16]


def of_files(path: Path) -> str:
    """16 hex digits of the name, size and time of change of a file, or of the files that lie in a folder.

    For weights whose layout is not known; "" where there is neither (a hub id).
    """
    if not path.exists():
        return ""
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    return hashlib.sha256(str([(file.name, clips.stamp(file)) for file in files]).encode()).hexdigest()[:16]
