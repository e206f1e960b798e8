"""One track, decoded packet by packet: a damaged packet costs itself and is counted, as players do it."""

import contextlib
from collections.abc import Iterator

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emorealm_tasks.media.container import Source
from emorealm_tasks.media.tally import Tally

# Containers whose header tells the length -> seconds by which it may be off; in others it is an estimate.
_STATED = {"mov,mp4,m4a,3gp,3g2,mj2": 0.1, "matroska,webm": 0.1, "wav": 0.1, "w64": 0.1, "flac": 0.1, "aiff": 0.1}
_STATED |= {"avi": 0.5, "asf": 0.5, "flv": 0.5}


class Decoding:
    """A track of an open container on its way through its decoder; `tally` is complete once it is through."""

    def __init__(self, source: Source, stream: VideoStream | AudioStream) -> None:
        self.source = source
        self.stream = stream
        self.tally = Tally("pyav")
        self._unit = float(stream.time_base or 0)
        self._end: float | None = None

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
        for packet in self.packets():
            self.tally.packets += 1
            try:
                frames = self.stream.decode(packet)
            except av.FFmpegError:
                self.tally.damaged += 1
                continue
            self.tally.damaged += packet.is_corrupt or any(frame.is_corrupt for frame in frames)
            yield from frames
        with contextlib.suppress(av.FFmpegError):  # the packet it belongs to was counted
            yield from self.stream.decode(None)  # what the decoder still holds
        self._count_missing()

    def packets(self) -> Iterator[Packet]:
        """The packets that hold something: an empty one would make the decoder think that this was the last."""
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
                yield self._measured(packet)

    def _measured(self, packet: Packet) -> Packet:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None:
            end = (stamp + (packet.duration or 0)) * self._unit
            self._end = end if self._end is None else max(self._end, end)
        return packet

    def _count_missing(self) -> None:
        """Packets at the end that the header promises and that did not come, by the time they would have taken."""
        slack = _STATED.get(self.source.container.format.name)
        if self._end is None or slack is None:
            return
        start = (self.stream.start_time or 0) * self._unit
        lacking, found = self.source.seconds(self.stream) - self._end, self._end - start
        if lacking > slack and found > 0:
            self.tally.missing = max(1, round(self.tally.packets * lacking / found))
