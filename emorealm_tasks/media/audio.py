"""The sound of a clip: first channel, on the picture's clock, at the rate asked for, block by block."""

import atexit
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame

from emorealm_tasks import files
from emorealm_tasks.errors import warn_once
from emorealm_tasks.media import tally
from emorealm_tasks.media.container import MediaError, Source, check_file, digest, identity, opened
from emorealm_tasks.media.decoding import Decoding

AUDIO_RATE = 16000  # Hz; what every audio tower here hears
_SCALES = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0}
_PLANES = 8  # PyAV reads beyond the end of its list of planes from here on
_JUMP = 0.015  # seconds between two blocks that are a gap; less is rounding of timestamps
_BLOCK = 1 << 16  # samples that are resampled at a time


def read_audio(path: str | Path, rate: int = AUDIO_RATE) -> np.ndarray:
    """The sound of `path` at `rate` samples a second: float32 (samples,) in [-1, 1].

    Of several channels the first is taken, as released (no mixing); another rate is resampled. Where the sound starts
    after the picture, or has a gap, there is silence. Raises MediaError when there is no sound track, and when it
    holds no samples or a NaN or infinite one.
    """
    with opened(path) as source:
        wave, read = track(source, rate)
    tally.keep("sound", path, read)
    return wave


def track(source: Source, rate: int) -> tuple[np.ndarray, tally.Tally]:
    """As `read_audio`, of an open container, and how much of it could be decoded."""
    path, stream = source.path, source.sound()
    if stream is None:
        raise MediaError(f"{path}: there is no sound track in it; use a clip with sound or put a wav beside it")
    decoding = Decoding(source, stream)
    resampler = Resampler(rate)
    blocks: list[np.ndarray] = []
    for samples, source_rate in _placed(decoding, source.zero()):
        blocks += resampler.push(samples, source_rate)
    blocks += resampler.flush()
    if not any(map(len, blocks)):
        if decoding.tally.damaged:
            raise MediaError(f"{path}: nothing of its sound can be decoded; extract or download it again")
        raise MediaError(f"{path}: its sound has zero length; extract or download it again")
    wave = np.concatenate(blocks)
    if not np.isfinite(wave).all():
        raise MediaError(f"{path}: samples of its sound are no numbers (NaN or infinite); extract it again")
    return np.clip(wave, -1.0, 1.0, out=wave), decoding.tally


def separate_wav(path: str | Path, cache: str | Path) -> Path:
    """The sound of `path` as a 16 kHz mono wav (PCM 16) under `cache`/wav, extracted once.

    The name is a digest of path, size and time of change, so a replaced clip gets a new wav; the file appears whole or
    not at all, so several processes may ask at once. Where the cache cannot be written, it lies in a folder of this
    process. Raises MediaError as `read_audio`, and where there is no room for the wav at all.
    """
    name = f"{digest(f'{_LAYOUT}|{identity(path)}')}.wav"
    target = Path(cache) / "wav" / name
    if _is_complete(target):
        return target
    if _spare and _is_complete(Path(_spare[0], name)):
        return Path(_spare[0], name)
    wave = read_audio(path)
    try:
        files.write_bytes(target, wav_bytes(wave))
    except OSError as error:
        warn_once(
            "wavs", f"{target.parent}: wavs are not kept ({error.strerror}); set EMOREALM_CACHE to another folder"
        )
        try:
            target = Path(_spare_folder(), name)
            files.write_bytes(target, wav_bytes(wave))
        except OSError as full:
            raise MediaError(f"{path}: there is no room for its sound as a wav ({full.strerror})") from None
    return target


_spare: list[str] = []


def _spare_folder() -> str:
    """Where this process keeps wavs that the cache cannot take; gone when it ends. Raises OSError."""
    if not _spare:
        _spare.append(tempfile.mkdtemp(prefix="emorealm-wav-"))
        atexit.register(_remove, _spare[0], os.getpid())
    return _spare[0]


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker inherits the hook
        shutil.rmtree(folder, ignore_errors=True)


def wav_bytes(wave: np.ndarray) -> bytes:
    """A sound at AUDIO_RATE, float32 (samples,), as a mono wav (PCM 16)."""
    data = io.BytesIO()
    soundfile.write(data, wave, AUDIO_RATE, subtype="PCM_16", format="WAV")
    return data.getvalue()


def _is_complete(wav: Path) -> bool:
    """Whether a kept wav is there and holds sound: whoever shares the folder may have damaged it."""
    try:
        return wav.is_file() and bool(soundfile.info(str(wav)).frames)
    except (soundfile.SoundFileError, OSError):
        return False


_LAYOUT = 2  # of the wavs: 1 did not keep the picture's clock


def as_wav(path: str | Path, cache: str | Path) -> Path:
    """A 16 kHz mono wav (PCM 16) with the sound of `path`: the file itself where it is one, whatever its name says.

    Raises MediaError as `read_audio`.
    """
    check_file(path)
    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, UnicodeError):
        return separate_wav(path, cache)
    found = info.format, info.subtype, info.samplerate, info.channels
    return Path(path) if found == ("WAV", "PCM_16", AUDIO_RATE, 1) else separate_wav(path, cache)


def _placed(decoding: Decoding, start: float) -> Iterator[tuple[np.ndarray, int]]:
    """(first channel float32 (samples,), its rate) block by block, on a clock that starts at second `start`."""
    path, most = decoding.source.path, decoding.source.settings.max_seconds
    channel = FirstChannel()
    unit = float(decoding.stream.time_base or 0)
    seconds_yielded = 0.0  # seconds given so far
    expected_begin = 0.0  # where the next block should begin, by the timestamp of the last
    for frame in decoding.sounds():
        rate = frame.sample_rate
        if not frame.samples or rate <= 0:
            continue
        samples = channel.of(frame)
        begin = seconds_yielded if frame.pts is None else frame.pts * unit - start
        if begin - max(expected_begin, seconds_yielded) > (_JUMP if seconds_yielded else 0.5 / rate):
            if begin > most:
                raise MediaError(f"{path}: its sound goes on beyond {most} s (EMOREALM_MAX_SECONDS); cut the file")
            for silence in _silence(round((begin - seconds_yielded) * rate)):
                yield silence, rate
            seconds_yielded = begin
        elif begin < 0 and not seconds_yielded:
            samples = samples[round(-begin * rate) :]
        expected_begin = begin + frame.samples / rate
        seconds_yielded += len(samples) / rate
        if seconds_yielded > most:
            raise MediaError(f"{path}: more than {most} s of sound (EMOREALM_MAX_SECONDS); cut the file")
        yield samples, rate


def _silence(samples: int) -> Iterator[np.ndarray]:
    for begin in range(0, samples, _BLOCK):
        yield np.zeros(min(_BLOCK, samples - begin), np.float32)


class FirstChannel:
    """Blocks of sound in any format -> their first channel as float32."""

    def __init__(self) -> None:
        self._packers: dict[tuple[str, str, int], av.AudioResampler] = {}

    def of(self, frame: AudioFrame) -> np.ndarray:
        """float32 (samples,), in [-1, 1] where the format is one of whole numbers."""
        if frame.format.name == "fltp" and frame.layout.nb_channels < _PLANES:  # as AAC decodes: at once
            floats: np.ndarray = frame.to_ndarray()[0]
            return floats
        kind = frame.format.name.removesuffix("p")
        channels = frame.layout.nb_channels
        if kind not in (*_SCALES, "flt", "dbl") or (frame.format.is_planar and channels >= _PLANES):
            return np.concatenate([np.zeros(0, np.float32), *map(self.of, self._packed(frame))])
        values = frame.to_ndarray()
        values = values[0] if frame.format.is_planar else values.reshape(-1, channels)[:, 0]
        if kind == "u8":
            values = values.astype(np.float32) - 128
        return np.asarray(values, np.float32) * np.float32(1 / _SCALES.get(kind, 1.0))

    def _packed(self, frame: AudioFrame) -> list[AudioFrame]:
        """The same sound as floats in one plane."""
        key = frame.format.name, frame.layout.name, frame.sample_rate
        packer = self._packers.setdefault(key, av.AudioResampler(format="flt"))
        packed: list[AudioFrame] = packer.resample(frame)
        return packed


class Resampler:
    """Band-limited change of rate (FFmpeg's resampler), holding back no more than a block."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._source_rate = rate
        self._waiting: list[np.ndarray] = []
        self._graph: av.AudioResampler | None = None

    def push(self, samples: np.ndarray, source_rate: int) -> list[np.ndarray]:
        """Float32 (samples,) at `source_rate` Hz, which may change on the way -> what is finished, at `rate`."""
        done = [] if source_rate == self._source_rate else self.flush()
        self._source_rate = source_rate
        if source_rate == self.rate:
            return [*done, samples]
        self._waiting.append(samples)
        return done + (self._resampled() if sum(map(len, self._waiting)) >= _BLOCK else [])

    def flush(self) -> list[np.ndarray]:
        """What was held back."""
        done = self._resampled()
        if self._graph is not None:
            done += [block.to_ndarray()[0] for block in self._graph.resample(None)]
            self._graph = None
        return done

    def _resampled(self) -> list[np.ndarray]:
        wave = np.concatenate([np.zeros(0, np.float32), *self._waiting])
        self._waiting = []
        if not len(wave):
            return []
        if self._graph is None:
            self._graph = av.AudioResampler(format="fltp", layout="mono", rate=self.rate)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate = self._source_rate
        return [block.to_ndarray()[0] for block in self._graph.resample(frame)]
