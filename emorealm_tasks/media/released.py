"""The released code's reader, decord: chosen by EMOREALM_DECODER=decord, else not even imported."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from emorealm_tasks.media import tally
from emorealm_tasks.media.container import MediaError, opened


def read_frames_decord(
    path: str | Path, count: int, frame_indices: Callable[[int, int], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """As `read_frames`, with decord's idea of which frames there are. Raises MediaError, also where it is missing."""
    try:
        import decord
    except ImportError as error:
        raise MediaError(f"{path}: decord is not installed; unset EMOREALM_DECODER") from error
    decord.logging.set_level(decord.logging.FATAL)  # its C++ log would repeat on stderr what MediaError says
    with opened(path) as source:
        if source.picture() is None:
            raise MediaError(f"{path}: there is no video track in it; a clip with picture is needed")
    try:
        reader = decord.VideoReader(os.fspath(path), num_threads=1)
        indices = frame_indices(len(reader), count)
        frames: np.ndarray = reader.get_batch(indices).asnumpy()
        times = np.asarray(reader.get_frame_timestamp(indices), np.float64)[:, 0]
    except (decord.DECORDError, IndexError, RuntimeError) as error:
        raise MediaError(f"{path}: decord cannot decode it; unset EMOREALM_DECODER") from error
    tally.keep("picture", path, tally.Tally("decord"))
    return frames, times
