"""The files that a question is about. Nothing is decoded here, and nothing heavy is imported."""

from typing import Literal, NamedTuple


class MediaFile(NamedTuple):
    """A file for one encoder."""

    kind: Literal["video", "audio"]
    """Which encoder reads it."""
    path: str
    """Where it lies."""


class NoisedMediaFile(NamedTuple):
    """A file for one encoder, with diffusion noise on the encoder's input."""

    kind: Literal["video", "audio"]
    """Which encoder reads it."""
    path: str
    """Where it lies."""
    step: int
    """Diffusion step, 0 to DIFFUSION_STEPS - 1: the larger, the more noise."""


AnyMediaFile = MediaFile | NoisedMediaFile


class ClipFiles(NamedTuple):
    """A video and a sound (which may live in the same file), either or neither."""

    video: str | None
    """Path of the picture, None = no picture."""
    audio: str | None
    """Path of the sound, which may be the same file; None = no sound."""

    @property
    def media(self) -> list[MediaFile]:
        """The one or two files, video first; empty for a blind question."""
        video = [] if self.video is None else [MediaFile("video", self.video)]
        return video if self.audio is None else [*video, MediaFile("audio", self.audio)]

    @property
    def kinds(self) -> str:
        """Which media there are: "av", "a", "v" or ""."""
        return "a" * (self.audio is not None) + "v" * (self.video is not None)
