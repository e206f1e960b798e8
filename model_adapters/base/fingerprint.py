"""Which weights a folder holds, in a few characters: kept values, adapters and answers of other weights show by it."""

import hashlib
from pathlib import Path

from emorealm_tasks import files
from emorealm_tasks.benchmarks import availability

_SAMPLES = 64
_BLOCK = 1 << 16
_PROCESSING = ("*token*", "*processor_config.json", "vocab*", "merges*", "chat_template*", "*.jinja", "*.model")


def fingerprint(folder: Path) -> str:
    """16 hex digits of the config.json (a LoRA folder's adapter_config.json) and safetensors of a model folder.

    Of a weight file larger than 4 MiB its name, its size and 64 blocks of 64 KiB spread over it are read, the header
    among them: training changes every tensor, so blocks show it, and 15 GB take no longer than a moment.
    """
    model_config, adapter_config = folder / "config.json", folder / "adapter_config.json"
    digest = hashlib.sha256(
        (adapter_config if adapter_config.is_file() and not model_config.is_file() else model_config).read_bytes()
    )
    for path in filter(Path.is_file, files.matching(folder, "*.safetensors")):
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


def of_processor(folder: Path) -> str:
    """16 hex digits of the files that say how a model folder makes ids of text and features of media.

    Their content counts; the weights, their configuration, and what stands beside them (cards, records) do not.
    """
    digest = hashlib.sha256()
    for path in filter(Path.is_file, files.matching(folder, *_PROCESSING)):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}".encode() + content)
    return digest.hexdigest()[:16]


def sample(path: Path) -> str:
    """16 hex digits of the size and of the first, middle and last 64 KiB of a file. Raises OSError."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for start in (0, max(0, size - _BLOCK) // 2, max(0, size - _BLOCK)):
            file.seek(start)
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:16]


def of_files(path: Path) -> str:
    """16 hex digits of the name, size and time of change of a file, or of the files that lie in a folder.

    For weights whose layout is not known; "" where there is neither (a hub id).
    """
    if not path.exists():
        return ""
    found = list(filter(Path.is_file, files.matching(path, "*"))) if path.is_dir() else [path]
    return hashlib.sha256(str([(file.name, availability.stamp(file)) for file in found]).encode()).hexdigest()[:16]
