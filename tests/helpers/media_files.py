"""Clips whose every frame carries its number and whose sound is a tone, in many codecs, containers and conditions."""

import struct
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, FPS = 160, 96, 24
CORNERS = {"TL": (220, 30, 30), "TR": (30, 200, 30), "BL": (30, 30, 220), "BR": (220, 220, 30)}
BITS = 8


@dataclass
class Clip:
    """What is written, and so what must be read."""

    frames: int = 48
    container: str = "mp4"
    video: str | None = "libx264"
    audio: str | None = "aac"
    layout: str = "mono"
    rate: int = 16000
    start: float = 0.0
    """Seconds on the container's clock at which the picture starts."""
    late: float = 0.0
    """Seconds after the picture at which the sound starts."""
    tone: float = 440.0
    gop: int = 12
    b_frames: int = 0
    size: tuple[int, int] = (WIDTH, HEIGHT)


def picture(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """A frame with its number as a band of bits in the middle and a colour in each corner."""
    width, height = size
    image = np.full((height, width, 3), 110, np.uint8)
    h, w = height // 4, width // 4
    image[:h, :w], image[:h, -w:] = CORNERS["TL"], CORNERS["TR"]
    image[-h:, :w], image[-h:, -w:] = CORNERS["BL"], CORNERS["BR"]
    for bit in range(BITS):
        left, right = width * bit // BITS, width * (bit + 1) // BITS
        image[3 * height // 8 : 5 * height // 8, left:right] = 235 if number >> (BITS - 1 - bit) & 1 else 16
    return image


def number(image: np.ndarray) -> int:
    """The number that an upright frame carries."""
    height, width = image.shape[:2]
    found = 0
    for bit in range(BITS):
        x = int(width * (bit + 0.5) / BITS)
        found = found << 1 | int(image[height // 2 - 2 : height // 2 + 3, x - 2 : x + 3].mean() > 125)
    return found


def corners(image: np.ndarray) -> list[str]:
    """The names of the colours top left, top right, bottom left, bottom right."""
    height, width = image.shape[:2]
    points = [(y, x) for y in (height // 10, height - 1 - height // 10) for x in (width // 12, width - 1 - width // 12)]
    return [min(CORNERS, key=lambda name: np.abs(image[y, x].astype(int) - CORNERS[name]).sum()) for y, x in points]


def tone(wave: np.ndarray, rate: int = 16000) -> float:
    """The loudest frequency in Hz; 0 = silence."""
    if np.sqrt(np.mean(np.square(wave))) < 0.01:
        return 0.0
    return float(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() * rate / len(wave))


def write(path: Path, clip: Clip, cover: bool = False) -> Path:
    """Encode a clip; `cover` adds a picture that is no film."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=_FORMATS.get(clip.container, clip.container)) as out:
        video = _video(out, clip) if clip.video else None
        audio = out.add_stream(clip.audio, rate=clip.rate, layout=clip.layout) if clip.audio else None
        if clip.audio == "wmav2":
            audio.bit_rate = 128_000
        image = out.add_stream("mjpeg", rate=FPS) if cover else None
        if image is not None:
            image.width, image.height, image.pix_fmt = 64, 64, "yuvj420p"
            image.disposition = av.stream.Disposition.attached_pic.value
        packets = [] if image is None else _cover(image)
        packets += _pictures(video, clip) if video else []
        packets += _sounds(audio, clip) if audio else []
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            out.mux(packet)
    return path


_FORMATS = {"mkv": "matroska", "ts": "mpegts", "mpg": "mpeg", "wmv": "asf", "m4a": "mp4"}


def _video(out, clip):
    options = {"libx264": {"crf": "18", "preset": "veryfast", "sc_threshold": "0"}}.get(clip.video, {})
    stream = out.add_stream(clip.video, rate=FPS, options=options)
    stream.width, stream.height = clip.size
    stream.pix_fmt = "yuvj420p" if clip.video == "mjpeg" else "yuv420p"
    stream.codec_context.gop_size = clip.gop
    if clip.video in ("libx264", "mpeg4", "mpeg2video"):
        stream.codec_context.max_b_frames = clip.b_frames
    stream.bit_rate = 2_000_000
    return stream


def _cover(stream):
    frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
    frame.pts = 0
    return [*stream.encode(frame), *stream.encode(None)]


def _pictures(stream, clip):
    packets = []
    for index in range(clip.frames):
        frame = av.VideoFrame.from_ndarray(picture(index, clip.size), "rgb24")
        frame.pts = index + round(clip.start * FPS)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _sounds(stream, clip):
    """A tone in the first channel, nothing in the others; packed, since PyAV cannot fill eight planes."""
    channels = av.AudioLayout(clip.layout).nb_channels
    samples = round(clip.frames / FPS * clip.rate) - round(max(clip.late, 0) * clip.rate)
    wave = np.zeros((samples, channels), np.float32)
    wave[:, 0] = 0.5 * np.sin(2 * np.pi * clip.tone * np.arange(samples) / clip.rate)
    packets = []
    for begin in range(0, samples, 1024):
        block = np.ascontiguousarray(wave[begin : begin + 1024].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout=clip.layout)
        frame.sample_rate = clip.rate
        frame.pts = begin + round((clip.start + clip.late) * clip.rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Put (a, b, c, d) into the display matrix of an mp4's first track."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def hide(path: Path, frames: int) -> Path:
    """Let the edit list of an mp4's first track begin `frames` later."""
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    scale = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    movie = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    length, begin = struct.unpack_from(">ii", data, at)
    struct.pack_into(">ii", data, at, length - frames * movie // FPS, begin + frames * scale // FPS)
    path.write_bytes(data)
    return path


def damage(path: Path, kind: str, which: int) -> Path:
    """Overwrite one packet of the picture or the sound with nonsense."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        packet = [packet for packet in container.demux(stream) if packet.size][which]
        at, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def cut(path: Path, target: Path, share: float) -> Path:
    """The first part of a file."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target
