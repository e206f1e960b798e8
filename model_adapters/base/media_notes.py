"""What a model was given of each clip, noted in the media log."""

from collections.abc import Sequence

from emorealm_tasks.harness import media_log
from model_adapters.base.media_refs import ClipFiles


class MediaNotes:
    """Writes to the media log, once a clip, what a model was given of it."""

    def __init__(self) -> None:
        self._clips: set[ClipFiles] = set()

    def add(self, clip: ClipFiles, frames: int, times: Sequence[float], audio_seconds: float) -> None:
        """frames: their number. times: seconds, one a frame; [] where only their number is known. 0 s = no sound."""
        if clip not in self._clips:
            self._clips.add(clip)
            media_log.append(
                {
                    "clip": clip.video,
                    "audio": clip.audio,
                    "frames": frames,
                    "times": list(times),
                    "audio_seconds": audio_seconds,
                }
            )
