"""`eva_vit_g.pth` -> the two towers that are made of it: the image's at 448, and version 2's video's at 224."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from transformers import Blip2VisionConfig

from model_adapters.avere.conversion import rename
from model_adapters.avere.weights import Reader

from .configuration import square
from .released_keys import EVA


def blocks(readers: Mapping[str, Reader]) -> int:
    """How many blocks a file holds."""
    return 1 + max((int(found[1]) for key in readers if (found := re.match(r"blocks\.(\d+)\.", key))), default=-1)


def tower(readers: Mapping[str, Reader], config: Blip2VisionConfig, prefix: str, own_norm: bool) -> dict[str, Reader]:
    """A tower of the size of `config`, its names begun by `prefix`.

    own_norm: whether the norm at the end is the file's, if it has one; without it, and else, it is the identity's.
    """
    used = {key: reader for key, reader in readers.items() if _within(key, config.num_hidden_layers)}
    path = next(iter(readers.values())).path
    renamed = rename(joined_biases(used), EVA, path)
    position = "embeddings.position_embedding"
    if position in renamed:
        renamed[position] = _resized(renamed[position], square(config)[1])
    if not own_norm or "post_layernorm.weight" not in renamed:
        width = config.hidden_size
        for name, value in (("weight", torch.ones(width)), ("bias", torch.zeros(width))):
            renamed[f"post_layernorm.{name}"] = constant(path, f"norm.{name}", value)
    return {prefix + name: replace(reader, read=_copied(reader)) for name, reader in renamed.items()}


def _copied(reader: Reader) -> Callable[[], torch.Tensor]:
    """Reads a copy: two towers come from one file, and safetensors takes no tensors that share memory."""
    return lambda: reader.read().clone()


def constant(path: Path, key: str, value: torch.Tensor) -> Reader:
    """A tensor that no file holds, as if `path` did."""
    return Reader(path, key, tuple(value.shape), value.nbytes, lambda: value)


def joined_biases(readers: Mapping[str, Reader]) -> dict[str, Reader]:
    """Query and value biases -> one of all three; the key's is zero."""
    joined = {key: reader for key, reader in readers.items() if not key.endswith(("q_bias", "v_bias"))}
    for key, query in readers.items():
        if key.endswith("attn.q_bias"):
            value = readers.get(key.replace("q_bias", "v_bias"))
            if value is not None:
                name = key.replace("q_bias", "qkv.bias")
                shape, size = (3 * query.shape[0],), 3 * query.nbytes
                joined[name] = Reader(query.path, name, shape, size, partial(_three, query, value))
    return joined


def _three(query: Reader, value: Reader) -> torch.Tensor:
    bias = query.read()
    return torch.cat([bias, torch.zeros_like(bias), value.read()])


def _within(key: str, depth: int) -> bool:
    found = re.match(r"blocks\.(\d+)\.", key)
    return found is None or int(found[1]) < depth


def _resized(reader: Reader, side: int) -> Reader:
    """The table of positions for side x side patches: CLS as it is, the rest bicubic."""
    old = round((reader.shape[1] - 1) ** 0.5)
    if old == side:
        return reader

    def read() -> torch.Tensor:
        table = reader.read()
        grid = table[:, 1:].float().unflatten(1, (old, old)).permute(0, 3, 1, 2)
        grid = torch.nn.functional.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
        return torch.cat([table[:, :1], grid.flatten(2).transpose(1, 2).to(table.dtype)], dim=1)

    shape = (1, side * side + 1, reader.shape[2])
    return replace(reader, shape=shape, nbytes=reader.nbytes // reader.shape[1] * shape[1], read=read)
