"""The released files of the two encoders of faces in miniature, and what their architectures make of crops.

The forward passes are written from the published descriptions in plain torch: they share nothing with transformers.
"""

import argparse
from math import prod

import numpy as np
import torch
from torch.nn.functional import gelu, layer_norm

from emotion_llama_files import Drawn

WIDTH, HEADS, MLP, DEPTH, PATCH, SIDE, FRAMES, TUBELET = 128, 2, 96, 2, 8, 32, 16, 2
VIDEO = {"image_size": SIDE, "num_frames": FRAMES}
"""What the converter cannot read off the tensors."""


def _blocks(drawn, prefix, qkv_bias):
    state = {}
    for number in range(DEPTH):
        name = f"{prefix}blocks.{number}"
        state |= drawn.norm(f"{name}.norm1", WIDTH) | drawn.norm(f"{name}.norm2", WIDTH)
        state |= drawn.linear(f"{name}.attn.proj", WIDTH, WIDTH) | drawn.linear(f"{name}.mlp.fc1", MLP, WIDTH)
        state |= drawn.linear(f"{name}.mlp.fc2", WIDTH, MLP) | {f"{name}.attn.qkv.weight": drawn(3 * WIDTH, WIDTH)}
        names = ["qkv.bias"] if qkv_bias else ["q_bias", "v_bias"]
        state |= {f"{name}.attn.{one}": drawn(3 * WIDTH if qkv_bias else WIDTH) for one in names}
    return state


def mae(drawn):
    """As MAE's pre-training saves it, with the beginning of its decoder."""
    tokens = (SIDE // PATCH) ** 2 + 1
    state = {"cls_token": drawn(1, 1, WIDTH), "pos_embed": drawn(1, tokens, WIDTH), "mask_token": drawn(1, 1, 8)}
    state |= {"patch_embed.proj.weight": drawn(WIDTH, 3, PATCH, PATCH), "patch_embed.proj.bias": drawn(WIDTH)}
    state |= drawn.norm("norm", WIDTH) | drawn.linear("decoder_embed", 8, WIDTH) | drawn.norm("decoder_norm", 8)
    return state | _blocks(drawn, "", qkv_bias=True)


def video_mae(drawn, prefix="encoder."):
    """As VideoMAE's pre-training saves it (`encoder.`), or its fine-tuning (no prefix, a head)."""
    state = {f"{prefix}patch_embed.proj.weight": drawn(WIDTH, 3, TUBELET, PATCH, PATCH)}
    state |= {f"{prefix}patch_embed.proj.bias": drawn(WIDTH)} | _blocks(drawn, prefix, qkv_bias=False)
    if not prefix:
        return state | drawn.norm("fc_norm", WIDTH) | drawn.linear("head", 6, WIDTH)
    return state | drawn.norm("encoder.norm", WIDTH) | {"mask_token": drawn(1, 1, 8)} | drawn.norm("decoder.norm", 8)


def write(folder, prefix="encoder."):
    """`mae.pth` and `videomae.pth`, with the settings that their trainings leave in them; returns their tensors."""
    drawn = Drawn(7)
    states = {"mae": mae(drawn), "videomae": video_mae(drawn, prefix)}
    for name, state in states.items():
        torch.save({"model": state, "epoch": 340, "args": argparse.Namespace(lr=1e-4)}, folder / f"{name}.pth")
    return states


def _attended(state, name, x):
    tokens = x.shape[1]
    bias = state.get(f"{name}.qkv.bias")
    if bias is None:
        bias = torch.cat([state[f"{name}.q_bias"], torch.zeros(WIDTH), state[f"{name}.v_bias"]])
    query, key, value = (x @ state[f"{name}.qkv.weight"].T + bias).view(-1, tokens, 3, HEADS, WIDTH // HEADS).unbind(2)
    scores = torch.einsum("bqhd,bkhd->bhqk", query, key) / (WIDTH // HEADS) ** 0.5
    mixed = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), value).reshape(-1, tokens, WIDTH)
    return mixed @ state[f"{name}.proj.weight"].T + state[f"{name}.proj.bias"]


def _through_blocks(state, x):
    def norm(name, x):
        return layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    for number in range(DEPTH):
        name = f"blocks.{number}"
        x = x + _attended(state, f"{name}.attn", norm(f"{name}.norm1", x))
        inner = gelu(norm(f"{name}.norm2", x) @ state[f"{name}.mlp.fc1.weight"].T + state[f"{name}.mlp.fc1.bias"])
        x = x + inner @ state[f"{name}.mlp.fc2.weight"].T + state[f"{name}.mlp.fc2.bias"]
    return x


def _patches(state, pixels, sizes):
    """Pixels (batch, 3, ...) cut into boxes of `sizes`, each times the kernel: (batch, patches, width)."""
    batch, axes = pixels.shape[0], len(sizes)
    shape = [batch, 3]
    for length, size in zip(pixels.shape[2:], sizes, strict=True):
        shape += [length // size, size]
    outer, inner = [2 + 2 * axis for axis in range(axes)], [3 + 2 * axis for axis in range(axes)]
    boxes = pixels.reshape(shape).permute(0, *outer, 1, *inner).reshape(batch, -1, 3 * prod(sizes))
    return boxes @ state["patch_embed.proj.weight"].flatten(1).T + state["patch_embed.proj.bias"]


def mae_feature(state, pixels):
    """(crops, 3, side, side), 0 to 1 -> the mean over crops of the normed CLS states (width,)."""
    x = _patches(state, pixels, (PATCH, PATCH))
    x = torch.cat([state["cls_token"].expand(len(x), -1, -1), x], 1) + state["pos_embed"]
    x = layer_norm(_through_blocks(state, x), (WIDTH,), state["norm.weight"], state["norm.bias"], 1e-6)
    return x[:, 0].mean(0)


def video_mae_feature(state, pixels):
    """(16, 3, side, side), 0 to 1 -> the mean over all patches' states (width,)."""
    state = {key.removeprefix("encoder."): value for key, value in state.items()}
    x = _patches(state, pixels.transpose(0, 1)[None], (TUBELET, PATCH, PATCH))
    places = np.arange(x.shape[1])[:, None] / np.power(10000, 2 * (np.arange(WIDTH) // 2) / WIDTH)
    table = np.where(np.arange(WIDTH) % 2 == 0, np.sin(places), np.cos(places))
    return _through_blocks(state, x + torch.from_numpy(table).float())[0].mean(0)
