"""How the released Emotion-LLaMA files become one folder that `from_pretrained` loads; `convert` is the command.

Tensors go over one at a time, in their own dtype; the LoRA stays a LoRA. Every key of every file is either used, known
to be unused, or an error. MAE and VideoMAE, which make two of version 1's features, are converted by `convert_faces`.
"""

import argparse
import pickle
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import Blip2VisionConfig, GenerationConfig, HubertConfig, LlamaConfig, LlamaTokenizer, WhisperConfig

from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief, read_json
from model_adapters.avere.conversion import Rules, check_out, check_shapes, read_tokenizer, rename, write_shards
from model_adapters.avere.weights import Reader, open_weights
from model_adapters.base import checkpoint_files

from . import eva_weights, released_files, released_keys
from .configuration import EmotionLlamaConfig
from .modeling import EmotionLlamaForConditionalGeneration
from .processing import EmotionLlamaProcessor

_MAKER = "model_adapters.emotion_llama.convert"
_LORA_A = "llama_model.base_model.model.model.layers.0.self_attn.q_proj.lora_A"
_IMAGE, _VIDEO = "clip_encoder.image.tower.", "clip_encoder.video.tower."


def convert(
    checkpoint: Path,
    eva_file: Path,
    llama: Path,
    audio: Path | None,
    out: Path,
    placement: str = "released",
    **sizes: Any,
) -> None:
    """Write the folder `out`; its config.json comes last, so that a broken conversion is not taken for a whole one.

    audio: HuBERT's folder for version 1 (None: audio features are given), Whisper's for version 2.
    sizes: fields of `EmotionLlamaConfig` that differ from the released model's.
    """
    check_out(out, [], _MAKER)
    trained, towers = open_pth(checkpoint), open_pth(eva_file)
    config = read_config(trained, towers, llama, audio, {"placement": placement, **sizes}, checkpoint)
    tensors = collect(config, trained, towers, (checkpoint, llama, audio))
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in EmotionLlamaForConditionalGeneration(config).state_dict().items()}
    check_shapes(tensors, shapes, checkpoint)
    tokenizer: LlamaTokenizer = read_tokenizer(llama)
    files.claim(out, _MAKER, "--out")
    checkpoint_files.remove_broken_off(out)
    write_shards(tensors, shapes, out)
    EmotionLlamaProcessor(tokenizer, config).save_pretrained(out)
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": tokenizer.pad_token_id}
    GenerationConfig(do_sample=False, **ids).save_pretrained(out)
    config.save_pretrained(out)
    files.readable(out)
    print(f"{out}: Emotion-LLaMA version {config.version}, {len(tensors)} tensors written")


def collect(
    config: EmotionLlamaConfig,
    trained: Mapping[str, Reader],
    towers: Mapping[str, Reader],
    paths: tuple[Path, Path, Path | None],
) -> dict[str, Reader]:
    """Every tensor of the model by its name here. The checkpoint's come last: where it holds a tower, that counts."""
    checkpoint, llama, audio = paths
    own = {key.removeprefix("visual_encoder."): r for key, r in trained.items() if key.startswith("visual_encoder.")}
    rest = {key: reader for key, reader in trained.items() if not key.startswith("visual_encoder.")}
    tensors = eva_weights.tower(own or towers, config.vision_config, _IMAGE, own_norm=False)
    if config.version == 2:
        tensors |= eva_weights.tower(towers, config.video_config, _VIDEO, own_norm=True)
    audio_rules = released_keys.HUBERT if config.version == 1 else released_keys.WHISPER
    sources: list[tuple[Path, Rules]] = [(llama, released_keys.LLAMA)]
    sources += [(audio, audio_rules)] if audio else []
    for folder, rules in sources:
        tensors |= rename(open_weights(folder), rules, folder)
    rules = released_keys.VERSION_1 if config.version == 1 else released_keys.VERSION_2
    return tensors | rename(rest, rules, checkpoint)


def read_config(
    trained: Mapping[str, Reader],
    towers: Mapping[str, Reader],
    llama: Path,
    audio: Path | None,
    chosen: Mapping[str, Any],
    checkpoint: Path,
) -> EmotionLlamaConfig:
    """The model's config: the version by the checkpoint's keys, the parts by their folders."""
    version = 2 if "llama_proj_fusion.weight" in trained else 1
    if version == 2 and audio is None:
        stop(f"{checkpoint}: is version 2, which needs Whisper; name the folder of whisper-large-v3 with --whisper")
    lora = next((reader for key, reader in trained.items() if key.startswith(_LORA_A)), None)
    if lora is None:
        stop(f"{checkpoint}: there is no LoRA in it ({_LORA_A}.weight); is it a released Emotion-LLaMA checkpoint?")
    settings: dict[str, Any] = {"version": version, "lora_rank": lora.shape[0]} | dict(chosen)
    settings["text_config"] = LlamaConfig(**_fields(llama))
    if audio is not None:
        name, kind = ("hubert_config", HubertConfig) if version == 1 else ("whisper_config", WhisperConfig)
        settings[name] = kind(**_fields(audio))
    if version == 2 and "video_config" not in chosen:
        settings["video_config"] = Blip2VisionConfig(num_hidden_layers=eva_weights.blocks(towers))
    return EmotionLlamaConfig(**settings)


def open_pth(path: Path) -> dict[str, Reader]:
    """Tensors of a `.pth` file, of its entry `model` if it has one. Nothing in the file is run."""
    released_files.require(path)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # a bag of settings, which some checkpoints hold
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError:
        stop(
            f"{path}: holds more than tensors and plain values, and code from a checkpoint is not run; "
            "save its entry `model` alone with torch.save"
        )
    except Exception as error:  # of whatever kind the file is broken in
        stop(f"{path}: cannot be read ({brief(error)}); download it again")
    state = loaded.get("model", loaded) if isinstance(loaded, dict) else {}
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        stop(f"{path}: there are no tensors in it; is it the right file?")
    return {
        key: Reader(path, key, tuple(tensor.shape), tensor.nbytes, partial(tensors.__getitem__, key))
        for key, tensor in tensors.items()
    }


def _fields(folder: Path) -> dict[str, Any]:
    return read_json(folder / "config.json", dict, "copy it from the published model")
