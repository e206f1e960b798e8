"""A model family at a size that a laptop trains: what the stages of its training need of it.

The stages themselves (`encoders`, `projectors`, `train`) are the same for every family. `avere` and `emotion_llama` are
the families.
"""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedTokenizerBase

from avem_train.nano.vocabulary import train_vocabulary
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.mini.language.instructions import KINDS, instructions
from emorealm_tasks.mini.world.sampling import Clip, generator, sample_clip
from emorealm_tasks.untrusted import brief
from model_adapters.avere.conversion import read_tokenizer

VOCABULARY_CLIPS = 1500
"""Clips whose instructions the vocabulary is trained on."""
MODALITIES = ("video", "audio")


@dataclass(frozen=True)
class Shape:
    """Sizes of the model."""

    image_size: int = 96
    """Of a picture, pixels."""
    patch: int = 24
    """Of a picture, pixels."""
    vision_width: int = 128
    """Of the video encoder."""
    vision_layers: int = 4
    """Of the video encoder."""
    audio_width: int = 128
    """Of the audio encoder."""
    audio_layers: int = 2
    """Of the audio encoder."""
    tower_heads: int = 4
    """Of all encoders."""
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


@dataclass
class Media:
    """Cached encoder states of clips."""

    clips: list[Clip]
    """In the order of their states."""
    video: torch.Tensor
    """(clips, tokens, width)."""
    audio: torch.Tensor
    """(clips, tokens, width)."""


class Miniature(ABC):
    """An untrained model of a family, and its processor. shape: its sizes. processor: what `build_processor` made."""

    ENCODERS: ClassVar[Mapping[str, tuple[str, ...]]]
    """"video" and "audio" -> how the names of the encoder's weights begin."""

    def __init__(self, shape: Any, processor: Any) -> None:
        self.processor = processor
        self.model = self.build_model(shape)
        # queries and keys alike from the start let a word find what resembles it (Trockman & Kolter, arXiv:2305.09828)
        with torch.no_grad():
            for layer in self._language_model().layers:
                layer.self_attn.q_proj.weight *= 2
                layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)

    TEMPLATE: ClassVar[str]
    """The words around a question in a prompt."""

    @classmethod
    def build_processor(cls, shape: Any, seed: int) -> Any:
        """Processor with a vocabulary trained on the training world's instructions."""
        texts = [text for prompt, response in examples(seed) for text in (prompt, cls.answer_form(response))]
        return cls.processor_of(build_tokenizer(texts, cls.TEMPLATE, shape.vocabulary), shape)

    @classmethod
    @abstractmethod
    def processor_of(cls, tokenizer: PreTrainedTokenizerBase, shape: Any) -> Any:
        """The family's processor with a given vocabulary."""

    @staticmethod
    def answer_form(text: str) -> str:
        """A text as the family writes answers."""
        return text

    @abstractmethod
    def build_model(self, shape: Any) -> Any:
        """The untrained model, float32."""

    @abstractmethod
    def _language_model(self) -> Any:
        """The decoder without its head."""

    def begin_with(self, folder: Path) -> None:
        """Take the language model of another model, of any family. Stops where its sizes are others."""
        weights = load_file(folder / "model.safetensors")
        mark = "language_model."
        inner = {name.partition(mark)[2]: value for name, value in weights.items() if mark in name}
        try:
            self._language_model().load_state_dict(inner)
            self.model.get_output_embeddings().load_state_dict({"weight": weights["lm_head.weight"]})
        except (KeyError, RuntimeError) as error:
            stop(f"language_model={folder}: it is none of this shape ({brief(error)}); name another folder")

    def begin_whole(self, folder: Path) -> None:
        """Take all weights of another model of this family. Stops where its sizes are others."""
        try:
            self.model.load_state_dict(load_file(folder / "model.safetensors"))
        except (OSError, RuntimeError) as error:
            stop(f"begin_with={folder}: it is none of this shape ({brief(error)}); name another folder")

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The processor's."""
        tokenizer: PreTrainedTokenizerBase = self.processor.tokenizer
        return tokenizer

    @abstractmethod
    def prompt_ids(self, question: str, shown: bool) -> list[int]:
        """Ids of the evaluation's prompt. shown: whether it is about a clip."""

    @abstractmethod
    def text_ids(self, text: str) -> list[int]:
        """Ids of a text of its own, as it is."""

    def answer_ids(self, text: str) -> list[int]:
        """Ids of an answer in the family's form, without the closing token."""
        return self.text_ids(self.answer_form(text))

    def response_ids(self, response: str) -> list[int]:
        """Ids of an answer in the family's form, and of the closing token."""
        closing: Any = self.tokenizer.eos_token_id
        return [*self.answer_ids(response), closing]

    @abstractmethod
    def inputs(self, clip: Clip, modality: str) -> torch.Tensor:
        """One modality of a clip as the encoder takes it."""

    def stacked(self, rows: list[torch.Tensor]) -> torch.Tensor:
        """`inputs` of several clips as one tensor."""
        return torch.stack(rows)

    @abstractmethod
    def views(self, modality: str, inputs: torch.Tensor) -> list[torch.Tensor]:
        """What the heads read in training an encoder, each (clips, tokens, width); the first is what it hands on."""

    @abstractmethod
    def encoder_parameters(self, modality: str) -> list[nn.Parameter]:
        """What training an encoder changes."""

    @abstractmethod
    def projectors(self, modality: str) -> list[nn.Module]:
        """The maps from what an encoder hands on to the language model's width."""

    @abstractmethod
    def project(self, modality: str, states: torch.Tensor) -> torch.Tensor:
        """What an encoder handed on (clips, tokens, width) -> embeddings (clips, tokens, hidden)."""

    @abstractmethod
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Logits (batch, length, vocabulary) of a packed batch with what the encoders handed on."""

    def language_parameters(self) -> list[nn.Parameter]:
        """What supervised fine-tuning trains: language model, head, and the projectors."""
        maps = [module for modality in MODALITIES for module in self.projectors(modality)]
        parts = [self._language_model(), self.model.get_output_embeddings(), *maps]
        return [parameter for part in parts for parameter in part.parameters()]

    def save(self, out: Path) -> None:
        """Write a `from_pretrained` folder; the weights as float16, half the size at no measurable cost."""
        out.mkdir(parents=True, exist_ok=True)
        self.model.half().save_pretrained(out)
        self.model.float()
        self.processor.save_pretrained(out)
        files.readable(out)


def text_config(shape: Shape) -> dict[str, Any]:
    """Settings of the language model. Pieces 0, 1, 2 are unknown (also padding), beginning and end."""
    return {
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
    }


def examples(seed: int) -> list[tuple[str, str]]:
    """Instructions of every kind about clips of the training world, (prompt, response) each."""
    rng = generator("train", seed)
    mix = dict.fromkeys(KINDS, 1.0)
    return [
        example
        for number in range(VOCABULARY_CLIPS)
        for example in instructions(rng, sample_clip(rng, number % 2 == 1), mix, 6)
    ]


def build_tokenizer(texts: list[str], template: str, size: int) -> PreTrainedTokenizerBase:
    """A tokenizer trained on texts. template: what surrounds each prompt. size: number of pieces."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "tokenizer.model"
        # behind a line break a word has no space before it: brackets give such words pieces of their own
        lettered = [f"({text}" for text in texts]
        # the template's words must be whole pieces although each prompt has them once: hence the repetition
        model.write_bytes(train_vocabulary([*texts, *lettered, *[template] * 200], size))
        return read_tokenizer(Path(folder))
