"""AVERE of random weights, made where they are used, and questions about clips that exist in memory only."""

import zlib

import torch
from procedures import LIMIT

from model_adapters.avere import AvereConfig, AvereForConditionalGeneration, AvereProcessor, loading
from model_adapters.avere.clips import Decoded
from model_adapters.avere.runner import Question
from model_adapters.base.embedded import NANO
from model_adapters.base.media_refs import AnyMediaFile, ClipFiles

_SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
_TINY = {
    "text_config": {**_SMALL, "vocab_size": 2000},
    "vision_config": {**_SMALL, "image_size": 56, "patch_size": 14},
    "audio_config": {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64}
    | {"window_seconds": 4, "num_mel_bins": 80},
    "qformer_config": {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2},
}
CONFIGS = {
    "7b": AvereConfig,
    "tiny": lambda: AvereConfig(**_TINY),
    "nano": lambda: AvereConfig.from_pretrained(NANO),
}


def build(
    shape: str, device: torch.device | str, dtype: torch.dtype
) -> tuple[AvereForConditionalGeneration, AvereProcessor]:
    """A frozen model of a shape in CONFIGS with its towers, and a processor that fits it (avere-nano's tokenizer)."""
    config = CONFIGS[shape]()
    torch.manual_seed(0)
    with torch.device(device):
        model = AvereForConditionalGeneration._from_config(config, dtype=dtype).eval()
    return model.requires_grad_(False), AvereProcessor(loading.load_processor(NANO).tokenizer, config)


def random_media(processor: AvereProcessor, medium: AnyMediaFile) -> Decoded:
    """In place of `clips.decode`: values of the right shape, drawn from the path, so that no file is needed."""
    config, generator = processor.config, torch.Generator().manual_seed(zlib.crc32(repr(medium).encode()))
    size, frames = config.vision_config.image_size, config.vision_config.num_frames
    shape: tuple[int, ...] = (frames, 3, size, size)
    if medium.kind == "audio":
        shape = (config.audio_config.num_mel_bins, 100 * config.audio_config.window_seconds)
    return Decoded(torch.randn(shape, generator=generator) * 0.5, {})


def questions(processor: AvereProcessor, clips: int, ratio: float) -> list[Question]:
    """`ratio` questions a clip on average (1.5 = one and two in turn), as long as the benchmark's."""
    asked = []
    for number in range(clips):
        clip = ClipFiles(f"/random/{number}.mp4", f"/random/{number}.mp4")
        for which in range(int(ratio * (number + 1)) - int(ratio * number)):
            text = f"Why does the person in clip {number} look {('sad', 'angry', 'happy')[which % 3]}? (A) tears run "
            text += "down the cheeks (B) the yellow sweater (C) a trembling voice (D) laughter in the room"
            ids = processor.encode_prompt(processor.prompt(text, video=True, audio=True))
            asked.append(Question(clip, ids, limit=LIMIT))
    return asked
