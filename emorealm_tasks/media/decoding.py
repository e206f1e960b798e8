"""One track, decoded packet by packet: a damaged packet costs itself and is counted, as players do it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emorealm_tasks.media.container import Source
from emorealm_tasks.media.tally import Tally

# Containers whose header tells the length -> seconds by which it may be off; in others it is an estimate.
_STATED = {"mov,mp4,m4a,3gp,3g2,mj2": 0.1, "matroska,webm": 0.1, "w64": 0.1, "flac": 0.1, "aiff": 0.1}
_STATED |= {"asf": 0.5, "flv": 0.5}


class Decoding:
    """A track of an open container on its way through its decoder; `tally` is complete once it is through."""

    def __init__(self, source: Source, stream: VideoStream | AudioStream) -> None:
        self.source = source
        self.stream = stream
        self.tally = Tally("pyav")
        self._unit = float(stream.time_base or 0)
        self._end: float | None = None
        self.stamps: list[int] = []
        """Timestamps of the packets, in units of the track, as far as there are any."""
        self._gathered: list[Packet] = []

    def pictures(self) -> Iterator[VideoFrame]:
        """The frames in the order in which they are shown."""
        for frame in self._frames():
            if isinstance(frame, VideoFrame):
                yield frame

    def sounds(self) -> Iterator[AudioFrame]:
        """The blocks of sound in their order."""
        for frame in self._frames():
            if isinstance(frame, AudioFrame):
                yield frame

    def _frames(self) -> Iterator[VideoFrame | AudioFrame]:
        incomplete = False  # the packet before
        for packet in self.packets():
            self.tally.packets += 1
            self.tally.damaged += incomplete
            incomplete = packet.is_corrupt
            try:
                frames = self.stream.decode(packet)
            except av.FFmpegError:
                self.tally.damaged += not incomplete
                continue
            self.tally.damaged += not incomplete and any(frame.is_corrupt for frame in frames)
            yield from frames
        with contextlib.suppress(av.FFmpegError):  # the packet it belongs to was counted
            yield from self.stream.decode(None)  # what the decoder still holds
        self._count_missing(incomplete)

    def gather(self) -> list[Packet]:
        """All packets at once; those that are decoded from then on are these."""
        self._gathered = list(self.packets())
        return self._gathered

    def skipped(self) -> None:
        """Note that what was wanted was decoded without a fault, from packets that were gathered."""
        self.tally.packets = len(self._gathered)
        self._count_missing(cut=False)

    def packets(self) -> Iterator[Packet]:
        """The packets that hold something: an empty one would make the decoder think that this was the last."""
        if self._gathered:
            yield from self._gathered
            return
        packets = self.source.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:  # the container makes no sense from here on
                self.tally.missing = 1
                return
            if packet.size:
                yield self._note_times(packet)

    def _note_times(self, packet: Packet) -> Packet:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None:
            self.stamps.append(stamp)
            end = (stamp + (packet.duration or 0)) * self._unit
            self._end = end if self._end is None else max(self._end, end)
        return packet

    def _count_missing(self, cut: bool) -> None:
        """Packets at the end that the header promises and that did not come, by the time or room they would take.

        cut: the last packet is not whole.
        """
        name, tally = self.source.container.format.name, self.tally
        if name in ("wav", "avi"):  # the length that their header tells is cut to the file's while it is opened
            tally.missing = round(tally.packets * _missing_share_of_riff(self.source.path))
            return
        tally.missing = max(tally.missing, cut)
        slack = _STATED.get(name)
        if self._end is None or slack is None:
            return
        start = (self.stream.start_time or 0) * self._unit
        missing_seconds, decoded_seconds = self.source.seconds(self.stream) - self._end, self._end - start
        if missing_seconds > slack and decoded_seconds > 0:
            tally.missing = max(1, round(tally.packets * missing_seconds / decoded_seconds))


def _missing_share_of_riff(path: str | Path) -> float:
    """Bytes that the header of a RIFF file promises beyond those that are there, as a share of these."""
    with open(path, "rb") as file:
        head = file.read(8)
    file_bytes, stated_bytes = os.path.getsize(path), int.from_bytes(head[4:], "little") + len(head)
    if head[:4] != b"RIFF" or stated_bytes in (8, 2**32 + 7):  # written to a pipe, whose end nobody knew
        return 0.0
    return max(0, stated_bytes - file_bytes) / file_bytes
