"""Opening a file: what is refused before anything is decoded, which of its tracks count, and when its clock starts."""

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from emorealm_tasks.settings import Settings, load

Track = TypeVar("Track", VideoStream, AudioStream)
_NO_FILM = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
_PRIMING = 0.1  # seconds that a sound may begin before its picture because its encoder warms up


class MediaError(Exception):
    """A clip that cannot be used; the message names the file and the remedy."""


def check_file(path: str | Path) -> None:
    """Raise MediaError unless `path` is a file with something in it; a pipe, a device or a folder is none."""
    try:
        is_file = os.path.isfile(path)
    except ValueError:  # a NUL byte in the name
        is_file = False
    if not is_file:
        what = "is no file but a pipe, device or folder" if _exists(path) else "no such file"
        raise MediaError(f"{path}: {what}; check the data roots (emorealm check lists what is missing)")
    if os.path.getsize(path) == 0:
        raise MediaError(f"{path}: the file is empty; copy or download it again")


@dataclass(frozen=True)
class Source:
    """An open file, and the settings it is read by."""

    container: InputContainer
    """PyAV's handle."""
    path: str | Path
    """Where the file lies, for messages."""
    settings: Settings
    """How much is decoded, and with what."""

    def picture(self) -> VideoStream | None:
        """The video track that a player shows, ready to be decoded; None where there is none.

        A cover is no video. Raises MediaError where no decoder is known for it, or its header is beyond the limits.
        """
        films = [stream for stream in self.container.streams.video if not stream.disposition & _NO_FILM]
        if not films:
            return None
        stream = _preferred(films, self.path, "video")
        most, width, height = self.settings.max_pixels, stream.width, stream.height
        if width * height > most:
            self._refuse(f"{width} x {height} pixels", f"{most} pixels (EMOREALM_MAX_PIXELS)")
        if stream.frames > self.settings.max_frames:
            self._refuse(f"{stream.frames} frames", f"{self.settings.max_frames} (EMOREALM_MAX_FRAMES)")
        self._refuse_long(stream)
        stream.codec_context.options = {"max_pixels": str(most)}
        stream.codec_context.thread_count = 1  # callers decode several clips at a time
        return stream

    def sound(self) -> AudioStream | None:
        """The sound track that a player plays, ready to be decoded; None where there is none. Raises MediaError."""
        if not self.container.streams.audio:
            return None
        stream = _preferred(self.container.streams.audio, self.path, "sound")
        self._refuse_long(stream)
        stream.codec_context.thread_count = 1
        return stream

    def zero(self) -> float:
        """Second of the container's clock at which a player starts.

        The earlier start of picture and sound, and not before the container's own 0; but a sound that begins a moment
        before its picture is an encoder warming up, which players do not let be heard.
        """
        picture_start, sound_start = _start(self.picture), _start(self.sound)
        if (
            picture_start is not None
            and sound_start is not None
            and sound_start < picture_start <= sound_start + _PRIMING
        ):
            return max(0.0, picture_start)
        return max(0.0, min((start for start in (picture_start, sound_start) if start is not None), default=0.0))

    def seconds(self, stream: Stream) -> float:
        """Length of a track as the header states it, of the whole file where the track says nothing; 0 = unknown."""
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return (self.container.duration or 0) / av.time_base

    def _refuse_long(self, stream: Stream) -> None:
        seconds = self.seconds(stream)
        if seconds > self.settings.max_seconds:
            self._refuse(f"{seconds:.0f} seconds", f"{self.settings.max_seconds} (EMOREALM_MAX_SECONDS)")

    def _refuse(self, what: str, limit: str) -> NoReturn:
        raise MediaError(f"{self.path}: its header says {what}, above the limit of {limit}; cut or replace the file")


@contextmanager
def opened(path: str | Path) -> Iterator[Source]:
    """Open a file; every error of FFmpeg inside the block becomes a MediaError.

    Only this file is opened, whatever it names. Titles need not be UTF-8. No `options` are passed: PyAV would
    write beyond its list of them where tracks turn up late (flv, mpg).
    """
    check_file(path)
    settings = load()
    try:
        with (
            _source(path) as source,
            av.open(
                source,
                "r",
                container_options={"protocol_whitelist": "file"},
                metadata_errors="replace",
            ) as container,
        ):
            yield Source(container, path, settings)
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MediaError(f"{path}: cannot be decoded ({reason}); copy or download it again") from error


def identity(path: str | Path) -> str:
    """Path, size and time of change of a file, for the names of what is made of it. Raises MediaError."""
    check_file(path)
    state = os.stat(path)
    return f"{Path(path).resolve()}|{state.st_size}|{state.st_mtime_ns}"


def digest(text: str) -> str:
    """24 hexadecimal digits that name a file in the cache, by what it is made of."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]


def copied_picture(path: str | Path, wave: np.ndarray | None = None, rate: int = 0) -> bytes:
    """The film of a file as an mp4, its pictures copied as they are encoded; with a mono sound (AAC) if one is given.

    wave: float32 (samples,) at `rate` Hz. Raises MediaError.
    """
    file = io.BytesIO()
    with opened(path) as source:
        stream = source.picture()
        if stream is None:
            raise MediaError(f"{path}: its video cannot be copied (it has none); copy or download it again")
        try:
            with av.open(file, "w", format="mp4") as target:
                copied = target.add_stream_from_template(stream)
                sound = None if wave is None else target.add_stream("aac", rate=rate, layout="mono")
                for packet in source.container.demux(stream):
                    if packet.dts is not None:
                        packet.stream = copied
                        target.mux(packet)
                if wave is not None and sound is not None:
                    block = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                    block.sample_rate = rate
                    target.mux(sound.encode(block))
                    target.mux(sound.encode(None))
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"{path}: its video cannot be copied ({error}); copy or download it again") from error
    return file.getvalue()


def _exists(path: str | Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


@contextmanager
def _source(path: str | Path) -> Iterator[str | io.BufferedReader]:
    """What PyAV opens: `file:` and the name, since a colon in a name is no protocol; else the open file."""
    name = f"file:{path}"
    try:
        name.encode()
    except UnicodeEncodeError:  # a name in another encoding than UTF-8
        with open(path, "rb") as file:
            yield file
    else:
        yield name


def _preferred(streams: Sequence[Track], path: str | Path, what: str) -> Track:
    """The default track, else the first, of those that can be decoded at all."""
    decodable = [stream for stream in streams if stream.codec_context is not None]  # decoding another ends the process
    if not decodable:
        raise MediaError(f"{path}: no decoder is known for its {what} track; convert the file")
    return next((stream for stream in decodable if stream.disposition & Disposition.default), decodable[0])


def _start(track: Callable[[], VideoStream | AudioStream | None]) -> float | None:
    """Second at which a track starts; None where there is none, or one that cannot be read."""
    try:
        stream = track()
    except MediaError:  # its own reader will say so
        return None
    if stream is None or stream.start_time is None or stream.time_base is None:
        return None
    return float(stream.start_time * stream.time_base)
