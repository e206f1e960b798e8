"""Clips with one track taken out or exchanged: files in the cache, each written once.

The same file altered in the same way has the same name and content; the name is a digest of path, size, time of change
and the alteration. A file appears whole or not at all, so several processes may ask at once.
"""

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import av

from emorealm_tasks import files
from emorealm_tasks.media.audio import AUDIO_RATE, read_audio
from emorealm_tasks.media.container import MediaError, check_file, copied_picture, opened

_LAYOUT = 1  # raised whenever an alteration gives other content


def film_alone(path: str | Path, cache: str | Path) -> Path:
    """The picture of a file as an mp4 without sound, copied as it is encoded. Raises MediaError."""
    return cached([path], "film", ".mp4", cache, lambda: copied_picture(path))


def joined(video: str | Path, audio: str | Path, cache: str | Path) -> Path:
    """One mp4 of the picture of `video`, copied as it is encoded, and the sound of `audio` (AAC). Raises MediaError."""
    return cached([video, audio], "joined", ".mp4", cache, lambda: _joined(video, audio))


def _joined(video: str | Path, audio: str | Path) -> bytes:
    wave, file = read_audio(audio), io.BytesIO()
    with opened(video) as source:
        stream = source.picture()
        if stream is None:
            raise MediaError(f"{video}: its video cannot be copied (it has none); copy or download it again")
        try:
            with av.open(file, "w", format="mp4") as target:
                picture = target.add_stream_from_template(stream)
                sound = target.add_stream("aac", rate=AUDIO_RATE, layout="mono")
                for packet in source.container.demux(stream):
                    if packet.dts is not None:
                        packet.stream = picture
                        target.mux(packet)
                block = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                block.sample_rate = AUDIO_RATE
                target.mux(sound.encode(block))
                target.mux(sound.encode(None))
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"{video}: its video cannot be copied ({error}); copy or download it again") from error
    return file.getvalue()


def cached(sources: list[str | Path], how: str, suffix: str, cache: str | Path, make: Callable[[], bytes]) -> Path:
    """The file of an alteration, made where it is not there yet; `how` names the alteration.

    Raises MediaError, also where it cannot be written.
    """
    parts = [str(_LAYOUT), how]
    for source in sources:
        check_file(source)
        state = os.stat(source)
        parts.append(f"{Path(source).resolve()}|{state.st_size}|{state.st_mtime_ns}")
    name = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:24]
    target = Path(cache) / "altered" / f"{name}{suffix}"
    if not target.is_file():
        content = make()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.draft(target) as draft:
                draft.write_bytes(content)
        except OSError as error:
            raise MediaError(f"{target}: cannot be written ({error.strerror}); set EMOREALM_CACHE elsewhere") from error
    return target
