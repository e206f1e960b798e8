"""Which parts of a film need no decoding, since no wanted frame lies in them: stretches between keyframes.

Used where timestamps prove what is what: every packet has a time of its own, and the frames that come out of a stretch
must have exactly the times of its packets. Whatever is not so is decoded from its start.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import accumulate

import av
from av.packet import Packet
from av.video.frame import VideoFrame

from emorealm_tasks.media.decoding import Decoding

_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}  # containers with a time for every frame shown
_CODECS = {"h264", "hevc", "mpeg4", "libvpx", "vp8", "libvpx-vp9", "vp9", "libdav1d", "av1"}
_MOST = 1 << 28  # bytes of a file whose packets are held in memory
Stretch = Sequence[Packet]


def gather(decoding: Decoding) -> list[Packet]:
    """The packets of a film, without decoding them, to be skipped or decoded later; [] where this is no use."""
    source = decoding.source
    supported = source.container.format.name in _FORMATS and decoding.stream.codec_context.name in _CODECS
    if not supported or os.path.getsize(source.path) > _MOST:
        return []
    return decoding.gather()


def stretches(packets: Sequence[Packet]) -> list[Stretch]:
    """The packets in stretches that can be decoded by themselves: each starts with a keyframe before which all earlier
    packets are shown, and after which all later ones are. [] where timestamps do not prove it.
    """
    stamps = [packet.pts for packet in packets if packet.pts is not None]
    marred = any(packet.is_corrupt or packet.is_discard for packet in packets)
    if marred or not stamps or len(set(stamps)) < len(packets) or not packets[0].is_keyframe:
        return []
    latest = [min(stamps), *accumulate(stamps, max)]
    soonest = list(accumulate(reversed(stamps), min))[::-1]
    starts = [
        at
        for at, packet in enumerate(packets)
        if at == 0 or (packet.is_keyframe and latest[at] < stamps[at] == soonest[at])
    ]
    return [packets[start:end] for start, end in zip(starts, [*starts[1:], len(packets)], strict=True)]


def frames_of(decoding: Decoding, stretch: Stretch) -> Iterator[VideoFrame]:
    """The frames of a stretch, whatever was decoded before. Raises ValueError where they are not those promised."""
    stream = decoding.stream
    stream.codec_context.flush_buffers()
    expected_times = sorted(packet.pts for packet in stretch if packet.pts is not None)
    count = 0
    try:
        for packet in (*stretch, None):
            for frame in stream.decode(packet):
                if not isinstance(frame, VideoFrame) or frame.is_corrupt or frame.pts != expected_times[count]:
                    raise ValueError("a frame has another time than its packet")
                count += 1
                yield frame
    except (av.FFmpegError, IndexError) as error:
        raise ValueError("a stretch does not decode as it should") from error
    if count != len(expected_times):
        raise ValueError("a stretch holds fewer frames than packets")
