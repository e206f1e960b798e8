"""How long a training step waits for its clips to be decoded, with and without decoding ahead: a tiny Qwen2.5-Omni.

    python tests/benchmarks/media_ahead.py [--clips 12] [--batch 2] [--step 0.5]

The clips are 4 s at 1280 x 720 with sound. A step encodes a batch of them and then sleeps for `--step` seconds, which
stands for a language model on a GPU: the cores are free meanwhile, as they are there.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

import tiny_models
from avem_train.backbones import loading
from avem_train.data.responses import Source

WIDTH, HEIGHT, RATE, SECONDS, FPS = 1280, 720, 16000, 4, 25


def write(path: Path, seed: int) -> None:
    """Write a clip of moving noise with noise as its sound."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (HEIGHT // 16, WIDTH // 16, 3), np.uint8)
    picture = coarse.repeat(16, 0).repeat(16, 1)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for number in range(SECONDS * FPS):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 8 * number, 1), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        wave = random.normal(0, 0.1, (1, SECONDS * RATE)).astype(np.float32)
        for start in range(0, wave.shape[1], 1024):
            chunk = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(wave[:, start : start + 1024]), format="fltp", layout="mono"
            )
            chunk.sample_rate, chunk.pts = RATE, start
            container.mux(audio.encode(chunk))
        container.mux(audio.encode(None))


def waiting(folder: Path, batches: list[list[Source]], step: float, ahead: bool) -> float:
    """Mean seconds a step after the first one waits for decoded clips."""
    backbone = loading.load(folder, torch.device("cpu"), torch.float32, 0)
    take, spent = backbone._ahead.take, []

    def timed(medium: Source) -> object:
        started = time.perf_counter()
        try:
            return take(medium)
        finally:
            spent[-1] += time.perf_counter() - started

    backbone._ahead.take = timed
    for number, batch in enumerate(batches):
        spent.append(0.0)
        if ahead:  # the batch in training and the next one, as `transformers.Trainer` collates them
            for coming in batches[number : number + 2]:
                backbone.prefetch(coming)
        with torch.no_grad():
            backbone.encode([(source,) for source in batch])
        time.sleep(step)
    backbone.close()
    return sum(spent[1:]) / len(spent[1:])


def main() -> None:
    """Print the seconds of both ways, and how much is left."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--step", type=float, default=0.5, help="seconds of a step beside the encoders'")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = tiny_models.qwen2_5_omni(folder / "model")
        clips = [folder / f"{number}.mp4" for number in range(arguments.clips)]
        for number, clip in enumerate(clips):
            write(clip, number)
        groups = [clips[start : start + arguments.batch] for start in range(0, len(clips), arguments.batch)]
        batches = [[Source(kind, str(clip)) for clip in group for kind in ("video", "audio")] for group in groups]
        seconds = {ahead: waiting(model, batches, arguments.step, ahead) for ahead in (False, True)}
    print(f"waiting for decoding, seconds a step: {seconds[False]:.3f} without, {seconds[True]:.3f} with")
    print(f"{seconds[True] / seconds[False]:.1%} of the waiting is left")


if __name__ == "__main__":
    main()
