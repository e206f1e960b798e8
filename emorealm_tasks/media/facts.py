"""What is in a file: in a glance, or decoded from end to end."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from emorealm_tasks.media import tally
from emorealm_tasks.media.audio import AUDIO_RATE, track
from emorealm_tasks.media.container import MediaError, opened
from emorealm_tasks.media.decoding import Decoding
from emorealm_tasks.media.video import Film

Result = TypeVar("Result")


@dataclass(frozen=True)
class ClipInfo:
    """What a container says of itself, once a first frame and a first block of sound have really been decoded."""

    path: str
    """The file, as it was named."""
    seconds: float
    """Length of the longest stream."""
    frames: int
    """As the container states it (0 without video); a cut file may hold fewer."""
    fps: float
    """Frames a second."""
    width: int
    """Of an upright picture."""
    height: int
    """Of an upright picture, pixels; 0 without video."""
    audio_rate: int
    """Samples a second; 0 = no sound."""
    has_video: bool
    """Whether a first frame could be decoded."""
    has_audio: bool
    """Whether a first block of sound could be decoded."""


@dataclass(frozen=True)
class Examination:
    """What of a file can be used, after all of it was decoded."""

    video: bool
    """Whether its picture can be used."""
    audio: bool
    """Whether its sound can be used."""
    no_video: str
    """Why its picture cannot be used though there is one, else ""."""
    no_audio: str
    """Why its sound cannot be used though there is some, else ""."""
    report: tally.Report
    """How much of its tracks was decoded."""


def probe(path: str | Path) -> ClipInfo:
    """Open `path`, decode the start of its video and sound, and say what it holds.

    A track without a single frame or sample, or of an unknown codec, counts as none. Raises MediaError when the file is
    missing, empty, or nothing in it can be decoded.
    """
    film, no_video = _or_reason(_glance, path)
    sound, no_audio = _or_reason(_earshot, path)
    if film is None and sound is None:
        nothing = f"{path}: neither a picture nor a sound in it can be decoded; replace the file"
        raise MediaError(no_video or no_audio or nothing)
    seconds, frames, fps, width, height = film or (0.0, 0, 0.0, 0, 0)
    length, rate = sound or (0.0, 0)
    return ClipInfo(
        str(path), max(seconds, length), frames, fps, width, height, rate, film is not None, sound is not None
    )


@cache
def has_sound(path: str | Path, unreadable: bool) -> bool:
    """Whether a file can be heard; `unreadable` answers for one that cannot be read: its decoder will report it."""
    try:
        return probe(path).has_audio
    except MediaError:
        return unreadable


def examine(path: str | Path) -> Examination:
    """Decode all of a file as a run would. Raises MediaError when it cannot be opened, or nothing in it can be used."""
    picture, no_video = _or_reason(_film, path)
    sound, no_audio = _or_reason(_sound, path)
    tallies = [one for one in (picture, sound) if one is not None]
    if not tallies:
        nothing = f"{path}: neither a picture nor a sound in it can be decoded; replace the file"
        raise MediaError(no_video or no_audio or nothing)
    return Examination(picture is not None, sound is not None, no_video, no_audio, tally.summed(tallies))


def _or_reason(read: Callable[[str | Path], Result | None], path: str | Path) -> tuple[Result | None, str]:
    """What was found, and why there is nothing where there should be something."""
    try:
        return read(path), ""
    except MediaError as error:
        return None, str(error)


def _glance(path: str | Path) -> tuple[float, int, float, int, int] | None:
    """Seconds, frames, frames a second, width and height of a picture whose first frame decodes."""
    with opened(path) as source:
        stream = source.picture()
        size = (0, 0) if stream is None else Film(source).size()
        if stream is None or not any(size):
            return None
        seconds, fps = source.seconds(stream), float(stream.average_rate or 0)
        return seconds, stream.frames or round(seconds * fps), fps, *size


def _earshot(path: str | Path) -> tuple[float, int] | None:
    """Seconds and samples a second of a sound whose first block decodes."""
    with opened(path) as source:
        stream = source.sound()
        if stream is None:
            return None
        rate = next((block.sample_rate for block in Decoding(source, stream).sounds() if block.samples), 0)
        return (source.seconds(stream), rate) if rate else None


def _film(path: str | Path) -> tally.Tally | None:
    with opened(path) as source:
        if source.picture() is None:
            return None
        film = Film(source)
        film.decode(set())
        return film.tally


def _sound(path: str | Path) -> tally.Tally | None:
    with opened(path) as source:
        return track(source, AUDIO_RATE)[1] if source.sound() is not None else None
