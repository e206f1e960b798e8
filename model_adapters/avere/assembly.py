"""Public parts -> one folder with AVERE before any training of its own; `assemble` is the command.

The language model and both towers come from their public folders, the projectors are fresh: nothing of the released
checkpoint is needed. Tensors go over one shard at a time, in their own dtype; every key of every file is either used,
known to be unused, or an error.
"""

from functools import partial
from pathlib import Path

import torch

from emorealm_tasks.errors import stop

from . import conversion
from .configuration import AvereConfig
from .modeling import new_video_projector
from .released_config import read_parts
from .speech_projector import AvereSpeechProjector
from .weights import Reader

_MAKER = "model_adapters.avere.assemble"


def assemble(language: Path, video: Path, audio: Path, qformer: Path | None, seed: int, out: Path) -> None:
    """Write the folder `out`; its config.json comes last.

    language: a Llama with a SentencePiece tokenizer. video: LanguageBind-Video. audio: Whisper, of which the encoder is
    used. qformer: a folder whose config.json has BERT's sizes; None = those of bert-base. seed: of the projectors, 0
    to 2**32 - 1. Stops at parts that do not fit.
    """
    conversion.check_out(out, (language, video, audio), _MAKER)
    config = read_parts(language, video, audio, qformer)
    tokenizer = conversion.read_tokenizer(language)
    if len(tokenizer) > (size := config.text_config.vocab_size):
        stop(
            f"{language}: its tokenizer has {len(tokenizer)} tokens, its language model {size}; take both of one model"
        )
    config.text_config.pad_token_id = tokenizer.pad_token_id
    parts = ((language, conversion.LANGUAGE_RULES), (video, conversion.VIDEO_RULES), (audio, conversion.AUDIO_RULES))
    tensors = conversion.collect(parts)
    fresh = fresh_projectors(config, seed)
    print(f"fresh projectors of seed {seed}: {len(fresh)} tensors")
    tensors |= fresh
    _check(tensors, config, (language, video, audio))
    conversion.write_model(config, tensors, tokenizer, out, _MAKER)


def fresh_projectors(config: AvereConfig, seed: int) -> dict[str, Reader]:
    """Both projectors' float32 tensors by their names in the model; the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        modules = {
            "model.video_projector": new_video_projector(config),
            "model.audio_projector": AvereSpeechProjector(config.qformer_config),
        }
    tensors = {f"{name}.{key}": one for name, module in modules.items() for key, one in module.state_dict().items()}
    return {
        name: Reader(Path("fresh"), name, tuple(one.shape), one.nbytes, partial(tensors.__getitem__, name))
        for name, one in tensors.items()
    }


def _check(tensors: dict[str, Reader], config: AvereConfig, folders: tuple[Path, Path, Path]) -> None:
    """As `conversion.check_shapes`, part by part, so that a fault names the folder that it is in."""
    shapes = conversion.expected_shapes(config)
    prefixes = {
        folders[0]: ("lm_head.", "model.language_model."),
        folders[1]: ("model.video_tower.",),
        folders[2]: ("model.audio_tower.",),
        Path("fresh"): ("model.video_projector.", "model.audio_projector."),
    }
    for folder, starts in prefixes.items():
        conversion.check_shapes(
            {key: one for key, one in tensors.items() if key.startswith(starts)},
            {key: shape for key, shape in shapes.items() if key.startswith(starts)},
            folder,
        )
