"""A clip on disk -> the frames and the waveform that a processor of transformers is handed.

Clips are decoded one after the other in order of the questions; the last few stay in memory, so that the questions
about one clip decode it once.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emorealm_tasks import media
from model_adapters.base.media_refs import ClipFiles

_KEPT = 4


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
        wanted = self.multiple * int(seconds * self.fps // self.multiple) if self.fps else self.most
        highest = max(self.multiple, self.most // self.multiple * self.multiple)
        return min(max(wanted, self.least, self.multiple), highest)


QWEN = Sampling(fps=2.0, most=768, least=4, multiple=2)
"""As Qwen's official code samples."""


class Seen(NamedTuple):
    """Frames of a video."""

    frames: np.ndarray
    """uint8 (frames, height, width, 3)."""
    times: np.ndarray
    """In seconds."""
    fps: float
    """How many of them there are a second."""


class Given(NamedTuple):
    """What is handed over of a clip: frames or None, waveform float32 (samples,) or None."""

    seen: Seen | None
    heard: np.ndarray | None


def read(clip: ClipFiles, sampling: Sampling) -> Given:
    """Decode a clip. Raises MediaError."""
    return Given(
        _frames(clip.video, sampling) if clip.video else None,
        media.read_audio(clip.audio, sampling.rate) if clip.audio else None,
    )


def _frames(path: str, sampling: Sampling) -> Seen:
    seconds = media.probe(path).seconds
    frames, times = media.read_frames(path, sampling.count(seconds))
    span = float(times[-1] - times[0])
    fps = (len(frames) - 1) / span if span > 0 else len(frames) / max(seconds, 1e-3)
    return Seen(frames, times, fps)


class ClipReader:
    """`read`, with the last few clips kept; not for several threads at once."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._kept: OrderedDict[ClipFiles, Given] = OrderedDict()

    def __call__(self, clip: ClipFiles) -> Given:
        """The clip's media. Raises MediaError."""
        if clip not in self._kept:
            self._kept[clip] = read(clip, self.sampling)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[clip]
