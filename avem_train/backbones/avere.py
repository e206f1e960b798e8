"""AVERE for training: prompts and media exactly as the evaluation has them."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from avem_train.backbones.base import Clip, FixedSizes, FrozenEncoders, Prompt, UnreadableMedium, sources_of
from avem_train.data.negatives import altered
from avem_train.data.responses import Source
from avem_train.packing import attention
from avem_train.packing.tree import Token
from model_adapters.avere import AvereForConditionalGeneration, AvereProcessor, folders, loading
from model_adapters.avere.clips import Decoded, MediaEncoder, decode
from model_adapters.avere.modeling import AvereModel
from model_adapters.avere.processing import encode_piece
from model_adapters.base.media_refs import MediaFile
from model_adapters.base.transfer import to_device

_CACHED_TEXTS = 1 << 16
_PARTS = ("video_tower", "video_projector", "audio_tower", "audio_projector")


class AvereEncoders(FrozenEncoders):
    """AVERE's encoders and projectors, in the form that `MediaEncoder` takes."""

    get_video_features = AvereModel.get_video_features
    get_audio_features = AvereModel.get_audio_features

    def __init__(self, model: AvereForConditionalGeneration) -> None:
        super().__init__(model.model, _PARTS)
        self.config, self.device, self.dtype = model.config, model.device, model.dtype


class AvereBackbone(FixedSizes):
    """See `base.Backbone`."""

    answering: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self, model: AvereForConditionalGeneration, processor: AvereProcessor, folder: Path, cache_bytes: int
    ) -> None:
        self.model = model
        self.processor = processor
        self.folder = folder
        self.template = processor.prompt("?", video=True, audio=True)
        self._encoders = AvereEncoders(model)
        attention.install(model.model.language_model)
        self._media: MediaEncoder[AvereEncoders, Source] = MediaEncoder(
            self._encoders, processor, cache_bytes, read=read
        )
        self._prompt_ids = lru_cache(_CACHED_TEXTS)(self._encode_prompt)
        self._response_ids = lru_cache(_CACHED_TEXTS)(self._encode_response)

    @classmethod
    def load(
        cls, folder: Path, device: torch.device, dtype: torch.dtype, cache_bytes: int, **options: Any
    ) -> "AvereBackbone":
        """The model of a complete folder; `options` go to `from_pretrained`."""
        weights = folders.find_weights(str(folder))
        model = loading.load_model(weights.folder, device, dtype, None, None, **options)
        return cls(model, loading.load_processor(weights.folder), folder, cache_bytes)

    def encode(self, clips: Sequence[Clip]) -> dict[Hashable, torch.Tensor]:
        """Projected features (tokens, hidden) of each source. Raises UnreadableMedium."""
        features: dict[Hashable, torch.Tensor] = {}
        # each alone: in a batch its values would depend, in the last digits, on its company
        for source in sources_of(clips):
            encoded = self._encoded_anew(source) if self._encoders.is_back else self._media.encode([source])
            if source not in encoded:
                raise UnreadableMedium(self._media.failures[source])
            features[source] = encoded[source]
        return features

    def _encoded_anew(self, source: Source) -> dict[Source, torch.Tensor]:
        """Features of a source with gradients, nothing where it cannot be read."""
        values = self._media.decoded(source)
        if values is None:
            return {}
        encoders: Any = self._encoders
        encoder = encoders.get_video_features if source.kind == "video" else encoders.get_audio_features
        with encoders.gradients():
            return {source: encoder(to_device(values[None], encoders.device, encoders.dtype))[0]}

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Start decoding in threads."""
        self._media.prefetch(sources)

    def prompt(self, text: str, sources: Clip) -> Prompt:
        """The evaluation's prompt; positions count from 0."""
        by_kind = {source.kind: source for source in sources}
        config = self.processor.config
        places = {config.video_token_id: by_kind.get("video"), config.audio_token_id: by_kind.get("audio")}
        rows = dict.fromkeys(places, 0)
        tokens = []
        for position, id_ in enumerate(self._prompt_ids(text, "video" in by_kind, "audio" in by_kind)):
            source = places.get(id_)
            tokens.append(Token(id_, position, source, rows[id_] if source else 0))
            if source:
                rows[id_] += 1
        return Prompt(tuple(tokens), len(tokens))

    def _encode_prompt(self, text: str, video: bool, audio: bool) -> list[int]:
        return self.processor.encode_prompt(self.processor.prompt(text, video=video, audio=audio))

    def response(self, text: str) -> list[int]:
        """Ids as the released model learns them: SentencePiece's dummy prefix first, the closing token last."""
        return self._response_ids(text)

    def _encode_response(self, text: str) -> list[int]:
        tokenizer = self.processor.tokenizer
        return [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]

    def follow_up(self, text: str) -> list[int]:
        """Ids of another question in Vicuna's dialogue."""
        return encode_piece(self.processor.tokenizer, f"USER: {text} ASSISTANT:")

    @property
    def projectors(self) -> Sequence[str]:
        """See `base.Backbone`."""
        return ("model.video_projector", "model.audio_projector")

    def train_projectors(self) -> None:
        """See `base.Backbone`."""
        self._encoders.put_back()

    def close(self) -> None:
        """Put the encoders back; end the decoding threads."""
        self._media.close()
        self._encoders.put_back()
        attention.remove(self.model.model.language_model)


def read(processor: AvereProcessor, source: Source) -> Decoded:
    """One source as its encoder takes it, with the noise it asks for; raises MediaError."""
    decoded = decode(processor, MediaFile(source.kind, source.path))
    return replace(decoded, values=altered(decoded.values, source.noise))
