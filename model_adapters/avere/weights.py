"""Tensors of a checkpoint folder by key, read from disk one at a time."""

import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief, plain_name, read_json

_FILES = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin")


@dataclass(frozen=True)
class Reader:
    """One tensor on disk."""

    path: Path
    """The file."""
    key: str
    """The tensor's name in it."""
    shape: tuple[int, ...]
    """Of the tensor."""
    nbytes: int
    """Its size in bytes."""
    read: Callable[[], torch.Tensor]
    """Reads it."""


def open_weights(folder: Path) -> dict[str, Reader]:
    """Every tensor of the folder's (sharded) safetensors, or else of its PyTorch files.

    PyTorch files are read with `weights_only=True`. Stops when the folder holds neither, a shard is missing, or a file
    is broken or could only be read by running code in it.
    """
    name = next((name for name in _FILES if (folder / name).is_file()), None)
    if name is None:
        stop(f"{folder}: none of {', '.join(_FILES)} is there; copy the released weights to this folder")
    paths = [folder / name]
    if name.endswith(".index.json"):
        shards = read_json(paths[0], dict, "download it again").get("weight_map")
        if not isinstance(shards, dict) or not all(map(plain_name, shards.values())):
            stop(f"{paths[0]}: it does not name the files of its tensors in weight_map; download it again")
        paths = [folder / shard for shard in sorted(set(shards.values()))]
    readers: dict[str, Reader] = {}
    for path in paths:
        if not path.is_file():
            stop(f"{path}: this shard is missing; {name} names it")
        try:
            readers |= _safetensors(path) if path.suffix == ".safetensors" else _pytorch(path)
        except pickle.UnpicklingError:
            stop(f"{path}: holds more than tensors, and code from a checkpoint is not run; save it as safetensors")
        except Exception as error:  # of whatever kind the file is broken in
            stop(f"{path}: cannot be read ({brief(error)}); download it again")
    return readers


def _safetensors(path: Path) -> dict[str, Reader]:
    file = safe_open(path, "pt")
    readers = {}
    for key in file.keys():  # noqa: SIM118 - not a dict
        part = file.get_slice(key)
        shape = tuple(part.get_shape())
        nbytes = torch.Size(shape).numel() * _BYTES[part.get_dtype()]
        readers[key] = Reader(path, key, shape, nbytes, partial(file.get_tensor, key))
    return readers


def _pytorch(path: Path) -> dict[str, Reader]:
    # only the zip format can be mapped into memory, and then only what is read is loaded
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    return {
        key: Reader(path, key, tuple(tensor.shape), tensor.nbytes, partial(tensors.__getitem__, key))
        for key, tensor in tensors.items()
    }


_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
