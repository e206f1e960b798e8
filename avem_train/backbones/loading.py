"""A model's name or folder -> its family and its backbone. `facts` and `load` alone import torch."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avem_train.backbones.families import BY_TYPE, Family
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, parse_json, read_bytes, typed
from model_adapters.base.arguments import first_line
from model_adapters.base.embedded import BASES, weights_folder
from model_adapters.base.hub import HUB_ID, fetched, named_revision

if TYPE_CHECKING:
    import torch
    from transformers import ProcessorMixin

    from avem_train.backbones.base import Backbone
    from avem_train.data.model_facts import ModelFacts

_EXAMPLE = "Qwen/Qwen2.5-Omni-7B"
_WHOLE = (
    "lm_head", "video_tower", "video_projector", "audio_tower", "audio_projector", "clip_encoder", "visual",
    "multi_modal_projector",
)  # fmt: skip
"""What of any family is never quantised."""


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


def family(folder: Path) -> Family:
    """The family whose model_type a folder's config.json names. Stops where there is none that can be trained."""
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
    if not isinstance(kind, str) or kind not in BY_TYPE:
        stop(f"model={folder}: its model_type is {brief(repr(kind))}; it must be one of {', '.join(BY_TYPE)}")
    if "quantization_config" in [*about, *(name for part in about.values() if isinstance(part, dict) for name in part)]:
        stop(
            f"model={folder}: its weights are quantised (quantization_config in its config.json), and adapters are "
            "trained on whole ones here; name the model that it was made from"
        )
    return BY_TYPE[kind]


def evaluated_by(folder: Path) -> str:
    """The harness's `--model` for what was trained on a folder's model. Stops as `family` does."""
    adapter = family(folder).adapter
    if adapter == "emotion_llama" and parse_json(read_bytes(folder / "config.json")).get("version") == 2:
        return "emotion_llama_v2"
    return adapter


def facts(folder: Path, processor: "ProcessorMixin | None" = None) -> "ModelFacts":
    """What records are checked for, of the model in a folder, which needs no weights. Stops at a folder that is none.

    processor: the folder's, where it is loaded already.
    """
    from avem_train.data import model_facts

    about = family(folder)
    if processor is None:
        try:
            processor = _named(about.processor).from_pretrained(folder, local_files_only=True)
        except Exception as error:  # of whatever kind the files are broken in
            stop(f"model={folder}: its processor cannot be loaded ({first_line(error)}); download it again")
    return model_facts.of(processor, about.media)


def load(
    folder: Path, device: "torch.device", dtype: "torch.dtype", cache_bytes: int, quantise: str = ""
) -> "Backbone":
    """The model of a folder, of whichever family its config.json says. Stops at a folder that is none.

    Also at a model whose layers see a window of tokens only: the masks of training know none.

    quantise: "4bit", or "" for whole weights.
    """
    about = family(folder)
    options = _quantisation(quantise, (*_WHOLE, *about.whole))
    backbone: Backbone = _named(about.backbone).load(folder, device, dtype, cache_bytes, **options)
    kinds = getattr(backbone.model.get_decoder().config, "layer_types", None) or ()
    if "sliding_attention" in kinds:
        backbone.close()
        stop(
            f"model={folder}: {kinds.count('sliding_attention')} of its layers see a window of tokens only, which is "
            "not built for training; in its config.json set use_sliding_window to false and take layer_types out, or "
            "name another model"
        )
    return backbone


def _named(path: str) -> Any:
    """The class of an import path."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


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
