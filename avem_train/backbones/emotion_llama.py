"""Emotion-LLaMA (version 1) for preference training: prompts and media exactly as the evaluation has them.

The released model is a Llama 2 with a LoRA of its own (rank 64, query and value projections). That LoRA stays beside
the weights (`LowRankLinear`), frozen, with its dropout off: it belongs to policy and reference alike. What is trained
is a new LoRA on top, on all linear layers; with it switched off the model is the released one: the reference.

A clip always has all of its tokens. Those of a medium that a prompt lacks are what the model makes of zeros, as in the
evaluation. Responses are learned in the form of the released model's own answers (`encode_answer`): lower case, without
full stops.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import PreTrainedModel

from avem_train.backbones.base import FrozenEncoders, Prompt, UnreadableMedium
from avem_train.data.negatives import altered
from avem_train.data.responses import Source
from avem_train.packing import attention
from avem_train.packing.tree import Token
from emorealm_tasks import media
from emorealm_tasks.errors import stop
from model_adapters.avere.clips import FeatureStore
from model_adapters.base import weight_checks
from model_adapters.base.arguments import first_line
from model_adapters.base.media_refs import ClipFiles
from model_adapters.emotion_llama import EmotionLlamaForConditionalGeneration, EmotionLlamaProcessor, clips
from model_adapters.emotion_llama.processing import INSTRUCTIONS

_NO_VIDEO, _NO_AUDIO = Source("video", ""), Source("audio", "")
"""What stands in a prompt without the medium."""
_INSTRUCTION = INSTRUCTIONS[1][0]
_AUDIO_PLACE = 2  # among the tokens behind the image: MAE, VideoMAE, audio, CLS


class EmotionLlamaBackbone:
    """See `base.Backbone`."""

    answering: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        model: EmotionLlamaForConditionalGeneration,
        processor: EmotionLlamaProcessor,
        folder: Path,
        cache_bytes: int,
    ) -> None:
        self.model = model
        self.processor = processor
        self.folder = folder
        self.template = f"{self._text('?', True)} {processor.config.placement} features=demo"
        self._audio_row = processor.config.image_tokens + _AUDIO_PLACE
        self._encoders = FrozenEncoders(model, ("clip_encoder",))
        attention.install(model.language_model)
        self._store = FeatureStore[Source](cache_bytes)
        self._missing: dict[Source, torch.Tensor] = {}

    @classmethod
    def load(cls, folder: Path, device: torch.device, dtype: torch.dtype, cache_bytes: int) -> "EmotionLlamaBackbone":
        """The model of a converted folder. Stops where it is not complete, or is version 2."""
        try:
            processor: EmotionLlamaProcessor = EmotionLlamaProcessor.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # of whatever kind the files are broken in
            stop(f"model={folder}: its processor cannot be loaded ({first_line(error)}); convert it again")
        if processor.config.version != 1:
            stop(
                f"model={folder}: it is version {processor.config.version} of Emotion-LLaMA, whose fusion tokens "
                "depend on picture and sound at once; version 1 can be trained, so name a folder of that"
            )
        try:
            model: PreTrainedModel = weight_checks.load_whole(
                EmotionLlamaForConditionalGeneration, str(folder), dtype=dtype, local_files_only=True
            )
        except weight_checks.Unusable as error:
            stop(f"model={folder}: {error}; convert it again, or name another folder")
        return cls(model.to(device).eval(), processor, folder, cache_bytes)  # type: ignore[arg-type]  # as in `loading.place`

    @torch.no_grad()
    def encode(self, sources: Sequence[Source]) -> dict[Source, torch.Tensor]:
        """Projected features (tokens, hidden) of each source, and of missing media. Raises UnreadableMedium."""
        features = {}
        for source in sources:
            cached = self._store.get(source)
            if cached is None:
                try:
                    cached = self._picture(source) if source.kind == "video" else self._sound(source)
                except media.MediaError as error:
                    raise UnreadableMedium(str(error)) from error
                self._store.put(source, cached)
            features[source] = cached.to(self.model.device)
        if not self._missing:
            size = self.processor.config.feature_size
            self._missing[_NO_VIDEO] = self._picture_tokens(self.processor.media(None, None)["pixel_values"])
            self._missing[_NO_AUDIO] = self._sound_token(torch.zeros(1, size, device=self.model.device))
        return features | self._missing

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Nothing to do: a medium is read when it is encoded."""

    def _picture(self, source: Source) -> torch.Tensor:
        decoded = clips.read(ClipFiles(source.path, None), self.processor.config)
        frames = decoded.video.frames if decoded.video else None
        pixels = self.processor.media(frames, None)["pixel_values"]
        return self._picture_tokens(altered(pixels, source.noise))

    def _picture_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """All of a clip's tokens but the sound's: image, MAE and VideoMAE (of zeros), CLS."""
        features = torch.zeros(1, 3, self.processor.config.feature_size, device=self.model.device)
        pixels = pixels.to(self.model.device, self.model.dtype)
        tokens = self._encoders.clip_encoder(pixels, features)[0]
        return torch.cat([tokens[: self._audio_row], tokens[self._audio_row + 1 :]])

    def _sound(self, source: Source) -> torch.Tensor:
        wave = clips.read(ClipFiles(None, source.path), self.processor.config).audio
        values = altered(self.processor.media(None, wave)["input_values"], source.noise)
        values = values.to(self.model.device, self.model.dtype)
        return self._sound_token(self._encoders.clip_encoder.audio_features(values))

    def _sound_token(self, feature: torch.Tensor) -> torch.Tensor:
        project = self._encoders.clip_encoder.feature_projectors[_AUDIO_PLACE]
        return project(feature.to(self.model.dtype))

    def prompt(self, text: str, sources: Sequence[Source]) -> Prompt:
        """The evaluation's prompt; positions count from 0."""
        by_kind: dict[str, Source] = {source.kind: source for source in sources}
        picture, sound = by_kind.get("video", _NO_VIDEO), by_kind.get("audio", _NO_AUDIO)
        tokens: list[Token] = []
        row = 0
        for position, id_ in enumerate(self.processor.encode_prompt(self._text(text, bool(sources)))):
            if id_ != self.processor.config.media_token_id:
                tokens.append(Token(id_, position))
                continue
            is_sound = row == self._audio_row
            picture_row = row - (row > self._audio_row)
            tokens.append(Token(id_, position, sound, 0) if is_sound else Token(id_, position, picture, picture_row))
            row += 1
        return Prompt(tuple(tokens), len(tokens))

    def _text(self, text: str, about_media: bool) -> str:
        return self.processor.prompt(text, about_media, _INSTRUCTION)

    def response(self, text: str) -> list[int]:
        """Ids of a response as the released model's answers are, and of the closing token."""
        return [*self.processor.encode_answer(text), self.processor.tokenizer.eos_token_id]

    def close(self) -> None:
        """Put the encoders back; forget the features."""
        self._store = FeatureStore[Source](0)
        self._missing.clear()
        self._encoders.put_back()
        attention.remove(self.model.language_model)
