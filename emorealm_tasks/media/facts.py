"""What is in a file: in a glance, or decoded from end to end."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emorealm_tasks.media import tally
from emorealm_tasks.media.audio import AUDIO_RATE, track
from emorealm_tasks.media.container import MediaError, opened
from emorealm_tasks.media.decoding import Decoding
from emorealm_tasks.media.video import Film


@dataclass(frozen=True)
class ClipInfo:
    """What a container says of itself, once a first frame and a first block of sound have really been decoded."""

    path: str
    seconds: float
    """Length of the longest stream."""
    frames: int
    """As the container states it (0 without video); a cut file may hold fewer."""
    fps: float
    width: int
    """Of an upright picture."""
    height: int
    audio_rate: int
    """Samples a second; 0 = no sound."""
    has_video: bool
    has_audio: bool


@dataclass(frozen=True)
class Examined:
    """What of a file can be used, after all of it was decoded."""

    video: bool
    audio: bool
    no_video: str
    """Why its picture cannot be used though there is one, else ""."""
    no_audio: str
    report: tally.Report


def probe(path: str | Path) -> ClipInfo:
    """Open `path`, decode the start of its video and sound, and say what it holds.

    A sound track or wav file without a single sample counts as no sound. Raises MediaError when the file is missing,
    empty, or nothing in it can be decoded.
    """
    size, rate, frames, fps, lengths = (0, 0), 0, 0, 0.0, [0.0]
    with opened(path) as source:
        film = source.picture()
        if film is not None and any(size := Film(source).size()):
            lengths.append(source.seconds(film))
            fps = float(film.average_rate or 0)
            frames = film.frames or round(lengths[-1] * fps)
    with opened(path) as source:
        heard = source.sound()
        if heard is not None:
            blocks = Decoding(source, heard).sounds()
            rate = next((block.sample_rate for block in blocks if block.samples), 0)
            lengths.append(source.seconds(heard))
    if not any(size) and not rate:
        raise MediaError(f"{path}: neither a picture nor a sound in it can be decoded; replace the file")
    return ClipInfo(str(path), max(lengths), frames, fps, *size, rate, has_video=any(size), has_audio=rate > 0)


def examine(path: str | Path) -> Examined:
    """Decode all of a file as a run would. Raises MediaError when it cannot be opened, or nothing in it can be used."""
    with opened(path) as source:
        has = bool(source.container.streams.video), bool(source.container.streams.audio)
    seen, no_video = _tried(_film, path) if has[0] else (None, "")
    heard, no_audio = _tried(_sound, path) if has[1] else (None, "")
    tallies = [one for one in (seen, heard) if one is not None]
    if not tallies:
        nothing = f"{path}: neither a picture nor a sound in it can be decoded; replace the file"
        raise MediaError(no_video or no_audio or nothing)
    return Examined(seen is not None, heard is not None, no_video, no_audio, tally.summed(tallies))


def _tried(read: Callable[[str | Path], tally.Tally | None], path: str | Path) -> tuple[tally.Tally | None, str]:
    try:
        return read(path), ""
    except MediaError as error:
        return None, str(error)


def _film(path: str | Path) -> tally.Tally | None:
    with opened(path) as source:
        if source.picture() is None:  # a cover only
            return None
        film = Film(source)
        film.decode(set())
        return film.tally


def _sound(path: str | Path) -> tally.Tally:
    with opened(path) as source:
        return track(source, AUDIO_RATE)[1]
