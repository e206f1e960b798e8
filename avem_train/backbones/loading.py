"""A model's name or folder -> its backbone; the only module that knows every family. `load` alone imports torch."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, parse_json, read_bytes, typed
from model_adapters.base.embedded import BASES, weights_folder
from model_adapters.base.hub import HUB_ID, fetched, named_revision

if TYPE_CHECKING:
    import torch

    from avem_train.backbones.base import Backbone

_EXAMPLE = "Qwen/Qwen2.5-Omni-7B"
_WHOLE = ("lm_head", "video_tower", "video_projector", "audio_tower", "audio_projector", "clip_encoder", "visual")
"""What of any family is never quantised."""
_WITH_LORA = ("q_proj", "v_proj")
"""Of Emotion-LLaMA, whose released LoRA stands in these layers and would be lost."""
_FAMILIES = ("avere", "emotion_llama", "qwen2_5_omni", "qwen2_5_omni_thinker")


def find(name_or_path: str) -> Path:
    """The folder of the whole model that a name means: a folder, an embedded model, or a hub id org/name.

    What a hub id names is downloaded, or taken from the hub's cache; org/name@revision takes a commit, tag or branch.
    The folder's own name is the commit, and the training notes it. Stops where there is no model that can be trained.
    """
    folder = weights_folder(name_or_path)
    if not folder.exists() and HUB_ID.fullmatch(name_or_path):
        refusal = (
            f"model={name_or_path}: there is no such folder, and the hub gives no such model ({{}}); name a folder, or"
        )
        folder = fetched(*named_revision(name_or_path), refusal)
    family(folder)
    return folder


def family(folder: Path) -> str:
    """The model_type that a folder's config.json names. Stops where there is none that can be trained."""
    config = folder / "config.json"
    if not config.is_file():
        embedded = ", ".join(BASES)
        reason = "there is no config.json in it" if folder.is_dir() else "there is no such folder"
        stop(f"model={folder}: {reason}; name a folder with a whole model, {embedded}, or a hub id such as {_EXAMPLE}")
    try:
        about = typed(parse_json(read_bytes(config)), dict)
    except Unreadable as error:
        stop(f"model={folder}: its config.json is not that of a model ({error})")
    kind = about.get("model_type")
    if not isinstance(kind, str) or kind not in _FAMILIES:
        stop(f"model={folder}: its model_type is {brief(repr(kind))}; it must be one of {', '.join(_FAMILIES)}")
    if "quantization_config" in [*about, *(name for part in about.values() if isinstance(part, dict) for name in part)]:
        stop(
            f"model={folder}: its weights are quantised (quantization_config in its config.json), and adapters are "
            "trained on whole ones here; name the model that it was made from"
        )
    return kind


def evaluated_by(folder: Path) -> str:
    """The harness's `--model` for what was trained on a folder's model. Stops as `family` does."""
    kind = family(folder)
    if kind == "emotion_llama" and parse_json(read_bytes(folder / "config.json")).get("version") == 2:
        return "emotion_llama_v2"
    return "qwen2_5_omni_av" if kind.startswith("qwen") else kind


def load(
    folder: Path, device: "torch.device", dtype: "torch.dtype", cache_bytes: int, quantise: str = ""
) -> "Backbone":
    """The model of a folder, of whichever family its config.json says. Stops at a folder that is none.

    quantise: "4bit", or "" for whole weights.
    """
    kind = family(folder)
    options = _quantisation(quantise, (*_WHOLE, *_WITH_LORA) if kind == "emotion_llama" else _WHOLE)
    if kind == "avere":
        from avem_train.backbones.avere import AvereBackbone

        return AvereBackbone.load(folder, device, dtype, cache_bytes, **options)
    if kind == "emotion_llama":
        from avem_train.backbones.emotion_llama import EmotionLlamaBackbone

        return EmotionLlamaBackbone.load(folder, device, dtype, cache_bytes, **options)
    from avem_train.backbones.qwen_omni import QwenBackbone

    return QwenBackbone.load(folder, device, dtype, cache_bytes, **options)


def _quantisation(quantise: str, whole: Sequence[str]) -> dict[str, Any]:
    """What `from_pretrained` takes for it: the language model's layers in 4 bits, modules named `whole` as they are."""
    if not quantise:
        return {}
    if find_spec("bitsandbytes") is None:
        stop(f"running.quantise={quantise}: bitsandbytes is not installed: pip install bitsandbytes")
    import torch
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=list(whole),
    )
    return {"quantization_config": config}
