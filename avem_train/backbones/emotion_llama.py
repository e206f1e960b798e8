"""Emotion-LLaMA for training, both versions: prompts and media exactly as the evaluation has them.

The released model is a Llama 2 with a LoRA of its own (rank 64, query and value projections). That LoRA stays beside
the weights (`LowRankLinear`), frozen, with its dropout off: it belongs to policy and reference alike. What is trained
is a new LoRA on top, on all linear layers; with it switched off the model is the released one: the reference.

A clip has its tokens whatever is missing of it: what the model makes of zeros, as in the evaluation. In version 1 each
token is of picture or sound; in version 2 some are of both, so the whole clip is one medium there, and what two clips
share is encoded once but computed twice in the language model. Responses are learned in the form of the released
model's own answers (`encode_answer`): lower case, without full stops.
"""

from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from avem_train.backbones.base import Clip, FixedSizes, FrozenEncoders, Prompt, UnreadableMedium, sources_of
from avem_train.data.negatives import altered
from avem_train.data.responses import Source
from avem_train.packing import attention
from avem_train.packing.tree import Token
from emorealm_tasks import media
from emorealm_tasks.errors import stop
from model_adapters.avere.clips import FeatureStore
from model_adapters.base import weight_checks
from model_adapters.base.arguments import first_line
from model_adapters.base.decode_ahead import DecodeAhead
from model_adapters.base.transfer import to_device
from model_adapters.emotion_llama import (
    EmotionLlamaForConditionalGeneration,
    EmotionLlamaProcessor,
    clips,
    given_features,
)
from model_adapters.emotion_llama.processing import INSTRUCTIONS

NO_VIDEO, NO_AUDIO = Source("video", ""), Source("audio", "")
"""What stands in a prompt without the medium."""
_LIST = "feature_projectors"
_PROJECTORS = (
    "image_projector", "cls_projector", _LIST, "fusion", "video_projector", "audio_projector", "fusion_projector",
)  # fmt: skip
_AUDIO_PLACE = 2  # among version 1's tokens behind the image: MAE, VideoMAE, audio, CLS


class EmotionLlamaBackbone(FixedSizes):
    """See `base.Backbone`; one subclass a version."""

    answering: Mapping[str, Any] = MappingProxyType({})
    """The harness asks as this does already."""

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
        self.template = f"{self._text('?', True)} {processor.config.placement}"
        self._encoders = FrozenEncoders(model, ("clip_encoder",))
        attention.install(model.language_model)
        self._store = FeatureStore[Any](cache_bytes)
        self._ahead = DecodeAhead[Source, dict[str, torch.Tensor]](self._decode, model.device)
        self._states_bytes = cache_bytes if processor.config.version == 2 else 0  # version 2's store comes before them

    @classmethod
    def load(
        cls, folder: Path, device: torch.device, dtype: torch.dtype, cache_bytes: int, **options: Any
    ) -> "EmotionLlamaBackbone":
        """The model of a converted folder, of either version. Stops where it is not complete; `options` go to
        `from_pretrained`.
        """
        try:
            processor: EmotionLlamaProcessor = EmotionLlamaProcessor.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # of whatever kind the files are broken in
            stop(f"model={folder}: its processor cannot be loaded ({first_line(error)}); convert it again")
        try:
            model: Any = weight_checks.load_whole(
                EmotionLlamaForConditionalGeneration, str(folder), dtype=dtype, local_files_only=True, **options
            )
        except weight_checks.Unusable as error:
            stop(f"model={folder}: {error}; convert it again, or name another folder")
        return VERSIONS[processor.config.version](model.to(device).eval(), processor, folder, cache_bytes)

    @abstractmethod
    def encode(self, clips: Sequence[Clip]) -> Mapping[Hashable, torch.Tensor]:
        """See `base.Backbone`."""

    @abstractmethod
    def prompt(self, text: str, sources: Clip) -> Prompt:
        """The evaluation's prompt; positions count from 0."""

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Start decoding in threads."""
        self._ahead.start(source for source in sources if not self._is_encoded(source))

    @abstractmethod
    def _is_encoded(self, source: Source) -> bool:
        """Whether all that is made of a source lies in the store."""

    def response(self, text: str) -> list[int]:
        """Ids of a response as the released model's answers are, and of the closing token."""
        return [*self.processor.encode_answer(text), self.processor.tokenizer.eos_token_id]

    def follow_up(self, text: str) -> list[int]:
        """Ids of another question in Llama 2's dialogue."""
        return [self.processor.tokenizer.bos_token_id, *self.processor.encode_piece(self._text(text, False))]

    @property
    def projectors(self) -> Sequence[str]:
        """Every part of the clip encoder that is no encoder of its own; of a list, its members."""
        names = [name for name in _PROJECTORS if hasattr(self._encoders.clip_encoder, name)]
        places = range(len(self._encoders.clip_encoder.feature_projectors)) if _LIST in names else ()
        plain = [f"clip_encoder.{name}" for name in names if name != _LIST]
        return [*plain, *(f"clip_encoder.{_LIST}.{place}" for place in places)]

    def train_projectors(self) -> None:
        """See `base.Backbone`."""
        self._encoders.put_back()
        self._store = FeatureStore[Any](self._states_bytes)

    def close(self) -> None:
        """Put the encoders back; forget the features; end the decoding threads."""
        self._ahead.close()
        self._store = FeatureStore[Any](0)
        self._encoders.put_back()
        attention.remove(self.model.language_model)

    def _text(self, text: str, about_media: bool) -> str:
        return self.processor.prompt(text, about_media, INSTRUCTIONS[self.processor.config.version][0])

    def _inputs(self, source: Source) -> dict[str, torch.Tensor]:
        """The processor's inputs for a clip of this source alone, with its noise. Raises UnreadableMedium."""
        try:
            noised = self._ahead.take(source)
        except media.MediaError as error:
            raise UnreadableMedium(str(error)) from error
        return {name: to_device(value, self.model.device, self.model.dtype) for name, value in noised.items()}

    def _decode(self, source: Source) -> dict[str, torch.Tensor]:
        """What threads do: the inputs of `_inputs`, float32 on the CPU. Raises MediaError."""
        decoded = clips.read(source.files, self.processor.config)
        inputs = self.processor.media(decoded.video.frames if decoded.video else None, decoded.audio)
        is_video = source.kind == "video"
        names = ("pixel_values", "pixel_values_videos") if is_video else ("input_values", "input_features")
        return {name: altered(inputs[name], source.noise) for name in names if name in inputs}


class EmotionLlamaBackbone1(EmotionLlamaBackbone):
    """Version 1: image, MAE, VideoMAE and CLS are of the picture, one token is of the sound.

    The features are those that the folder's config.json names (`given_features`), as in the evaluation. Where a clip's
    medium is noise, so are its features; zeros stay zeros.
    """

    def __init__(
        self,
        model: EmotionLlamaForConditionalGeneration,
        processor: EmotionLlamaProcessor,
        folder: Path,
        cache_bytes: int,
    ) -> None:
        super().__init__(model, processor, folder, cache_bytes)
        name = processor.config.features
        self._features_of = given_features.find(name, "avem-train")
        self.template += f" features={given_features.kind(name)} {given_features.stamp(name)}".rstrip()

    def encode(self, clips: Sequence[Clip]) -> Mapping[Hashable, torch.Tensor]:
        """Features (tokens, hidden) of each source, and of missing media. Raises UnreadableMedium."""
        sources = sources_of(clips)
        with self._encoders.gradients():
            return {source: self._tokens(source) for source in ([*sources, NO_VIDEO, NO_AUDIO] if sources else [])}

    def _is_encoded(self, source: Source) -> bool:
        return source in self._store

    def _tokens(self, source: Source) -> torch.Tensor:
        found = self._store.get(source, self.model.device)
        if found is None:
            found = self._of_picture(source) if source.kind == "video" else self._of_sound(source)
            self._store.put(source, found)
        return found

    def _of_picture(self, source: Source) -> torch.Tensor:
        features = torch.zeros(1, 3, self.processor.config.feature_size, device=self.model.device)
        given = self._given(source)
        if given is not None:
            features[0, :_AUDIO_PLACE] = given[:_AUDIO_PLACE]
        tokens = self._encoders.clip_encoder(clip_features=features, **self._inputs(source))[0]
        return torch.cat([tokens[: self._sound_row], tokens[self._sound_row + 1 :]])

    def _of_sound(self, source: Source) -> torch.Tensor:
        encoder, inputs, given = self._encoders.clip_encoder, self._inputs(source), self._given(source)
        from_file = given is not None and len(given) > _AUDIO_PLACE
        if inputs and encoder.hubert is None and not from_file:
            stop(f"model={self.folder}: it has no HuBERT and cannot hear {source.path}; convert it with --hubert")
        if given is not None and from_file:
            features = given[_AUDIO_PLACE:]
        elif inputs:
            features = encoder.audio_features(inputs["input_values"])
        else:
            features = torch.zeros(1, self.processor.config.feature_size, device=self.model.device)
        tokens: torch.Tensor = encoder.feature_projectors[_AUDIO_PLACE](features.to(self.model.dtype))
        return tokens

    def _given(self, source: Source) -> torch.Tensor | None:
        """The features that are given of a source, with its noise, on the model's device; None = none are.

        Raises UnreadableMedium.
        """
        try:
            given = self._features_of(source.files)
        except media.MediaError as error:
            raise UnreadableMedium(str(error)) from error
        return None if given is None else to_device(altered(given, source.noise), self.model.device)

    @property
    def _sound_row(self) -> int:
        """Which of a clip's tokens is the sound's."""
        return self.processor.config.image_tokens + _AUDIO_PLACE

    def prompt(self, text: str, sources: Clip) -> Prompt:
        """The evaluation's prompt; positions count from 0."""
        by_kind: dict[str, Source] = {source.kind: source for source in sources}
        picture, sound = by_kind.get("video", NO_VIDEO), by_kind.get("audio", NO_AUDIO)
        tokens: list[Token] = []
        row = 0
        for position, id_ in enumerate(self.processor.encode_prompt(self._text(text, bool(sources)))):
            if id_ != self.processor.config.media_token_id:
                tokens.append(Token(id_, position))
                continue
            is_sound = row == self._sound_row
            picture_row = row - (row > self._sound_row)
            tokens.append(Token(id_, position, sound, 0) if is_sound else Token(id_, position, picture, picture_row))
            row += 1
        return Prompt(tuple(tokens), len(tokens))


class EmotionLlamaBackbone2(EmotionLlamaBackbone):
    """Version 2: the fusion tokens are of picture and sound, so a clip's features go by both sources."""

    def encode(self, clips: Sequence[Clip]) -> Mapping[Hashable, torch.Tensor]:
        """Features (tokens, hidden) of each clip. Raises UnreadableMedium."""
        with self._encoders.gradients():
            return {clip: self._joined(clip) for clip in dict.fromkeys(clips) if clip}

    def _is_encoded(self, source: Source) -> bool:
        return all((name, source) in self._store for name in _states(source))

    def _joined(self, clip: Clip) -> torch.Tensor:
        by_kind: dict[str, Source] = {source.kind: source for source in clip}
        picture, sound = by_kind.get("video", NO_VIDEO), by_kind.get("audio", NO_AUDIO)
        tokens: torch.Tensor = self._encoders.clip_encoder.join(*self._parts(picture), *self._parts(sound))[0]
        return tokens

    def _parts(self, source: Source) -> list[torch.Tensor]:
        """States of a source, (1, tokens, width) each: image and video, or audio; zeros for missing video and audio."""
        names = _states(source)
        parts = [part for name in names if (part := self._store.get((name, source), self.model.device)) is not None]
        if len(parts) < len(names):
            encoder, inputs = self._encoders.clip_encoder, self._inputs(source)
            if source.kind == "video":
                parts = [encoder.image(inputs["pixel_values"]), encoder.video_features(inputs["pixel_values_videos"])]
            else:
                parts = [encoder.audio_features(inputs["input_features"])]
            if not source.path:
                parts[-1] = torch.zeros_like(parts[-1])
            for name, part in zip(names, parts, strict=True):
                self._store.put((name, source), part)
        return parts

    def prompt(self, text: str, sources: Clip) -> Prompt:
        """The evaluation's prompt without the tokens that it masks; positions count from 0."""
        kinds = {source.kind for source in sources}
        ids = self.processor.encode_prompt(self._text(text, bool(sources)))
        tokens: list[Token] = []
        row = 0
        for id_, attended in zip(ids, self.processor.attention(ids, "video" in kinds, "audio" in kinds), strict=True):
            is_media = id_ == self.processor.config.media_token_id
            if attended:
                position = len(tokens)
                tokens.append(Token(id_, position, sources, row) if is_media else Token(id_, position))
            row += is_media
        return Prompt(tuple(tokens), len(tokens))


def _states(source: Source) -> tuple[str, ...]:
    """What version 2's encoders make of a source."""
    return ("image", "video") if source.kind == "video" else ("audio",)


VERSIONS: Mapping[int, type[EmotionLlamaBackbone]] = {1: EmotionLlamaBackbone1, 2: EmotionLlamaBackbone2}
"""The backbone of each version."""
