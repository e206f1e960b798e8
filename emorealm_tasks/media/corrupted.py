"""Clips whose picture or sound is replaced by noise or nothing, or damaged: files in the cache, each written once."""

import io
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from emorealm_tasks.media.altered import cached
from emorealm_tasks.media.audio import AUDIO_RATE, read_audio, wav_bytes
from emorealm_tasks.media.container import MediaError, opened
from emorealm_tasks.media.decoding import Decoding
from emorealm_tasks.media.video import Painter

SOUNDS = ("noise", "silence", "louder", "quieter", "codec")
"""How a sound can be corrupted."""
PICTURES = ("noise", "black", "codec")
"""How a picture can be corrupted."""
GAIN = 20.0
"""Decibels of louder (clipped at full scale) and quieter."""
_LEVEL = 0.1  # of noise that stands for silence
_SOUND_BITS = 8_000  # a second; the least that AAC takes at 16 kHz
_QUALITY = {"noise": "23", "black": "23", "codec": "51"}  # H.264's crf; 51 is its worst


def noise(wave: np.ndarray, seed: int) -> np.ndarray:
    """White noise as long and as loud (root mean square) as a sound, float32 in [-1, 1]; louder than nothing."""
    drawn = np.random.default_rng(seed).standard_normal(len(wave))
    level = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) or _LEVEL
    return np.clip(level * drawn, -1.0, 1.0).astype(np.float32)


def amplified(wave: np.ndarray, decibels: float) -> np.ndarray:
    """The sound at another level, clipped to [-1, 1]."""
    return np.clip(wave * 10 ** (decibels / 20), -1.0, 1.0).astype(np.float32)


def corrupted_sound(path: str | Path, how: str, seed: int, cache: str | Path) -> Path:
    """The sound of a file, corrupted in one of the ways of SOUNDS: a 16 kHz mono wav, `codec` an AAC file (mp4).

    seed: draws the noise. Raises MediaError, and KeyError for another way.
    """
    if how == "codec":
        return cached([path], f"sound codec {_SOUND_BITS}", ".m4a", cache, lambda: _as_aac(read_audio(path)))
    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "noise": lambda wave: noise(wave, seed),
        "silence": lambda wave: np.zeros_like(wave),
        "louder": lambda wave: amplified(wave, GAIN),
        "quieter": lambda wave: amplified(wave, -GAIN),
    }
    change = changes[how]
    name = f"sound {how} {seed if how == 'noise' else GAIN}"
    return cached([path], name, ".wav", cache, lambda: wav_bytes(change(read_audio(path))))


def corrupted_picture(path: str | Path, how: str, seed: int, cache: str | Path) -> Path:
    """The picture of a file, corrupted in one of the ways of PICTURES: an mp4 without sound, as many frames as before.

    An odd width or height loses its last line. seed: draws the noise. Raises MediaError, and KeyError for another way.
    """
    draws = np.random.default_rng(seed)
    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "noise": lambda frame: draws.integers(0, 256, frame.shape, dtype=np.uint8),
        "black": lambda frame: np.zeros_like(frame),
        "codec": lambda frame: frame,
    }
    change = changes[how]
    name = f"picture {how} {_QUALITY[how]} {seed if how == 'noise' else ''}"
    return cached([path], name, ".mp4", cache, lambda: _as_mp4(path, change, _QUALITY[how]))


def _as_aac(wave: np.ndarray) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as target:
        stream = target.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        stream.bit_rate = _SOUND_BITS
        block = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        block.sample_rate = AUDIO_RATE
        block.pts = 0  # without it the encoder's warm-up would be heard
        target.mux(stream.encode(block))
        target.mux(stream.encode(None))
    return file.getvalue()


def _as_mp4(path: str | Path, change: Callable[[np.ndarray], np.ndarray], quality: str) -> bytes:
    """The changed frames of a file, one in memory at a time, at the times they were shown at."""
    file = io.BytesIO()
    with opened(path) as source, av.open(file, "w", format="mp4") as target:
        track = source.picture()
        if track is None:
            raise MediaError(f"{path}: there is no video track in it; a clip with picture is needed")
        painter = Painter()
        # one thread: the same bytes every time; no B-frames: as many frames as were put in, in their order
        options = {"crf": quality, "preset": "veryfast", "threads": "1", "bf": "0"}
        stream = target.add_stream("h264", rate=track.average_rate or 25, options=options)
        stream.pix_fmt = "yuv420p"
        if track.time_base is not None:
            stream.codec_context.time_base = track.time_base
        last = None
        for frame in Decoding(source, track).pictures():
            if last is None:
                painter.size = frame.width, frame.height
            picture = change(painter.paint(frame))
            picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            if last is None:
                stream.height, stream.width = picture.shape[:2]
            new = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            shown = frame.pts or 0
            last = shown if last is None or shown > last else last + 1
            new.pts, new.time_base = last, stream.codec_context.time_base
            target.mux(stream.encode(new))
        if last is None:
            raise MediaError(f"{path}: not one frame of its video can be decoded; copy or download it again")
        target.mux(stream.encode(None))
    return file.getvalue()
