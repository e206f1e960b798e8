"""A clip as another dataset might hold it: other size, other codecs and rates, other loudness."""

from pathlib import Path

import av
import numpy as np

from emorealm_tasks.media import probe, read_audio, read_frames


def reencoded(
    source: Path,
    target: Path,
    scale: float = 0.6,
    crf: int = 34,
    fps: int | None = None,
    rate: int = 22050,
    bits: int = 32000,
    gain: float = 0.7,
    skip: float = 0.0,
    video_codec: str = "libx264",
    audio_codec: str = "aac",
) -> Path:
    """Encode picture and sound anew. scale: of width and height; rate: samples a second; skip: seconds cut off."""
    info = probe(source)
    new_fps = fps or round(info.fps)
    count = max(1, round((info.seconds - skip) * new_fps))
    frames, times = read_frames(source, info.frames)
    wave = read_audio(source, rate)[round(skip * rate) :] * gain
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(target), "w") as container:
        video = container.add_stream(video_codec, rate=new_fps, options={"crf": str(crf)})
        video.width, video.height = (2 * round(scale * side / 2) for side in (frames.shape[2], frames.shape[1]))
        video.pix_fmt = "yuv420p"
        sound = container.add_stream(audio_codec, rate=rate, layout="mono")
        sound.bit_rate = bits
        for number in range(count):
            nearest = int(np.abs(times - (skip + number / new_fps)).argmin())
            container.mux(video.encode(av.VideoFrame.from_ndarray(frames[nearest], format="rgb24")))
        container.mux(video.encode(None))
        fifo = av.AudioFifo()
        block = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
        block.sample_rate = rate
        fifo.write(block)
        while chunk := fifo.read(sound.codec_context.frame_size or 1024, partial=True):
            container.mux(sound.encode(chunk))
        container.mux(sound.encode(None))
    return target
