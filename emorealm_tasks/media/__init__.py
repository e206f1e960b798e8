"""A clip on disk -> frames, waveform, facts about it: the only place that decodes media.

PyAV (FFmpeg's libraries) reads everything, by decoding a track from its start: what counts as a frame is what a player
would show, numbered in the order it would show it. Frames are sampled as the released code of AVERE samples them:
evenly spaced indices cut to whole numbers. Frames stand upright, in the colours their tags say; picture and sound share
one clock that starts at 0. docs/media.md says what is done with which oddity of a file.

The released code reads with decord, which is a choice here (EMOREALM_DECODER=decord). On files as released, 24 frames a
second in mp4, both give the same pixels and the same times within a microsecond
(`tests/unit/emorealm_tasks/media/test_media.py`); elsewhere decord is known to give other frames than those asked for.

Every failure is a `MediaError` that names the file and what to do. `report` says how much of a readable file could not
be decoded. The libraries are loaded when a name of this package is first used, so that whoever has no media to read
needs none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emorealm_tasks.media.altered import film_alone, joined
    from emorealm_tasks.media.audio import AUDIO_RATE, as_wav, read_audio, separate_wav
    from emorealm_tasks.media.container import MediaError, copied_picture
    from emorealm_tasks.media.corrupted import PICTURES, SOUNDS, corrupted_picture, corrupted_sound
    from emorealm_tasks.media.facts import ClipInfo, Examination, examine, has_sound, probe
    from emorealm_tasks.media.tally import Report, report
    from emorealm_tasks.media.video import frame_indices, read_frames

_MODULE_OF = {
    "AUDIO_RATE": "audio",
    "ClipInfo": "facts",
    "Examination": "facts",
    "MediaError": "container",
    "PICTURES": "corrupted",
    "Report": "tally",
    "SOUNDS": "corrupted",
    "as_wav": "audio",
    "copied_picture": "container",
    "corrupted_picture": "corrupted",
    "corrupted_sound": "corrupted",
    "examine": "facts",
    "film_alone": "altered",
    "frame_indices": "video",
    "has_sound": "facts",
    "joined": "altered",
    "probe": "facts",
    "read_audio": "audio",
    "read_frames": "video",
    "report": "tally",
    "separate_wav": "audio",
}


def __getattr__(name: str) -> Any:
    """The public name of one of this package's modules (PEP 562). Raises AttributeError for any other."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "AUDIO_RATE",
    "PICTURES",
    "SOUNDS",
    "ClipInfo",
    "Examination",
    "MediaError",
    "Report",
    "as_wav",
    "copied_picture",
    "corrupted_picture",
    "corrupted_sound",
    "examine",
    "film_alone",
    "frame_indices",
    "has_sound",
    "joined",
    "probe",
    "read_audio",
    "read_frames",
    "report",
    "separate_wav",
]
