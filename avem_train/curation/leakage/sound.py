"""Fingerprints of sound: sub-band energy differences, 32 bits a frame, found in any other sound at any offset.

J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002: frames of 0.37 s every 11.6 ms, 33
bands between 300 and 2000 Hz, a bit for the sign of the difference of neighbouring bands' difference to the frame
before (their equation 1). Frames that share all 32 bits say where two sounds may be the same; the share of differing
bits there (bit error rate) decides. Codecs, sampling rates and loudness change few bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RATE = 5512
"""Samples a second."""
FRAME, HOP, BANDS = 2048, 64, 33
_LOWEST, _HIGHEST = 300.0, 2000.0
_SILENT = 1e-5
"""Of the loudest frame's energy: below that, bits are noise."""
_COMMON = 50
"""A word that the others hold more often than this says nothing of where to look."""
_PLACES = 4
"""Places at which two sounds are compared, those with most words in common first."""
Print = np.ndarray
"""uint32 [frames]; 0 = a silent frame."""


def fingerprint(wave: np.ndarray) -> Print:
    """The words of a sound, one for each HOP. wave: float [samples] at RATE; shorter than two frames gives none."""
    count = (len(wave) - FRAME) // HOP + 1
    if count < 2:
        return np.zeros(0, np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float32), FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=1)) ** 2
    edges = np.geomspace(_LOWEST, _HIGHEST, BANDS + 1) * FRAME / RATE
    bands = np.add.reduceat(power, np.round(edges).astype(int), axis=1)[:, :BANDS]
    differences = np.diff(bands, axis=1)
    bits = (differences[1:] - differences[:-1]) < 0  # E(n,m) - E(n,m+1) - (E(n-1,m) - E(n-1,m+1)) > 0
    words = bits @ (1 << np.arange(BANDS - 1, dtype=np.uint64))
    energy = bands.sum(axis=1)
    loud = energy[1:] > _SILENT * energy.max() if energy.max() > 0 else np.zeros(count - 1, bool)
    return np.where(loud, words, 0).astype(np.uint32)


@dataclass(frozen=True)
class Match:
    """Two sounds that are the same over some stretch."""

    other: int
    """Index of the other sound."""
    error: float
    """Share of differing bits, from 0 to 1."""
    frames: int
    """Frames compared."""


class Index:
    """Fingerprints to look others up in."""

    def __init__(self, prints: Sequence[Print]) -> None:
        self._prints = prints
        words = np.concatenate([*prints, np.zeros(0, np.uint32)])
        owners = np.repeat(np.arange(len(prints)), [len(one) for one in prints])
        places = np.concatenate([*(np.arange(len(one)) for one in prints), np.zeros(0, int)]).astype(np.int64)
        order = np.argsort(words, kind="stable")
        self._words, self._owners, self._places = words[order], owners[order], places[order]

    def matches(self, mine: Print, largest_error: float, fewest_frames: int) -> list[Match]:
        """The sounds that agree with one in all but that share of the bits, over so many frames or more."""
        best: dict[int, Match] = {}
        for other, offset in self._candidates(mine):
            error, frames = bit_error(mine, self._prints[other], offset)
            known = best.get(other)
            if frames >= fewest_frames and error <= largest_error and (known is None or error < known.error):
                best[other] = Match(other, error, frames)
        return [best[other] for other in sorted(best)]

    def _candidates(self, mine: Print) -> Iterator[tuple[int, int]]:
        """Other sound and offset (its frame minus mine), by the words they share there."""
        first = np.searchsorted(self._words, mine, "left")
        counts = np.searchsorted(self._words, mine, "right") - first
        counts[(mine == 0) | (counts > _COMMON)] = 0
        mine_at = np.repeat(np.arange(len(mine)), counts)
        found = np.repeat(first, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        pairs = np.stack([self._owners[found], self._places[found] - mine_at], axis=1)
        places, votes = np.unique(pairs, axis=0, return_counts=True)
        tried: dict[int, int] = {}
        for other, offset in places[np.argsort(-votes, kind="stable")].tolist():
            tried[other] = tried.get(other, 0) + 1
            if tried[other] <= _PLACES:
                yield other, offset


def bit_error(mine: Print, other: Print, offset: int) -> tuple[float, int]:
    """Share of differing bits where two sounds overlap, and the frames compared: those silent in neither.

    offset: frame of the other minus frame of mine.
    """
    start, stop = max(0, -offset), min(len(mine), len(other) - offset)
    if stop <= start:
        return 1.0, 0
    a, b = mine[start:stop], other[start + offset : stop + offset]
    heard = (a != 0) & (b != 0)
    frames = int(heard.sum())
    return (float(np.bitwise_count(a[heard] ^ b[heard]).sum()) / (32 * frames), frames) if frames else (1.0, 0)
