"""Models of the harness that outlive an evaluation: lmms-eval ends each by freeing the model.

A candidate begins with the base. `put` gives it the weights of a training on that base: encoders are frozen there, so
what they make of a clip stays the same in all of them, and is computed once.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from model_adapters.avere import folders
from model_adapters.avere import loading as avere_loading
from model_adapters.avere.adapter import AvereChat
from model_adapters.base.frame_sampling import ClipMedia
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.requests import ClipQuestion
from model_adapters.emotion_llama.adapter import EmotionLlama
from model_adapters.emotion_llama.modeling import MEDIA
from model_adapters.in_process import loading


class AvereCandidate(AvereChat):
    """AVERE."""

    asked_with: Mapping[str, str] = MappingProxyType({})
    """What a run's record says of the input."""

    def clean(self) -> None:
        """Stay."""

    def end(self) -> None:
        """Free the model, the decoding threads and the features."""
        super().clean()

    def put(self, weights: Path) -> None:
        """Take other weights of the same base."""
        found = folders.find_weights(str(weights))
        loaded = avere_loading.load_model(found.folder, self.device, self.model.dtype, None, found.adapter)
        self.model.load_state_dict(loaded.state_dict())


class EmotionLlamaCandidate(EmotionLlama):
    """Emotion-LLaMA."""

    def __init__(self, **model_args: Any) -> None:
        super().__init__(**model_args)
        self.asked_with = {"features": self.features}
        """As in `AvereCandidate`."""
        self._encoded: dict[ClipFiles, tuple[Tensor, ClipMedia]] = {}

    def clean(self) -> None:
        """Stay."""

    def end(self) -> None:
        """Free the model and the clips."""
        self._encoded.clear()
        super().clean()

    def put(self, weights: Path) -> None:
        """Take other weights of the same base."""
        found = loading.find(self.name, str(weights))
        loaded, _ = loading.load(
            self.name, self.model_class, self.processor_class, found, self.model_types, False, dtype=self.model.dtype
        )
        self.model.load_state_dict(loaded.state_dict())

    def inputs(self, question: ClipQuestion, clip: ClipFiles) -> tuple[Mapping[str, Tensor], ClipMedia]:
        """As the base, with what the encoders made of the clip in the place of its media."""
        if self.contrast or not clip.media:
            return super().inputs(question, clip)
        if clip not in self._encoded:
            row, decoded = super().inputs(question, clip)
            model: Any = self.model
            media = self.batch([{name: row[name] for name in MEDIA if name in row}])
            with torch.inference_mode():
                self._encoded[clip] = model.encode(**media), decoded
        embeds, decoded = self._encoded[clip]
        ids = self.processor.encode_prompt(self.prompt(question, clip))
        mask = self.processor.attention(ids, "v" in clip.kinds, "a" in clip.kinds)
        row = {"input_ids": torch.tensor([ids]), "attention_mask": torch.tensor([mask]), "media_embeds": embeds}
        return row, decoded


CANDIDATES: Mapping[str, Any] = {"avere": AvereCandidate, "emotion_llama": EmotionLlamaCandidate}
"""The harness's `--model` -> the class that stays."""
