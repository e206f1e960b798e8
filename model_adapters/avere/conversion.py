"""How a released AVERE checkpoint becomes one folder that `from_pretrained` loads; `convert` is the command.

As in the released loader, the language model and the projectors come from the checkpoint and the towers from the
backbone folders, whatever copies of them the checkpoint holds. Tensors go over one shard at a time, in their own dtype.
Every key of every file is either used, known to be unused, or an error.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GenerationConfig, LlamaTokenizer

from emorealm_tasks import files
from emorealm_tasks.errors import stop
from model_adapters.base import checkpoint_files

from .configuration import AvereConfig
from .modeling import AvereForConditionalGeneration
from .processing import AvereProcessor
from .released_config import read_released
from .weights import Reader, open_weights

Rules = Sequence[tuple[str, str | None]]
"""(pattern of a whole released key, name here, or None for a key that is not used)."""

LANGUAGE_RULES: Rules = (
    (r".*\.rotary_emb\.inv_freq", None),  # computed
    (r"lm_head\.weight", "lm_head.weight"),
    (r"model\.((embed_tokens|layers|norm)\..*)", r"model.language_model.\1"),
)
_QFORMER = r"model\.speech_projector\.speech_Qformer\.bert\."
CHECKPOINT_RULES: Rules = (
    (r"model\.(video|image|speech)_tower\..*", None),  # filled from the backbones
    *LANGUAGE_RULES,
    (_QFORMER + r"embeddings\.position_ids", None),  # a buffer nothing reads
    (r"model\.mm_projector\.(.*)", r"model.video_projector.\1"),
    (r"model\.speech_projector\.ln_speech\.(.*)", r"model.audio_projector.state_norm.\1"),
    (r"model\.speech_projector\.speech_query_tokens", "model.audio_projector.query_tokens"),
    (r"model\.speech_projector\.speech_proj\.(.*)", r"model.audio_projector.linear.\1"),
    (_QFORMER + r"embeddings\.LayerNorm\.(.*)", r"model.audio_projector.query_norm.\1"),
    (_QFORMER + r"(encoder\.layer\.\d+\.(?:cross)?attention)\.self\.(.*)", r"model.audio_projector.\1.attention.\2"),
    (_QFORMER + r"(encoder\.layer\.\d+\..*)", r"model.audio_projector.\1"),
)
VIDEO_RULES: Rules = (
    (r"(text_model|visual_projection|text_projection)\..*|logit_scale", None),
    (r"vision_model\.post_layernorm\..*|vision_model\.embeddings\.position_ids", None),
    (r"vision_model\.pre_layrnorm\.(.*)", r"model.video_tower.pre_layernorm.\1"),
    (r"vision_model\.encoder\.layers\.(.*)", r"model.video_tower.layers.\1"),
    (r"vision_model\.(embeddings\..*)", r"model.video_tower.\1"),
)
AUDIO_RULES: Rules = (
    (r"(model\.)?decoder\..*|proj_out\.weight", None),
    (r"(?:model\.)?encoder\.(.*)", r"model.audio_tower.\1"),
)
_MAKER = "model_adapters.avere.convert"
_SHARD_BYTES = 5 * 2**30


def convert(source: Path, backbones: Path, out: Path) -> None:
    """Write the folder `out`; its config.json comes last, so that a broken conversion is not taken for a whole one."""
    check_out(out, [source], _MAKER)
    config, video, audio = read_released(source, backbones)
    tensors = collect(((source, CHECKPOINT_RULES), (video, VIDEO_RULES), (audio, AUDIO_RULES)))
    check_shapes(tensors, expected_shapes(config), source)
    write_model(config, tensors, read_tokenizer(source), out, _MAKER)


def check_out(out: Path, sources: Sequence[Path], maker: str) -> None:
    """Stop where the folder `out` is a source, holds a whole model, or what the command `maker` did not make."""
    if out.resolve() in [source.resolve() for source in sources]:
        stop(f"{out}: --out is the checkpoint itself; name another folder")
    files.check(out, maker, "--out")
    if checkpoint_files.is_whole(out):
        stop(f"{out}: holds converted weights already; name another folder with --out, or delete that one")


def collect(parts: Sequence[tuple[Path, Rules]]) -> dict[str, Reader]:
    """The tensors of several folders by their names here, and a line on what each gave."""
    tensors: dict[str, Reader] = {}
    for folder, rules in parts:
        readers = open_weights(folder)
        renamed = rename(readers, rules, folder)
        tensors |= renamed
        print(f"{folder}: {len(renamed)} tensors used, {len(readers) - len(renamed)} known to be unused")
    return tensors


def write_model(
    config: AvereConfig, tensors: Mapping[str, Reader], tokenizer: LlamaTokenizer, out: Path, maker: str
) -> None:
    """Write the folder `out` of tensors that `check_shapes` has passed; config.json comes last."""
    files.claim(out, maker, "--out")
    checkpoint_files.remove_broken_off(out)
    shapes = expected_shapes(config)
    write_shards(tensors, shapes, out)
    AvereProcessor(tokenizer, config).save_pretrained(out)
    ids = {name: getattr(config.text_config, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    GenerationConfig(do_sample=False, **ids).save_pretrained(out)
    config.save_pretrained(out)
    files.readable(out)
    print(f"{out}: {len(tensors)} tensors written")


def rename(readers: Mapping[str, Reader], rules: Rules, folder: Path) -> dict[str, Reader]:
    """Released names -> names here, unused ones left out; stops at keys that no rule knows."""
    renamed, unknown = {}, []
    for key, reader in readers.items():
        for pattern, name in rules:
            if match := re.fullmatch(pattern, key):
                if name is not None:
                    renamed[match.expand(name)] = reader
                break
        else:
            unknown.append(key)
    if unknown:
        stop(f"{folder}: {len(unknown)} keys belong to no known part of the model (the first: {min(unknown)})")
    return renamed


def expected_shapes(config: AvereConfig) -> dict[str, torch.Size]:
    """Names and shapes of the model's tensors, without its memory."""
    with torch.device("meta"):
        return {key: value.shape for key, value in AvereForConditionalGeneration(config).state_dict().items()}


def check_shapes(tensors: Mapping[str, Reader], shapes: Mapping[str, torch.Size], source: Path) -> None:
    """Stop unless `tensors` are exactly the model's."""
    for problem, keys in (("missing", shapes.keys() - tensors.keys()), ("too many", tensors.keys() - shapes.keys())):
        if keys:
            stop(f"{source}: {len(keys)} tensors {problem} (the first, under its name here: {min(keys)})")
    for key, shape in shapes.items():
        if tensors[key].shape != tuple(shape):
            stop(f"{tensors[key].path}: {tensors[key].key} is {tensors[key].shape}, the configs say {tuple(shape)}")


def read_tokenizer(source: Path) -> LlamaTokenizer:
    """The checkpoint's SentencePiece tokenizer, padding with <unk> as the released code does."""
    if not (source / "tokenizer.model").is_file():
        stop(f"{source}: there is no tokenizer.model; copy it from where the weights came from")
    tokenizer = LlamaTokenizer.from_pretrained(source, local_files_only=True)
    tokenizer.pad_token = tokenizer.unk_token
    return tokenizer


def write_shards(tensors: Mapping[str, Reader], shapes: Mapping[str, torch.Size], out: Path) -> None:
    """Copy every tensor into safetensors files of at most 5 GiB, with their index if there are several."""
    shards: list[list[str]] = [[]]
    room = _SHARD_BYTES
    for key in shapes:
        room -= tensors[key].nbytes
        if room < 0 and shards[-1]:
            shards.append([])
            room = _SHARD_BYTES - tensors[key].nbytes
        shards[-1].append(key)
    names = [f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    if len(shards) == 1:
        names = ["model.safetensors"]
    for name, keys in zip(names, shards, strict=True):
        save_file({key: tensors[key].read().contiguous() for key in keys}, out / name, metadata={"format": "pt"})
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(tensors[key].nbytes for key in shapes)},
            "weight_map": {key: name for name, keys in zip(names, shards, strict=True) for key in keys},
        }
        files.write_json(out / "model.safetensors.index.json", index, indent=2)
