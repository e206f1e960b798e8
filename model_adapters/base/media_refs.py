"""What a question is asked about, by file names alone: nothing is decoded here, nothing heavy is imported."""

from typing import Literal, NamedTuple


class Medium(NamedTuple):
    """One file through one tower."""

    kind: Literal["video", "audio"]
    path: str


class NoisedMedium(NamedTuple):
    """One file through one tower, with diffusion noise of a `step` on what the tower takes."""

    kind: Literal["video", "audio"]
    path: str
    step: int


AnyMedium = Medium | NoisedMedium


class Clip(NamedTuple):
    """A video and a sound (which may live in the same file), either or neither."""

    video: str | None
    audio: str | None

    @property
    def media(self) -> list[Medium]:
        """The one or two files, video first; empty for a blind question."""
        seen = [] if self.video is None else [Medium("video", self.video)]
        return seen if self.audio is None else [*seen, Medium("audio", self.audio)]
