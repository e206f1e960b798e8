"""Released weights of the two encoders of faces -> one folder that `face_towers.FaceTowers` loads.

Every key of both files is either used, known to be unused (decoders, heads), or an error.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig, VideoMAEConfig, VideoMAEModel, ViTConfig, ViTModel

from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief
from model_adapters.avere.conversion import Rules, rename
from model_adapters.avere.weights import Reader
from model_adapters.base import checkpoint_files

from . import eva_weights
from .conversion import open_pth
from .face_towers import MAE, VIDEO_MAE

_MAKER = "model_adapters.emotion_llama.convert_faces"
_HEAD = 64  # width of an attention head
_BLOCK = r"blocks\.(\d+)\."
_LAYER = r"encoder.layer.\1."
_SHARED: Rules = (
    (r"mask_token|head\..*|fc_norm\..*", None),
    (r"patch_embed\.proj\.(.*)", r"embeddings.patch_embeddings.projection.\1"),
    (_BLOCK + r"norm1\.(.*)", _LAYER + r"layernorm_before.\2"),
    (_BLOCK + r"norm2\.(.*)", _LAYER + r"layernorm_after.\2"),
    (_BLOCK + r"attn\.proj\.(.*)", _LAYER + r"attention.output.dense.\2"),
    (_BLOCK + r"attn\.((?:query|key|value)\.(?:weight|bias)|[qv]_bias)", _LAYER + r"attention.attention.\2"),
    (_BLOCK + r"mlp\.fc1\.(.*)", _LAYER + r"intermediate.dense.\2"),
    (_BLOCK + r"mlp\.fc2\.(.*)", _LAYER + r"output.dense.\2"),
)
_MAE_RULES: Rules = (
    *_SHARED,
    (r"decoder_.*", None),
    (r"cls_token", "embeddings.cls_token"),
    (r"pos_embed", "embeddings.position_embeddings"),
    (r"norm\.(.*)", r"layernorm.\1"),
)
_VIDEO_MAE_RULES: Rules = (
    *_SHARED,
    (r"decoder\..*|encoder_to_decoder\..*|norm\..*", None),  # the published features are taken before the norm
)


def convert(mae: Path, video_mae: Path, out: Path, **sizes: Any) -> None:
    """Write the folder `out`, a folder for each tower in it. Nothing is written where a file is refused.

    sizes: fields of `VideoMAEConfig` that no tensor tells and that differ from the released model's.
    """
    files.check(out, _MAKER, "--out")
    if checkpoint_files.is_whole(out / MAE) and checkpoint_files.is_whole(out / VIDEO_MAE):
        stop(f"{out}: holds converted towers already; name another folder with --out, or delete that one")
    towers = {MAE: mae_tower(mae), VIDEO_MAE: video_mae_tower(video_mae, sizes)}
    files.claim(out, _MAKER, "--out")
    for name, tower in towers.items():
        checkpoint_files.remove_broken_off(out / name)
        tower.save_pretrained(out / name)
        files.readable(out / name)
    print(f"{out}: {' and '.join(towers)} written")


def mae_tower(path: Path) -> ViTModel:
    """MAE's encoder from its file. Stops where a key is unknown, missing, or of another shape."""
    readers = open_pth(path)
    settings = _sizes(readers, 4, path)
    side = round((_shape(readers, "pos_embed", 3, path)[1] - 1) ** 0.5)
    config = ViTConfig(image_size=side * settings["patch_size"], **settings)
    return _filled(ViTModel, config, readers, _MAE_RULES, path, add_pooling_layer=False)


def video_mae_tower(path: Path, sizes: Mapping[str, Any]) -> VideoMAEModel:
    """VideoMAE's encoder from its file, pre-trained or fine-tuned. Stops as `mae_tower`; sizes: as in `convert`."""
    readers = {_bare(key): reader for key, reader in open_pth(path).items()}
    tubelet = _shape(readers, "patch_embed.proj.weight", 5, path)[2]
    settings = {"use_mean_pooling": True, "tubelet_size": tubelet, **_sizes(readers, 5, path), **sizes}
    return _filled(VideoMAEModel, VideoMAEConfig(**settings), readers, _VIDEO_MAE_RULES, path)


def _bare(key: str) -> str:
    return key.removeprefix("encoder.").removeprefix("backbone.")


def _shape(readers: Mapping[str, Reader], key: str, axes: int, path: Path) -> tuple[int, ...]:
    if key not in readers or len(readers[key].shape) != axes:
        stop(f"{path}: there is no {key} of {axes} axes in it; is it the released file of this encoder?")
    return readers[key].shape


def _sizes(readers: Mapping[str, Reader], axes: int, path: Path) -> dict[str, Any]:
    """What the tensors' shapes say of a tower; axes: of the kernel that makes patches."""
    kernel = _shape(readers, "patch_embed.proj.weight", axes, path)
    return {
        "hidden_size": kernel[0],
        "num_attention_heads": max(1, kernel[0] // _HEAD),
        "num_hidden_layers": eva_weights.blocks(readers),
        "intermediate_size": _shape(readers, "blocks.0.mlp.fc1.weight", 2, path)[0],
        "patch_size": kernel[-1],
        "layer_norm_eps": 1e-6,
    }


def _filled(
    kind: Any, config: PreTrainedConfig, readers: Mapping[str, Reader], rules: Rules, path: Path, **options: Any
) -> Any:
    """A tower of a class of transformers with the file's tensors in float32, by names that all its versions know."""
    state = {name: reader.read().float() for name, reader in rename(_split(readers), rules, path).items()}
    try:
        tower, found = kind.from_pretrained(
            None, config=config, state_dict=state, output_loading_info=True, dtype=torch.float32, **options
        )
    except (RuntimeError, ValueError) as error:
        stop(f"{path}: does not fit the model ({brief(error)}); is it the released file of this encoder?")
    for problem, keys in (("missing", found["missing_keys"]), ("too many", found["unexpected_keys"])):
        if keys:
            stop(f"{path}: {len(keys)} tensors {problem} (the first, under its name here: {min(keys)})")
    return tower


def _split(readers: Mapping[str, Reader]) -> dict[str, Reader]:
    """Query, key and value of each block as tensors of their own."""
    split = {}
    for key, reader in readers.items():
        before, _, kind = key.partition("attn.qkv.")
        if not kind:
            split[key] = reader
            continue
        thirds = torch.atleast_1d(reader.read()).tensor_split(3)
        for part, third in zip(("query", "key", "value"), thirds, strict=True):
            split[f"{before}attn.{part}.{kind}"] = eva_weights.constant(reader.path, key, third)
    return split
