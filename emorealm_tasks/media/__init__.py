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

from typing import TYPE_CHECKING

from emorealm_tasks import lazy

if TYPE_CHECKING:
    from emorealm_tasks.media.altered import film_alone, joined
    from emorealm_tasks.media.audio import AUDIO_RATE, as_wav, read_audio, separate_wav
    from emorealm_tasks.media.container import MediaError, copied_picture
    from emorealm_tasks.media.corrupted import PICTURES, SOUNDS, corrupted_picture, corrupted_sound
    from emorealm_tasks.media.facts import ClipInfo, Examination, examine, has_sound, probe
    from emorealm_tasks.media.tally import Report, report
    from emorealm_tasks.media.video import frame_indices, read_frames

__getattr__ = lazy.names(
    __name__,
    {
        "altered": ("film_alone", "joined"),
        "audio": ("AUDIO_RATE", "as_wav", "read_audio", "separate_wav"),
        "container": ("MediaError", "copied_picture"),
        "corrupted": ("PICTURES", "SOUNDS", "corrupted_picture", "corrupted_sound"),
        "facts": ("ClipInfo", "Examination", "examine", "has_sound", "probe"),
        "tally": ("Report", "report"),
        "video": ("frame_indices", "read_frames"),
    },
)

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
