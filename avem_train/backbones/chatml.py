"""Families of transformers' own classes for training: prompts in the checkpoint's chat template, which is ChatML.

A family is one subclass: which classes and encoders it is made of, what its processor makes of a clip, what its
encoders make of that, and where its tokens stand. Video and sound stand in blocks of their own, in front of the text,
so that one can be replaced without the other. Prompts and media are made by the harness's own code, and `answering`
tells it to ask the trained model the same way. A response goes on one behind the prompt's last token, as in generation.
"""

from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from transformers import BatchFeature, PreTrainedModel, ProcessorMixin

from avem_train.backbones.base import Clip, FrozenEncoders, Prompt, UnreadableMedium, sources_of
from avem_train.data.negatives import altered
from avem_train.data.responses import Source
from avem_train.packing import attention
from avem_train.packing.tree import Position, Token
from emorealm_tasks import media
from emorealm_tasks.errors import stop
from model_adapters.avere.clips import FeatureStore
from model_adapters.base import weight_checks
from model_adapters.base.arguments import first_line
from model_adapters.base.decode_ahead import DecodeAhead
from model_adapters.base.frame_sampling import QWEN, ClipMedia, Sampling, read
from model_adapters.base.training_prompt import Answering
from model_adapters.base.transfer import to_device
from model_adapters.in_process.prompts import templated

ANSWERING = Answering(interleave=False, fps=QWEN.fps, frames=16, least=QWEN.least)
"""How families that see are asked: as in evaluation, but for blocks of their own, and for fewer frames, for memory."""
_TURN, _END = "<|im_start|>", "<|im_end|>"


class ChatMLBackbone:
    """See `base.Backbone`. A family fills in class attributes, `inputs`, `encoded`, `layout` and `positions`."""

    model_class: ClassVar[type[PreTrainedModel]]
    """Loads the weights."""
    processor_class: ClassVar[type[ProcessorMixin]]
    """Loads what prepares their inputs."""
    encoder_names: ClassVar[tuple[str, ...]]
    """The frozen modules, projectors among them, by their names beside the language model."""
    projector_names: ClassVar[tuple[str, ...]]
    """The last map of each encoder, likewise."""
    system: ClassVar[str | None] = None
    """The system text; None = the template's own."""
    answering: Mapping[str, Any] = MappingProxyType({})
    sampling: Sampling = QWEN

    def __init__(self, model: PreTrainedModel, processor: ProcessorMixin, folder: Path, cache_bytes: int) -> None:
        self.model: Any = model
        self.processor: Any = processor
        self.folder = folder
        rate = getattr(getattr(processor, "feature_extractor", None), "sampling_rate", media.AUDIO_RATE)
        self.sampling = replace(type(self).sampling, rate=rate)
        pictures = getattr(processor, "video_processor", None)
        described = f" {pictures.to_dict()}" if pictures else ""
        self.template = f"{self._chat('?', ('video', 'audio'))} {self.sampling}{described}"
        inner = self.model.model  # Omni's thinkers of transformers up to 5.20 have their encoders outside
        self.frozen = FrozenEncoders(inner if hasattr(inner, self.encoder_names[0]) else model, self.encoder_names)
        attention.install(model.get_decoder())
        self._store = FeatureStore[Source](cache_bytes)
        processor.tokenizer("")  # resets its padding and truncation: nothing changes it later, while threads share it
        self._ahead = DecodeAhead[Source, BatchFeature](self._decode, model.device)
        self._lengths: dict[Source, int] = {}
        self._layouts: dict[Source, Mapping[str, torch.Tensor]] = {}

    @classmethod
    def load(cls, folder: Path, device: torch.device, dtype: torch.dtype, cache_bytes: int, **options: Any) -> Self:
        """The model of a folder. Stops where it is not complete; `options` go to `from_pretrained`."""
        try:
            model: Any = weight_checks.load_whole(
                cls.model_class, str(folder), dtype=dtype, local_files_only=True, **options
            )
        except weight_checks.Unusable as error:
            stop(f"model={folder}: {error}; download it again, or name another folder")
        try:
            processor = cls.processor_class.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # of whatever kind the files are broken in
            stop(f"model={folder}: its processor cannot be loaded ({first_line(error)}); download it again")
        return cls(model.to(device).eval(), processor, folder, cache_bytes)

    @abstractmethod
    def inputs(self, prompt: str, clip_media: ClipMedia) -> BatchFeature:
        """What the processor makes of a prompt with the mark of one medium, and of that medium, as in evaluation."""

    @abstractmethod
    def encoded(self, source: Source, inputs: BatchFeature) -> torch.Tensor:
        """Features (see `encode`) of a source's inputs, its noise put on them first (`altered`)."""

    def layout(self, kind: str, inputs: BatchFeature) -> Mapping[str, torch.Tensor]:
        """What `positions` must know of a medium, by the names of the model's `get_rope_index`."""
        return {}

    def positions(self, ids: torch.Tensor, layout: Mapping[str, Any]) -> Sequence[Position]:
        """Where each token of a prompt stands: ids (1, tokens), `layout` of all its media. By default they count on."""
        return range(ids.shape[1])

    def seen(self, source: Source, inputs: BatchFeature) -> Any:
        """What an encoder `visual` gives for a video, with its noise."""
        visual, device = self.frozen.visual, self.model.device
        pixels = altered(inputs["pixel_values_videos"], source.noise)
        grid = to_device(inputs["video_grid_thw"], device)
        return visual(to_device(pixels, device, visual.dtype), grid_thw=grid)

    def encode(self, clips: Sequence[Clip]) -> dict[Hashable, torch.Tensor]:
        """See `base.Backbone`."""
        features: dict[Hashable, torch.Tensor] = {}
        for source in sources_of(clips):
            found = self._store.get(source, self.model.device)
            if found is None:
                try:
                    inputs = self._ahead.take(source)
                except media.MediaError as error:
                    raise UnreadableMedium(str(error)) from error
                self._learn(source, inputs)
                with self.frozen.gradients():
                    found = self.encoded(source, inputs)
                self._store.put(source, found)
            features[source] = found
        return features

    def _decode(self, source: Source) -> BatchFeature:
        """What threads do. Raises MediaError."""
        return self.inputs(self._mark(source.kind), read(source.files, self.sampling))

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Start decoding in threads."""
        self._ahead.start(source for source in sources if source not in self._store)

    def knows(self, clips: Sequence[Clip]) -> bool:
        """Where they were decoded once: how many tokens a medium has depends on what is in it."""
        unknown = [source for source in sources_of(clips) if source not in self._lengths]
        for source in unknown:
            if (inputs := self._ahead.ready(source)) is not None:
                self._learn(source, inputs)
        return all(source in self._lengths for source in unknown)

    def _learn(self, source: Source, inputs: BatchFeature) -> None:
        mark = self.processor.tokenizer.convert_tokens_to_ids(self._mark(source.kind))
        self._lengths[source] = int((inputs["input_ids"] == mark).sum())
        self._layouts[source] = self.layout(source.kind, inputs)

    def prompt(self, text: str, sources: Clip) -> Prompt:
        """The checkpoint's chat template; media in front of the text."""
        chat = self._chat(text, [source.kind for source in sources])
        media_ids: dict[int, Source] = {}
        layout: dict[str, torch.Tensor] = {}
        for source in sources:  # the first of its mark is the block's: the text stands behind
            mark = self._mark(source.kind)
            chat = chat.replace(mark, mark * self._lengths[source], 1)
            media_ids[self.processor.tokenizer.convert_tokens_to_ids(mark)] = source
            layout |= self._layouts[source]
        ids = self.processor.tokenizer(chat)["input_ids"]
        positions = self.positions(torch.tensor([ids]), layout)
        rows = dict.fromkeys(media_ids, 0)
        tokens = []
        for id_, position in zip(ids, positions, strict=True):
            if id_ in media_ids:
                tokens.append(Token(id_, position, media_ids[id_], rows[id_]))
                rows[id_] += 1
            else:
                tokens.append(Token(id_, position))
        last = positions[-1]
        return Prompt(tuple(tokens), 1 + (max(last) if isinstance(last, tuple) else last))

    def _chat(self, text: str, blocks: Sequence[str]) -> str:
        return templated(self.processor, blocks, text, self.system)

    def _mark(self, kind: str) -> str:
        mark: str = getattr(self.processor, f"{kind}_token")
        return mark

    def response(self, text: str) -> list[int]:
        """Ids of a response and of the mark that ends a turn."""
        tokenizer = self.processor.tokenizer
        return [*tokenizer.encode(text, add_special_tokens=False), tokenizer.convert_tokens_to_ids(_END)]

    def follow_up(self, text: str) -> list[int]:
        """Ids of another turn of the user, as the chat template writes it, behind the mark that ended the last one."""
        chat = self._chat(text, ())
        ids: list[int] = self.processor.tokenizer("\n" + chat[chat.rindex(f"{_TURN}user") :])["input_ids"]
        return ids

    @property
    def projectors(self) -> Sequence[str]:
        """See `base.Backbone`."""
        inside = "" if self.frozen.owner is self.model else "model."
        return tuple(f"{inside}{name}" for name in self.projector_names)

    def train_projectors(self) -> None:
        """See `base.Backbone`."""
        self.frozen.put_back()
        self._store = FeatureStore[Source](0)

    def close(self) -> None:
        """Put the encoders back; forget the features; end the decoding threads."""
        self._ahead.close()
        self._store = FeatureStore[Source](0)
        self.frozen.put_back()
        attention.remove(self.model.get_decoder())


def triples(positions: torch.Tensor) -> list[Position]:
    """Time, height and width (3, 1, tokens) -> those of each token."""
    return [(time, height, width) for time, height, width in positions[:, 0].T.tolist()]
