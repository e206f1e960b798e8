"""avere-nano: AVERE's architecture at a size that a laptop trains, its vocabulary, and what its training touches."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from avem_train.nano.vocabulary import train_vocabulary
from emorealm_tasks import files
from emorealm_tasks.mini.language.instructions import KINDS, instructions
from emorealm_tasks.mini.world.sampling import Clip, generator, sample_clip
from model_adapters.avere import AvereConfig, AvereForConditionalGeneration, AvereProcessor
from model_adapters.avere.conversion import read_tokenizer
from model_adapters.avere.processing import SYSTEM

VOCABULARY_CLIPS = 1500
"""Clips whose instructions the vocabulary is trained on."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the model."""

    frames: int = 2
    """Pictures of a clip."""
    image_size: int = 96
    """Of a picture, pixels."""
    patch: int = 24
    """Of a picture, pixels."""
    window_seconds: int = 4
    """Of sound heard."""
    span_seconds: float = 0.5
    """Sound that a speech token stands for."""
    mel_bins: int = 64
    """Of the spectrogram."""
    vision_width: int = 128
    """Of the video encoder."""
    vision_layers: int = 4
    """Of the video encoder."""
    audio_width: int = 128
    """Of the audio encoder."""
    audio_layers: int = 2
    """Of the audio encoder."""
    query_layers: int = 1
    """Of the Q-Former."""
    tower_heads: int = 4
    """Of both encoders and the Q-Former."""
    text_width: int = 192
    """Of the language model."""
    text_layers: int = 4
    """Of the language model."""
    text_heads: int = 6
    """Of the language model."""
    text_mlp: int = 512
    """Of the language model."""
    vocabulary: int = 1100
    """Pieces."""


def configuration(shape: Shape) -> AvereConfig:
    """The model configuration of a shape. Pieces 0, 1, 2 are unknown (also padding), beginning and end."""
    parts: dict[str, Any] = {  # settings of the parts, by name
        "text_config": {
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.text_width,
            "num_hidden_layers": shape.text_layers,
            "num_attention_heads": shape.text_heads,
            "num_key_value_heads": shape.text_heads,
            "intermediate_size": shape.text_mlp,
            "max_position_embeddings": 1024,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        "vision_config": {
            "hidden_size": shape.vision_width,
            "intermediate_size": 4 * shape.vision_width,
            "num_hidden_layers": shape.vision_layers,
            "num_attention_heads": shape.tower_heads,
            "image_size": shape.image_size,
            "patch_size": shape.patch,
            "num_frames": shape.frames,
        },
        "audio_config": {
            "d_model": shape.audio_width,
            "encoder_layers": shape.audio_layers,
            "encoder_attention_heads": shape.tower_heads,
            "encoder_ffn_dim": 4 * shape.audio_width,
            "num_mel_bins": shape.mel_bins,
            "window_seconds": shape.window_seconds,
            "decoder_layers": 0,
        },
        "qformer_config": {
            "hidden_size": shape.audio_width,
            "num_hidden_layers": shape.query_layers,
            "num_attention_heads": shape.tower_heads,
            "intermediate_size": 2 * shape.audio_width,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "window_seconds": shape.span_seconds,
            "stride_seconds": shape.span_seconds,
        },
        "vision_feature_layer": -1,
        "max_sequence_length": 1024,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    return AvereConfig(**parts)


def build_processor(shape: Shape, seed: int) -> AvereProcessor:
    """Processor with a vocabulary trained on the training world's instructions."""
    rng = generator("train", seed)
    config = configuration(shape)
    mix = dict.fromkeys(KINDS, 1.0)
    texts = [
        text
        for number in range(VOCABULARY_CLIPS)
        for example in instructions(rng, sample_clip(rng, number % 2 == 1), mix, 6)
        for text in example
    ]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "tokenizer.model"
        # the template's words must be whole pieces although each prompt has them once: hence the repetition
        template = f"{SYSTEM} USER: ASSISTANT:"
        # behind a line break a word has no space before it: brackets give such words pieces of their own
        lettered = [f"({text}" for text in texts]
        model.write_bytes(train_vocabulary([*texts, *lettered, *[template] * 200], shape.vocabulary))
        tokenizer = read_tokenizer(Path(folder))
    return AvereProcessor(tokenizer, config)


def build_model(shape: Shape) -> AvereForConditionalGeneration:
    """The untrained model, float32."""
    model = AvereForConditionalGeneration(configuration(shape))
    # CLIP's tiny position embeddings vanish beside the patches', and without places the face is not learned in time
    nn.init.normal_(model.model.video_tower.embeddings.position_embedding.weight, std=0.3)
    # queries and keys alike from the start let a word find what resembles it (Trockman & Kolter 2023, arXiv:2305.09828)
    with torch.no_grad():
        for layer in model.model.language_model.layers:
            layer.self_attn.q_proj.weight *= 2
            layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)
    return model


def response_ids(processor: AvereProcessor, response: str) -> list[int]:
    """Ids of a response and the closing token."""
    return [*processor.tokenizer.encode(response, add_special_tokens=False), processor.tokenizer.eos_token_id]


def project_video(model: AvereForConditionalGeneration, states: torch.Tensor) -> torch.Tensor:
    """Cached video encoder states (clips, tokens, width) -> embeddings (clips, tokens, hidden)."""
    return model.model.video_projector(states)


def project_audio(model: AvereForConditionalGeneration, read: torch.Tensor) -> torch.Tensor:
    """Cached Q-Former outputs (clips, windows, width) -> embeddings (clips, windows, hidden)."""
    return model.model.audio_projector.linear(read)


@dataclass
class Media:
    """Cached encoder states of clips."""

    clips: list[Clip]
    """In the order of their states."""
    video: torch.Tensor
    """(clips, tokens, width)."""
    audio: torch.Tensor
    """(clips, windows, width)."""


def forward(model: AvereForConditionalGeneration, batch: dict[str, Any]) -> torch.Tensor:
    """Logits (batch, length, vocabulary) of a packed batch with cached encoder features."""
    return model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        video_features=project_video(model, batch["video"]),
        audio_features=project_audio(model, batch["audio"]),
        use_cache=False,
    ).logits


def language_parameters(model: AvereForConditionalGeneration) -> list[torch.nn.Parameter]:
    """What supervised fine-tuning trains: language model, head, and the last maps of both projectors."""
    inner = model.model
    parts = (inner.language_model, model.lm_head, inner.video_projector, inner.audio_projector.linear)
    return [parameter for part in parts for parameter in part.parameters()]


def save(model: AvereForConditionalGeneration, processor: AvereProcessor, out: Path) -> None:
    """Write a `from_pretrained` folder; the weights as float16, half the size at no measurable cost."""
    out.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(out)
    model.float()
    processor.save_pretrained(out)
    files.readable(out)
