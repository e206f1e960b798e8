"""Config files of the released checkpoint and its backbones, or of public parts -> `AvereConfig`."""

from pathlib import Path
from typing import Any, NoReturn

from transformers import BertConfig, CLIPVisionConfig, PreTrainedConfig, WhisperConfig

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_json

from . import released_files
from .configuration import STATES_PER_SECOND, AvereConfig
from .modeling import AvereForConditionalGeneration

_QFORMER_LAYERS = 2  # the released model overrides BERT's own number
_REQUIRED = {
    "mm_projector_type": "mlp2x_gelu",
    "speech_projector_type": "qformer",
    "qformer_window_level": True,
    "mm_use_im_start_end": False,
    "mm_use_im_patch_token": False,
}
# the fields that shape the parts, by the released files' own names
_LLAMA = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps"),
    *("rope_theta", "rope_scaling", "rope_parameters", "head_dim", "attention_bias", "mlp_bias"),
    *("bos_token_id", "eos_token_id", "pad_token_id"),
)
_CLIP = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_channels", "image_size"),
    *("patch_size", "hidden_act", "layer_norm_eps", "attention_dropout", "initializer_range"),
)
_WHISPER = (
    *("d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "num_mel_bins", "init_std"),
    *("activation_function", "dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop"),
)
_BERT = (
    *("hidden_size", "num_attention_heads", "intermediate_size", "hidden_act", "hidden_dropout_prob"),
    *("attention_probs_dropout_prob", "layer_norm_eps", "initializer_range"),
)


class _File(dict[str, Any]):
    """A JSON object whose missing keys end in one line that names the file."""

    def __init__(self, path: Path, remedy: str = released_files.RELEASED) -> None:
        released_files.require(path, remedy)
        super().__init__(read_json(path, dict, "it must be a JSON object; download it again"))
        self.path = path

    def __missing__(self, key: str) -> NoReturn:
        stop(f"{self.path}: it has no {key!r}; is it the released file?")


def read_released(source: Path, backbones: Path) -> tuple[AvereConfig, Path, Path]:
    """Config, the video tower's folder, the audio tower's folder.

    The folders' names come from the checkpoint's config. Stops at missing files and fields, and where the checkpoint
    asks for something the released 7B model does not have.
    """
    released = _File(source / "config.json")
    for key, value in _REQUIRED.items():
        if released.get(key, False) != value:
            stop(f"{released.path}: {key} is {released.get(key)!r}; only {value!r} can be converted")
    video, audio = (backbones / Path(released[key]).name for key in ("mm_video_tower", "mm_speech_tower"))
    parts: dict[str, Any] = {
        "text_config": _llama(released),
        "vision_config": _vision(_File(video / "config.json")),
        "audio_config": _audio(_File(audio / "config.json")),
        "qformer_config": _bert(_File(backbones / released_files.BERT / "config.json")) | _queries(released),
    }
    config = AvereConfig(
        **parts,
        vision_feature_layer=released["mm_vision_select_layer"],
        max_sequence_length=released["tokenizer_model_max_length"],
        dtype=released.get("torch_dtype"),
    )
    config.architectures = [AvereForConditionalGeneration.__name__]
    return config, video, audio


def read_parts(language: Path, video: Path, audio: Path, bert: Path | None) -> AvereConfig:
    """Config of the model that public parts make; all that they leave open is as in the released model.

    bert: a folder whose config.json has the Q-Former's sizes; None = those of bert-base. Stops at missing files and
    fields, and at parts that make no AVERE.
    """
    llama = _part(language)
    if llama.get("model_type") != "llama":
        kind = llama.get("model_type")
        stop(f"{llama.path}: its model_type is {kind!r}; only a Llama ('llama') can be the language model")
    if llama.get("tie_word_embeddings"):
        stop(f"{llama.path}: tie_word_embeddings is true; only a language model with a head of its own can be used")
    parts: dict[str, Any] = {
        "text_config": _llama(llama),
        "vision_config": _vision(_part(video)),
        "audio_config": _audio(_part(audio)),
        "qformer_config": _bert(_part(bert)) if bert else {},
    }
    config = AvereConfig(**parts, dtype=llama.get("dtype") or llama.get("torch_dtype"))
    longest = config.text_config.max_position_embeddings
    config.max_sequence_length = min(config.max_sequence_length, longest)
    if (media := config.video_tokens + config.audio_tokens) >= longest:
        stop(f"{llama.path}: max_position_embeddings is {longest}, and a clip alone takes {media} tokens")
    config.architectures = [AvereForConditionalGeneration.__name__]
    return config


def _part(folder: Path) -> _File:
    return _File(folder / "config.json", released_files.PARTS)


def _llama(file: _File) -> dict[str, Any]:
    return {key: file[key] for key in _LLAMA if key in file}


def _vision(file: _File) -> dict[str, Any]:
    vision = file["vision_config"]
    if not vision.get("add_time_attn"):
        stop(f"{file.path}: this tower has no attention over time (add_time_attn); copy LanguageBind_Video_merge here")
    return _pick(CLIPVisionConfig(**vision), _CLIP) | {"num_frames": vision["num_frames"]}


def _audio(file: _File) -> dict[str, Any]:
    whisper = WhisperConfig(**file)
    return _pick(whisper, _WHISPER) | {"window_seconds": whisper.max_source_positions // STATES_PER_SECOND}


def _bert(file: _File) -> dict[str, Any]:
    return _pick(BertConfig(**file), _BERT) | {"num_hidden_layers": _QFORMER_LAYERS}


def _queries(released: _File) -> dict[str, Any]:
    return {
        "num_query_tokens": released["qformer_num_speech_query_tokens"],
        "window_seconds": released["qformer_second_per_window"],
        "stride_seconds": released["qformer_second_stride"],
    }


def _pick(config: PreTrainedConfig, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names}
