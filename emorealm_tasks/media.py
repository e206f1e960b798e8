"""A clip on disk -> frames, waveform, facts about it: the only place that decodes media.

Frames are sampled as the released code of AVERE samples them: evenly spaced indices cut to whole numbers. Which decoder
gives them:

- decord, which the released code uses, where it has wheels (Linux on x86-64);
- PyAV everywhere else, and where decord is missing or fails on a file.

On H.264 mp4 files as released (constant frame rate, no colour tags) both give the same pixels, and the same times
within a microsecond: `tests/unit/test_media.py` compares them. They are known to differ on files tagged BT.709.

Sound is read from wav files and from the sound track of
anything FFmpeg opens. Every failure is a `MediaError` that names the file and what to do.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
import soundfile

try:
    import decord

    decord.logging.set_level(decord.logging.FATAL)  # its C++ log would repeat on stderr what MediaError says
except ImportError:  # no wheel for this platform
    decord = None

Frame = TypeVar("Frame", av.VideoFrame, av.AudioFrame)
AUDIO_RATE = 16000  # Hz; what every audio tower here hears
_SOUNDFILE_SUFFIXES = {".wav", ".flac", ".ogg"}


class MediaError(Exception):
    """A clip that cannot be used; the message names the file and the remedy."""


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
    height: int
    audio_rate: int
    """Samples a second; 0 = no sound."""
    has_video: bool
    has_audio: bool


def probe(path: str | Path) -> ClipInfo:
    """Open `path`, decode the start of its video and sound, and say what it holds.

    A sound track or wav file without a single sample counts as no sound. Raises MediaError when the file is missing,
    empty, or nothing in it can be decoded.
    """
    with _opened(path) as container:
        video = next(iter(container.streams.video), None)
        audio = next(iter(container.streams.audio), None)
        seen = video if video is not None and next(_whole(container.decode(video)), None) is not None else None
        container.seek(0)
        heard = audio if audio is not None and _first_rate(container, audio) > 0 else None
        if seen is None and heard is None:
            raise MediaError(f"{path}: neither a picture nor a sound in it can be decoded; replace the file")
        fps = 0.0 if seen is None else float(seen.average_rate or 0)
        seconds = max(_stream_seconds(stream, container) for stream in (video, audio) if stream is not None)
        return ClipInfo(
            path=str(path),
            seconds=seconds,
            frames=0 if seen is None else seen.frames or round(seconds * fps),
            fps=fps,
            width=0 if seen is None else seen.width,
            height=0 if seen is None else seen.height,
            audio_rate=0 if heard is None else heard.rate,
            has_video=seen is not None,
            has_audio=heard is not None,
        )


def frame_indices(available: int, count: int) -> np.ndarray:
    """Evenly spaced frame numbers, linspace(0, available - 1, count) cut to int, shape (count,); short clips repeat."""
    return np.linspace(0, available - 1, count).astype(np.int64)


def read_frames(path: str | Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Decode `count` evenly spaced frames: uint8 RGB (count, height, width, 3) and their times in seconds (count,).

    A file cut short is sampled over the frames that do decode. Raises MediaError when there is none.
    """
    _check_file(path)
    if decord is None:
        return _read_frames_pyav(path, count)
    try:
        return _read_frames_decord(path, count)
    except (decord.DECORDError, IndexError, RuntimeError):  # a cut file, or a codec its old FFmpeg lacks
        return _read_frames_pyav(path, count)


def read_audio(path: str | Path, rate: int = AUDIO_RATE) -> np.ndarray:
    """The sound of `path` at `rate` samples a second: float32 (samples,) in [-1, 1].

    Of several channels the first is taken, as released (no mixing); another rate is resampled. Raises MediaError when
    there is no sound track or no sample in it.
    """
    _check_file(path)
    if Path(path).suffix.lower() in _SOUNDFILE_SUFFIXES:
        wave, found = _read_soundfile(path)
    else:
        wave, found = _read_track(path)
    if not len(wave):
        raise MediaError(f"{path}: its sound has zero length; extract or download it again")
    resampled: np.ndarray = np.clip(_resample(wave, found, rate), -1.0, 1.0)
    return resampled


def separate_wav(path: str | Path, cache: str | Path) -> Path:
    """The sound of `path` as a 16 kHz mono wav (PCM 16) under `cache`/wav, extracted once.

    The name is a digest of path, size and time of change, so a replaced clip gets a new wav; the file appears whole or
    not at all, so several processes may ask at once. Raises MediaError as `read_audio`.
    """
    _check_file(path)
    state = os.stat(path)
    identity = f"{Path(path).resolve()}|{state.st_size}|{state.st_mtime_ns}"
    target = Path(cache) / "wav" / f"{hashlib.sha256(identity.encode()).hexdigest()[:24]}.wav"
    if target.exists():
        return target
    wave = read_audio(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(suffix=".wav", dir=target.parent)
    os.close(handle)
    try:
        soundfile.write(draft, wave, AUDIO_RATE, subtype="PCM_16")
        os.replace(draft, target)
    finally:
        Path(draft).unlink(missing_ok=True)
    return target


def _check_file(path: str | Path) -> None:
    if not os.path.isfile(path):
        raise MediaError(f"{path}: no such file; check the data roots (emorealm check lists what is missing)")
    if os.path.getsize(path) == 0:
        raise MediaError(f"{path}: the file is empty; copy or download it again")


@contextmanager
def _opened(path: str | Path) -> Iterator[av.container.InputContainer]:
    """Open a container; every FFmpeg error inside the block becomes a MediaError."""
    _check_file(path)
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{path}: cannot be decoded ({reason}); copy or download it again") from error


def _whole(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Decoded frames of one stream, ending quietly where a cut or damaged file stops making sense."""
    while True:
        try:
            yield next(frames)
        except (StopIteration, av.error.InvalidDataError):
            return


def _first_rate(container: av.container.InputContainer, stream: av.audio.AudioStream) -> int:
    """Sample rate of the first block of sound that holds a sample; 0 when there is none."""
    return next((frame.sample_rate for frame in _whole(container.decode(stream)) if frame.samples), 0)


def _stream_seconds(stream: av.stream.Stream, container: av.container.InputContainer) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _read_frames_decord(path: str | Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    reader = decord.VideoReader(str(path), num_threads=1)
    indices = frame_indices(len(reader), count)
    frames = reader.get_batch(indices).asnumpy()
    return frames, np.asarray(reader.get_frame_timestamp(indices), np.float64)[:, 0]


def _read_frames_pyav(path: str | Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """As `read_frames`, decoding the stream twice: once to count what decodes, once to keep what is wanted."""
    with _opened(path) as container:
        stream = next(iter(container.streams.video), None)
        if stream is None:
            raise MediaError(f"{path}: there is no video track in it; a clip with picture is needed")
        available = sum(1 for _ in _whole(container.decode(stream)))
    if not available:
        raise MediaError(f"{path}: not one frame of its video can be decoded; copy or download it again")
    indices = frame_indices(available, count)
    kept: dict[int, tuple[np.ndarray, float]] = {}
    with _opened(path) as container:
        for number, frame in enumerate(_whole(container.decode(container.streams.video[0]))):
            if number in indices:
                kept[number] = frame.to_ndarray(format="rgb24"), float(frame.time or 0.0)
    return np.stack([kept[i][0] for i in indices]), np.array([kept[i][1] for i in indices], np.float64)


def _read_soundfile(path: str | Path) -> tuple[np.ndarray, int]:
    """First channel, float32 (samples,), and the rate the file is stored at."""
    try:
        wave, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise MediaError(f"{path}: not a readable sound file ({error}); extract or download it again") from error
    return np.ascontiguousarray(wave[:, 0]), rate


def _read_track(path: str | Path) -> tuple[np.ndarray, int]:
    """First channel of a container's first sound track, float32 (samples,), and its rate."""
    blocks: list[np.ndarray] = []
    with _opened(path) as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise MediaError(f"{path}: there is no sound track in it; use a clip with sound or put a wav beside it")
        rate = stream.rate
        planar = av.AudioResampler(format="fltp")  # same rate and channels, plain planes of floats
        for frame in _whole(container.decode(stream)):
            floats = [frame] if frame.format.name == "fltp" else planar.resample(frame)  # as AAC decodes: at once
            blocks += [block.to_ndarray()[0] for block in floats]
    return (np.concatenate(blocks) if blocks else np.zeros(0, np.float32)), rate


def _resample(wave: np.ndarray, found: int, wanted: int) -> np.ndarray:
    """Band-limited change of rate (FFmpeg's resampler): float32 (samples,) -> (about samples * wanted / found,)."""
    if found == wanted:
        return wave
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[None]), format="fltp", layout="mono")
    frame.sample_rate = found
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=wanted)
    blocks = resampler.resample(frame) + resampler.resample(None)
    return np.concatenate([block.to_ndarray()[0] for block in blocks])
