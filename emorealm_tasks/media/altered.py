"""Clips with one track taken out or exchanged: files in the cache, each written once.

The same file altered in the same way has the same name and content; the name is a digest of path, size, time of change
and the alteration. A file appears whole or not at all, so several processes may ask at once.
"""

from collections.abc import Callable
from pathlib import Path

from emorealm_tasks import files
from emorealm_tasks.media.audio import AUDIO_RATE, read_audio
from emorealm_tasks.media.container import MediaError, copied_picture, digest, identity

_LAYOUT = 1  # raised whenever an alteration gives other content


def film_alone(path: str | Path, cache: str | Path) -> Path:
    """The picture of a file as an mp4 without sound, copied as it is encoded. Raises MediaError."""
    return cached([path], "film", ".mp4", cache, lambda: copied_picture(path))


def joined(video: str | Path, audio: str | Path, cache: str | Path) -> Path:
    """One mp4 of the picture of `video`, copied as it is encoded, and the sound of `audio` (AAC). Raises MediaError."""
    return cached([video, audio], "joined", ".mp4", cache, lambda: copied_picture(video, read_audio(audio), AUDIO_RATE))


def cached(sources: list[str | Path], how: str, suffix: str, cache: str | Path, make: Callable[[], bytes]) -> Path:
    """The file of an alteration, made where it is not there yet; `how` names the alteration.

    Raises MediaError, also where it cannot be written.
    """
    name = digest("\0".join([str(_LAYOUT), how, *map(identity, sources)]))
    target = Path(cache) / "altered" / f"{name}{suffix}"
    if not target.is_file():
        content = make()
        try:
            files.write_bytes(target, content)
        except OSError as error:
            raise MediaError(f"{target}: cannot be written ({error.strerror}); set EMOREALM_CACHE elsewhere") from error
    return target
