"""Renders a planned clip and writes it as mp4: H.264 picture, AAC sound, 16 kHz mono."""

from pathlib import Path

import av
import numpy as np

from emorealm_tasks.files import draft
from emorealm_tasks.mini.render.canvas import SIZE
from emorealm_tasks.mini.render.picture import draw_frame
from emorealm_tasks.mini.render.sound import RATE, synthesise
from emorealm_tasks.mini.world.sampling import Clip

FPS = 12


def frames(clip: Clip, count: int) -> np.ndarray:
    """`count` frames evenly from the first to the last: uint8 (count, SIZE, SIZE, 3)."""
    return np.stack([draw_frame(clip, moment) for moment in np.linspace(0, 1, count)])


def write_clip(clip: Clip, path: Path) -> None:
    """Render and encode a clip. The same clip gives the same file (with the same encoder versions)."""
    wave = synthesise(clip)
    pictures = frames(clip, round(len(wave) / RATE * FPS))
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft(path) as beside, av.open(str(beside), "w", format="mp4") as out:
        # one thread and no B-frames: same bytes every time, and every frame in the order it was drawn
        video = out.add_stream("h264", rate=FPS, options={"crf": "16", "preset": "veryfast", "threads": "1", "bf": "0"})
        video.width, video.height, video.pix_fmt = SIZE, SIZE, "yuv420p"
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 64_000
        for picture in pictures:
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        sound.sample_rate = RATE
        out.mux(audio.encode(sound))
        out.mux(audio.encode(None))
