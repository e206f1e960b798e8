"""Which weights a folder holds, in a few characters: kept values and adapters of other weights show by it."""

import hashlib
from pathlib import Path

_SAMPLES = 64
_BLOCK = 1 << 16


def fingerprint(folder: Path) -> str:
    """16 hex digits of a model folder's config.json and safetensors.

    Of a weight file larger than 4 MiB its name, its size and 64 blocks of 64 KiB spread over it are read, the header
    among them: training changes every tensor, so blocks show it, and 15 GB take no longer than a moment.
    """
    digest = hashlib.sha256((folder / "config.json").read_bytes())
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
