"""A clip on disk -> the frames and the waveform that a processor of transformers is handed.

Clips are decoded one after the other in order of the questions; the last few stay in memory, so that the questions
about one clip decode it once.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emorealm_tasks import media
from model_adapters.base.media_refs import ClipFiles

_CACHED_CLIPS = 4


@dataclass(frozen=True)
class Sampling:
    """How many frames of a video are taken, evenly spaced over all of it."""

    fps: float
    """Frames a second of video; 0 = always `most`."""
    most: int
    """The most frames."""
    least: int = 1
    """The fewest frames."""
    multiple: int = 1
    """Their number is rounded down to a multiple of it, for models that merge frames in pairs."""
    rate: int = media.AUDIO_RATE
    """Hz of the sound."""

    def count(self, seconds: float) -> int:
        """Frames taken of a video that lasts `seconds`."""
        by_rate = self.multiple * int(seconds * self.fps // self.multiple) if self.fps else self.most
        highest = max(self.multiple, self.most // self.multiple * self.multiple)
        return min(max(by_rate, self.least, self.multiple), highest)


QWEN = Sampling(fps=2.0, most=768, least=4, multiple=2)
"""As Qwen's official code samples."""


class VideoFrames(NamedTuple):
    """Frames of a video."""

    frames: np.ndarray
    """uint8 (frames, height, width, 3)."""
    times: np.ndarray
    """In seconds."""
    fps: float
    """How many of them there are a second."""


class ClipMedia(NamedTuple):
    """The decoded media of a clip."""

    video: VideoFrames | None
    """None where the clip has no picture, or the model takes none."""
    audio: np.ndarray | None
    """Waveform float32 (samples,), None as for `video`."""


def read(clip: ClipFiles, sampling: Sampling) -> ClipMedia:
    """Decode a clip. Raises MediaError."""
    return ClipMedia(
        _frames(clip.video, sampling) if clip.video else None,
        media.read_audio(clip.audio, sampling.rate) if clip.audio else None,
    )


def _frames(path: str, sampling: Sampling) -> VideoFrames:
    seconds = media.probe(path).seconds
    frames, times = media.read_frames(path, sampling.count(seconds))
    span = float(times[-1] - times[0])
    fps = (len(frames) - 1) / span if span > 0 else len(frames) / max(seconds, 1e-3)
    return VideoFrames(frames, times, fps)


class ClipReader:
    """`read`, or another way to decode a clip, with the last few clips cached; not for several threads at once."""

    def __init__(self, sampling: Sampling, decode: Callable[[ClipFiles, Sampling], ClipMedia] = read) -> None:
        self.sampling = sampling
        self._decode = decode
        self._cached: OrderedDict[ClipFiles, ClipMedia] = OrderedDict()

    def __call__(self, clip: ClipFiles) -> ClipMedia:
        """The clip's media. Raises MediaError."""
        if clip not in self._cached:
            self._cached[clip] = self._decode(clip, self.sampling)
            if len(self._cached) > _CACHED_CLIPS:
                self._cached.popitem(last=False)
        return self._cached[clip]
