"""What a question is asked about, by file names alone: nothing is decoded here, nothing heavy is imported."""

from typing import Literal, NamedTuple


class MediaFile(NamedTuple):
    """A file for one encoder."""

    kind: Literal["video", "audio"]
    path: str


class NoisedMediaFile(NamedTuple):
    """A file for one encoder, with diffusion noise of a `step` on the encoder's input."""

    kind: Literal["video", "audio"]
    path: str
    step: int


AnyMediaFile = MediaFile | NoisedMediaFile


class ClipFiles(NamedTuple):
    """A video and a sound (which may live in the same file), either or neither."""

    video: str | None
    audio: str | None

    @property
    def media(self) -> list[MediaFile]:
        """The one or two files, video first; empty for a blind question."""
        seen = [] if self.video is None else [MediaFile("video", self.video)]
        return seen if self.audio is None else [*seen, MediaFile("audio", self.audio)]
