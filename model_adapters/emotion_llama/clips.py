"""A clip on disk -> the frames that each version sees, and the sound; evaluation and training share it."""

import numpy as np

from emorealm_tasks import media
from model_adapters.base.frame_sampling import ClipMedia, VideoFrames
from model_adapters.base.media_refs import ClipFiles

from .configuration import EmotionLlamaConfig
from .processing import SAMPLING_RATE


def frame_count(config: EmotionLlamaConfig) -> int:
    """Frames that are read of a clip: the image, and in version 2 those of the video encoder after it."""
    return 1 if config.version == 1 else 1 + config.video_frames


def choose(available: int, count: int) -> np.ndarray:
    """Numbers of the first frame and of `count` - 1 for the video encoder, int64 (count,).

    Those are consecutive, from the middle of the clip; evenly spaced in a clip that has no more. The released code
    begins at a random frame, which depends on how many clips it has seen before.
    """
    wanted = count - 1
    if available <= wanted:
        return np.concatenate([[0], media.frame_indices(available, wanted)])
    start = (available - wanted) // 2
    return np.concatenate([[0], np.arange(start, start + wanted)])


def read(clip: ClipFiles, config: EmotionLlamaConfig) -> ClipMedia:
    """Decode a clip as the model takes it. Raises MediaError."""
    return ClipMedia(
        _frames(clip.video, frame_count(config)) if clip.video else None,
        media.read_audio(clip.audio, SAMPLING_RATE) if clip.audio else None,
    )


def _frames(path: str, count: int) -> VideoFrames:
    frames, times = media.read_frames(path, count, choose)
    return VideoFrames(frames, times, 0.0)  # the rate counts for nothing here
