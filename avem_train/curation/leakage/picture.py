"""Fingerprints of pictures: the perceptual hash of frames evenly spaced over a clip, compared bit by bit.

The hash is ImageHash's `phash`: the signs of a frame's lowest cosine frequencies, which scaling and codecs leave nearly
as they are. Clips cut to another length have other frames and are not found by their picture.
"""

from collections.abc import Iterator, Sequence

import numpy as np

FRAMES = 8
BITS = 64
"""Of a frame."""
_FLAT = 2.0
"""Standard deviation in grey levels below which a frame shows nothing whose frequencies had a sign."""
_ROWS = 256  # clips compared at once
Print = np.ndarray
"""uint64 [FRAMES]; empty where there is no picture, or nothing in it."""


def fingerprint(frames: np.ndarray) -> Print:
    """The hash of each frame. frames: uint8 [FRAMES, height, width, 3]."""
    import imagehash
    from PIL import Image

    pictures = [Image.fromarray(frame).convert("L") for frame in frames]
    if max((float(np.asarray(one).std()) for one in pictures), default=0.0) < _FLAT:
        return np.zeros(0, np.uint64)
    return np.array([int(str(imagehash.phash(one)), 16) for one in pictures], np.uint64)


def matches(mine: Sequence[Print], others: Sequence[Print], largest: float) -> Iterator[tuple[int, int, float]]:
    """Index of mine, of the other, and the share of differing bits, wherever it is at most `largest`."""
    mine_at = [number for number, one in enumerate(mine) if len(one) == FRAMES]
    others_at = [number for number, one in enumerate(others) if len(one) == FRAMES]
    if not mine_at or not others_at:
        return
    there = np.stack([others[number] for number in others_at])
    for start in range(0, len(mine_at), _ROWS):
        rows = mine_at[start : start + _ROWS]
        here = np.stack([mine[number] for number in rows])
        bits = sum(np.bitwise_count(here[:, None, n] ^ there[None, :, n]).astype(np.int64) for n in range(FRAMES))
        shares = np.asarray(bits) / (BITS * FRAMES)
        for a, b in zip(*np.nonzero(shares <= largest), strict=True):
            yield rows[a], others_at[b], float(shares[a, b])
