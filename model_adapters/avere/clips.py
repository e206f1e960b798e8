"""Media of a run -> projected features, each file decoded once and encoded once however many questions ask about it.

A few threads decode files ahead of the model. Features are cached up to a number of bytes, and the least recently used
are dropped first: memory stays bounded over any number of clips, and a later task of the run can use them again.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import torch

from emorealm_tasks import media
from emorealm_tasks.untrusted import brief
from model_adapters.base.decode_ahead import DecodeAhead
from model_adapters.base.media_refs import AnyMediaFile, NoisedMediaFile
from model_adapters.base.transfer import HostCopy, host_bytes, to_device
from model_adapters.decoding.contrastive import noise_seed
from model_adapters.decoding.diffusion import diffused

if TYPE_CHECKING:
    from .processing import AvereProcessor


class TowerInput(Protocol):
    """What goes through an encoder; also the key of its features in the cache."""

    @property
    def kind(self) -> Literal["video", "audio"]:
        """Through which encoder."""

    def __hash__(self) -> int: ...


class Towers(Protocol):
    """AVERE's model, or its encoders and projectors alone."""

    @property
    def device(self) -> torch.device:
        """Where they are."""

    @property
    def dtype(self) -> torch.dtype:
        """Of their weights."""

    def get_video_features(self, pixel_values_videos: torch.Tensor) -> torch.Tensor:
        """See `AvereModel`."""

    def get_audio_features(self, input_features: torch.Tensor) -> torch.Tensor:
        """See `AvereModel`."""


Input = TypeVar("Input", bound=TowerInput)
Model = TypeVar("Model", bound=Towers)


@dataclass(frozen=True)
class Decoded:
    """A medium as its encoder takes it, and what the media log records of it."""

    values: torch.Tensor
    """Pixels (frames, 3, size, size) or log-mel (bins, mel frames), float32."""
    media_facts: dict[str, Any]
    """`frames` and their `times` in seconds, or `audio_seconds`."""


class FeatureStore(Generic[Input]):
    """Tensors by medium on the host, at most `budget` bytes of them, least recently used first out."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self._cached: OrderedDict[Input, tuple[HostCopy, int]] = OrderedDict()

    def __contains__(self, medium: Input) -> bool:
        return medium in self._cached

    def get(self, medium: Input, device: torch.device) -> torch.Tensor | None:
        """The features on `device`, now the most recently used, or None; not to be changed."""
        if medium not in self._cached:
            return None
        self._cached.move_to_end(medium)
        return self._cached[medium][0].on(device)

    def put(self, medium: Input, features: torch.Tensor) -> None:
        """Keep `features`; one tensor larger than the whole budget is not kept."""
        size = host_bytes(features)
        if medium in self._cached or size > self.budget:
            return
        self._cached[medium] = HostCopy(features), size
        self.bytes += size
        while self.bytes > self.budget:
            _, (_, dropped) = self._cached.popitem(last=False)
            self.bytes -= dropped


class MediaEncoder(Generic[Model, Input]):
    """Decodes ahead in threads, encodes in batches, remembers features, failures and what was given.

    `failures` holds a message for each medium that could not be read; `given` the facts of each that could. `read`
    (default: `decode`) takes the processor and a medium; with another one media may be of any hashable type with a
    `kind`.
    """

    def __init__(
        self,
        model: Model,
        processor: "AvereProcessor",
        budget: int,
        read: "Callable[[AvereProcessor, Input], Decoded] | None" = None,
    ) -> None:
        self.model = model
        self.processor = processor
        self.store = FeatureStore[Input](budget)
        self.failures: dict[Input, str] = {}
        self.media_facts: dict[Input, dict[str, Any]] = {}
        reading: Any = read or decode  # without `read` media are what `decode` takes
        self._ahead = DecodeAhead[Input, Decoded](partial(reading, processor), model.device)

    def prefetch(self, media_inputs: Iterable[Input]) -> None:
        """Start decoding what is neither encoded nor under way nor known to fail."""
        self._ahead.start(one for one in media_inputs if one not in self.store and one not in self.failures)

    def encode(self, media_inputs: Sequence[Input]) -> dict[Input, torch.Tensor]:
        """Features (tokens, hidden) of every readable medium on the model's device; the rest lands in `failures`."""
        media_inputs = list(dict.fromkeys(media_inputs))
        device = self.model.device
        features = {m: kept for m in media_inputs if (kept := self.store.get(m, device)) is not None}
        uncached = [medium for medium in media_inputs if medium not in features]
        self.prefetch(uncached)
        decoded = {medium: values for medium in uncached if (values := self.decoded(medium)) is not None}
        for kind, encoder in (("video", self.model.get_video_features), ("audio", self.model.get_audio_features)):
            batch = [medium for medium in decoded if medium.kind == kind]
            if batch:
                features |= zip(batch, self._through(encoder, [decoded[medium] for medium in batch]), strict=True)
        for medium in decoded:
            self.store.put(medium, features[medium])
        return features

    @torch.inference_mode()
    def _through(self, encoder: Callable[[torch.Tensor], torch.Tensor], batch: list[torch.Tensor]) -> torch.Tensor:
        return encoder(to_device(torch.stack(batch), self.model.device, self.model.dtype))

    def decoded(self, medium: Input) -> torch.Tensor | None:
        """Wait for a decoding, started by `prefetch` or not; None after noting why it failed (now or before)."""
        if medium in self.failures:
            return None
        try:
            decoded = self._ahead.take(medium)
        except Exception as error:  # of a file as nobody expects it: it costs the questions about it
            is_media_error = isinstance(error, media.MediaError)
            self.failures[medium] = str(error) if is_media_error else f"{type(error).__name__}: {brief(error)}"
            return None
        self.media_facts[medium] = decoded.media_facts
        return decoded.values

    def close(self) -> None:
        """End the threads and forget everything held."""
        self._ahead.close()
        self.store = FeatureStore[Input](0)


def decode(processor: "AvereProcessor", medium: AnyMediaFile) -> Decoded:
    """Read one medium from disk and prepare it for its encoder, noise included; raises MediaError."""
    decoded = _decode_clean(processor, medium)
    if isinstance(medium, NoisedMediaFile):
        decoded = replace(decoded, values=diffused(decoded.values, medium.step, noise_seed(medium.kind)))
    return decoded


def _decode_clean(processor: "AvereProcessor", medium: AnyMediaFile) -> Decoded:
    if medium.kind == "video":
        frames, times = media.read_frames(medium.path, processor.config.vision_config.num_frames)
        return Decoded(processor.pixel_values(frames), {"frames": len(frames), "times": times.tolist()})
    wave = media.read_audio(medium.path)
    audio_seconds = min(len(wave) / media.AUDIO_RATE, processor.config.audio_config.window_seconds)
    return Decoded(processor.input_features(wave), {"audio_seconds": audio_seconds})
