"""How much of a file could be decoded, counted for every track that is read."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

Track = Literal["picture", "sound"]
_MAX_TALLIES = 4096  # files whose last reading is remembered


@dataclass
class Tally:
    """Packets of one track."""

    decoder: str
    """`pyav` or `decord`."""
    packets: int = 0
    """Read from the file."""
    damaged: int = 0
    """Read, but not decodable."""
    missing: int = 0
    """Promised by the file's header, but not there: the file is cut short."""

    @property
    def share(self) -> float:
        """Part of the promised packets that was decoded, 0 to 1."""
        expected = self.packets + self.missing
        return (self.packets - self.damaged) / expected if expected else 0.0


class Report(TypedDict):
    """What is recorded of a file, or of a clip whose picture and sound lie in two files."""

    decoder: str | None
    """`pyav` or `decord`; None = it was not read here."""
    decoded: float | None
    """Share that could be decoded, 0 to 1, the lower of picture and sound; None = not known."""
    damaged_packets: int | None
    """Packets read but not decodable, of picture and sound together; None = not known."""
    cut_short: bool | None
    """Whether the end is missing."""


_lock = threading.Lock()
_tallies: OrderedDict[tuple[Track, str], Tally] = OrderedDict()


def keep(kind: Track, path: str | Path, tally: Tally) -> None:
    """Remember how the last reading of a file's picture or sound went."""
    with _lock:
        _tallies[kind, str(path)] = tally
        _tallies.move_to_end((kind, str(path)))
        if len(_tallies) > _MAX_TALLIES:
            _tallies.popitem(last=False)


def report(video: str | Path | None, audio: str | Path | None) -> Report:
    """What the last readings in this process of the picture of `video` and of the sound of `audio` came to."""
    with _lock:
        tracks: tuple[tuple[Track, str | Path | None], ...] = ("picture", video), ("sound", audio)
        tallies = [tally for kind, path in tracks if path and (tally := _tallies.get((kind, str(path))))]
    if not tallies:
        return Report(decoder=None, decoded=None, damaged_packets=None, cut_short=None)
    if tallies[0].decoder != "pyav":
        return Report(decoder=tallies[0].decoder, decoded=None, damaged_packets=None, cut_short=None)
    return summed(tallies)


def summed(tallies: list[Tally]) -> Report:
    """The report of tracks that PyAV read; at least one."""
    return Report(
        decoder="pyav",
        decoded=round(min(tally.share for tally in tallies), 4),
        damaged_packets=sum(tally.damaged for tally in tallies),
        cut_short=any(tally.missing for tally in tallies),
    )
