"""Frames of a clip: which, when, upright, in their colours."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from av.buffer import Buffer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from emorealm_tasks import settings
from emorealm_tasks.media import skipping, tally
from emorealm_tasks.media.container import MediaError, Source, opened
from emorealm_tasks.media.decoding import Decoding
from emorealm_tasks.media.released import read_frames_decord

_UNTAGGED = {0, 2, 3, 8}  # colour spaces without a matrix of their own: RGB, unspecified, reserved, YCgCo
_UNIT = 1e-6  # seconds; less is rounding
Turn = Callable[[np.ndarray], np.ndarray]
Choice = Callable[[int, int], np.ndarray]
"""How many frames there are, and how many are wanted -> their numbers."""


def frame_indices(available: int, count: int) -> np.ndarray:
    """Evenly spaced frame numbers, linspace(0, available - 1, count) cut to int, shape (count,); short clips repeat."""
    return np.linspace(0, available - 1, count).astype(np.int64)


def read_frames(path: str | Path, count: int, choose: Choice = frame_indices) -> tuple[np.ndarray, np.ndarray]:
    """Decode `count` frames, evenly spaced ones by default: uint8 RGB (count, height, width, 3), and seconds (count,).

    choose: the numbers of the frames, given how many there are and `count`.
    A file cut short or damaged is sampled over the frames that do decode. Raises MediaError when there is none.
    """
    if settings.load().decoder == "decord":
        return read_frames_decord(path, count, choose)
    expected = 0
    while True:  # mostly once: until as many frames are shown as the indices were computed for
        with opened(path) as source:
            film = Film(source)
            if not expected and (skimmed := film.skim(count, choose)):
                indices, decoded = skimmed
                break
            expected = expected or film.promised() or _packets(path)
            indices = choose(expected, count)
            decoded = film.decode(set(indices.tolist()))
        if film.frames_decoded == expected:
            break
        expected = film.frames_decoded
    tally.keep("picture", path, film.tally)
    times = film.times()
    return np.stack([decoded[number] for number in indices]), times[indices]


class Film:
    """The video track of an open container. Raises MediaError where there is none.

    shown: frames that a player would show, known once it is decoded.
    """

    def __init__(self, source: Source) -> None:
        stream = source.picture()
        if stream is None:
            raise MediaError(f"{source.path}: there is no video track in it; a clip with picture is needed")
        self.stream: VideoStream = stream
        self.source = source
        self.frames_decoded = 0
        self._decoding = Decoding(source, stream)
        self._zero = source.zero()
        # read now: PyAV reads freed memory, and may crash, where a track is asked after its file was closed
        self._unit = stream.time_base
        self._average_rate = float(stream.average_rate or 0)
        self._rate = self._average_rate or float(stream.guessed_rate or 0) or 25.0
        self._is_avi = source.container.format.name == "avi"
        self._stamps: list[float | None] = []

    @property
    def tally(self) -> tally.Tally:
        """How much of the track was decoded."""
        return self._decoding.tally

    def promised(self) -> int:
        """Frames as the header states them; 0 = it does not."""
        return self.stream.frames

    def decode(self, indices: set[int]) -> dict[int, np.ndarray]:
        """Decode the whole track; the frames of these numbers, uint8 RGB (height, width, 3), all of one size.

        Raises MediaError where there is not one.
        """
        painter = Painter()
        decoded = {}
        most = self.source.settings.max_frames
        for frame in self._visible():
            if not self.frames_decoded:
                painter.size = frame.width, frame.height
            if self.frames_decoded in indices:
                decoded[self.frames_decoded] = painter.paint(frame)
            self.frames_decoded += 1
            if self.frames_decoded > most:
                raise MediaError(
                    f"{self.source.path}: more than {most} frames (EMOREALM_MAX_FRAMES); cut or replace the file"
                )
        if not self.frames_decoded:
            raise MediaError(
                f"{self.source.path}: not one frame of its video can be decoded; copy or download it again"
            )
        return decoded

    def skim(self, count: int, choose: Choice) -> tuple[np.ndarray, dict[int, np.ndarray]] | None:
        """Indices of `count` frames and the frames, decoding no stretch without one of them; None = decode it all."""
        parts = skipping.stretches(skipping.gather(self._decoding))
        times = sorted(packet.pts for part in parts for packet in part if packet.pts is not None)
        if len(parts) < 2 or len(times) > self.source.settings.max_frames:
            return None
        stamps = [self._seconds(time) for time in times]
        indices = choose(len(times), count)
        selected = set(indices.tolist())
        ends = np.cumsum([len(part) for part in parts]).tolist()
        needed = [
            any(end - len(part) <= index < end for index in selected) for part, end in zip(parts, ends, strict=True)
        ]
        if all(needed) or (stamps[0] or 0) < -_UNIT:
            return None
        painter, decoded = Painter(), {}
        last = {end: max((index for index in selected if index < end), default=-1) for end in ends}
        try:
            for part, end, need in zip(parts, ends, needed, strict=True):
                frames = skipping.frames_of(self._decoding, part) if need else iter(())
                for index, frame in enumerate(frames, end - len(part)):
                    painter.size = painter.size if any(painter.size) else (frame.width, frame.height)
                    if index in selected:
                        decoded[index] = painter.paint(frame)
                    if index == last[end]:
                        break  # what follows is as good as skipped
        except ValueError:
            self.stream.codec_context.flush_buffers()
            return None
        self.frames_decoded, self._stamps = len(times), stamps
        self._decoding.skipped()
        return indices, decoded

    def size(self) -> tuple[int, int]:
        """Width and height of the first frame, upright, when nothing else was decoded; (0, 0) = there is none."""
        frame = next(self._visible(), None)
        if frame is None:
            return 0, 0
        upright = orientation(frame)(np.zeros((frame.height, frame.width, 0)))
        return upright.shape[1], upright.shape[0]

    def times(self) -> np.ndarray:
        """Seconds at which the frames are shown, float64 (shown,), never falling; 0 = where the clip starts.

        The file may be closed by then.
        """
        stamps = self._stamps
        if self._is_avi:  # its timestamps are those of decoding: one a picture, unordered
            stamps = [self._seconds(stamp) for stamp in sorted(self._decoding.stamps)[: self.frames_decoded]]
        first = next((stamp for stamp in stamps if stamp is not None), None)
        if first is None or len(stamps) < self.frames_decoded or any(stamp is None for stamp in stamps):
            return np.arange(self.frames_decoded) / self._rate + max(first or 0.0, 0.0)
        return np.maximum(np.maximum.accumulate(np.array(stamps, np.float64)), 0.0)

    def _visible(self) -> Iterator[VideoFrame]:
        """The frames that are not over before the clip starts; their times are noted."""
        for frame in self._decoding.pictures():
            stamp = self._seconds(frame.pts)
            if stamp is not None and stamp < -_UNIT:
                length = self._length(frame) or (1 / self._average_rate if self._average_rate else 0.0)
                if stamp + length <= _UNIT + min(length / 2, 0.001):  # containers round to a millisecond
                    continue
            self._stamps.append(stamp)
            yield frame

    def _seconds(self, stamp: int | None) -> float | None:
        if stamp is None or self._unit is None:
            return None
        return float(stamp * self._unit) - self._zero

    def _length(self, frame: VideoFrame) -> float:
        return float(frame.duration * (self._unit or 0))


class Painter:
    """Frames -> arrays, upright, in the size of the first."""

    def __init__(self) -> None:
        self.size = 0, 0
        self._scalers: dict[tuple[int, int], VideoReformatter] = {}

    def paint(self, frame: VideoFrame) -> np.ndarray:
        """One frame as uint8 RGB (height, width, 3)."""
        matrix = Colorspace.DEFAULT if frame.colorspace in _UNTAGGED else frame.colorspace
        scaler = self._scalers.setdefault((int(matrix), frame.color_range), VideoReformatter())
        rgb = scaler.reformat(
            frame,
            *self.size,
            "rgb24",
            src_colorspace=int(matrix),
            dst_colorspace=Colorspace.DEFAULT,
            src_color_range=frame.color_range,
            dst_color_range=ColorRange.UNSPECIFIED,
        )
        return np.ascontiguousarray(orientation(frame)(rgb.to_ndarray()))


def orientation(frame: VideoFrame) -> Turn:
    """What makes a frame stand upright: a turn of (height, width, ...) arrays by its display matrix, nearest of eight.

    The matrix maps a stored point (x, y) to (a x + c y, b x + d y), y pointing down.
    """
    try:
        data: Buffer = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]  # a stub's word for a mapping
    except (KeyError, ValueError):  # none, or PyAV does not know another side datum beside it
        return lambda array: array
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32, 5).tolist()
    crossed = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c, b) if crossed else (a, d)
    steps = -1 if across < 0 else 1, -1 if down < 0 else 1
    return lambda array: (array.swapaxes(0, 1) if crossed else array)[:: steps[1], :: steps[0]]


def _packets(path: str | Path) -> int:
    """Packets of a track whose header does not say how many frames it has; decoding nothing, it costs little."""
    with opened(path) as source:
        film = source.picture()
        packets = Decoding(source, film).packets() if film is not None else iter(())
        return sum(not packet.is_discard for packet in packets) or 1
