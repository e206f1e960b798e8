"""Seconds to read a clip's eight frames: decord, as the released code reads them, against our reader.

    python tests/benchmarks/media.py --clips 60 --rounds 9

Both in one process, a thread each, turn by turn, the order swapped every round; of each clip the median over the
rounds. Seconds of the processor stand beside those of the clock, which other work on the machine lengthens. The
embedded benchmark must be built (`emorealm-mini build --if-missing`); the clips in 720p are made here.
Writes media.json and media.md to results/performance/.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import av
import decord
import numpy as np

from emorealm_tasks import media, settings

ROOT = Path(__file__).resolve().parents[2]
COUNT = 8
HD = {  # name -> (seconds, frames between keyframes)
    "720p, 4 s, x264's own keyframes": (4, 250),
    "720p, 10 s, x264's own keyframes": (10, 250),
    "720p, 10 s, a keyframe a second": (10, 24),
}


def main() -> None:
    """Time both readers and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=60, help="of the embedded benchmark")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    embedded = sorted((settings.load().mini / "videos").rglob("*.mp4"))[: arguments.clips]
    rows = {f"EmoReAlM-Mini, {len(embedded)} clips of 96 x 96": compare(embedded, arguments.rounds)}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (seconds, keyframes)) in enumerate(HD.items()):
            clip = make(Path(folder) / f"{number}.mp4", seconds, keyframes)
            rows[name] = compare([clip], arguments.rounds)
    record = {
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("av", "decord", "numpy")},
        "rounds": arguments.rounds,
        "rows": rows,
    }
    (arguments.out / "media.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "media.md").write_text(render(record), encoding="utf-8")
    print(render(record))


def released(path: Path) -> np.ndarray:
    """The frames as the released code reads them."""
    reader = decord.VideoReader(str(path), num_threads=1)
    return reader.get_batch(media.frame_indices(len(reader), COUNT)).asnumpy()


def ours(path: Path) -> np.ndarray:
    """The frames as this package reads them."""
    return media.read_frames(path, COUNT)[0]


def compare(clips: Sequence[Path], rounds: int) -> dict[str, float]:
    """Milliseconds a clip by the clock and of the processor with each reader, and the median ratios of the clips."""
    found = []
    for clip in clips:
        assert (released(clip) == ours(clip)).all()
        spent: dict[str, list[tuple[float, float]]] = {"decord": [], "ours": []}
        readers = [("decord", released), ("ours", ours)]
        for number in range(rounds):
            for name, read in readers[:: -1 if number % 2 else 1]:
                clock, processor = time.perf_counter(), time.process_time()
                read(clip)
                spent[name].append((time.perf_counter() - clock, time.process_time() - processor))
        found.append({name: np.median(times, 0) * 1e3 for name, times in spent.items()})
    row = {}
    for at, what in enumerate(("clock", "processor")):
        for name in ("decord", "ours"):
            row[f"{name} {what}"] = round(statistics.median(float(times[name][at]) for times in found), 2)
        ratios = [float(times["ours"][at] / times["decord"][at]) for times in found]
        row[f"ratio {what}"] = round(statistics.median(ratios), 2)
    return row


def make(path: Path, seconds: int, keyframes: int) -> Path:
    """A clip in 720p at 24 frames a second, whose picture drifts."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (90, 160, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.codec_context.gop_size = keyframes
        for index in range(24 * seconds):
            moved = np.ascontiguousarray(np.roll(image, (3 * index, 5 * index), (0, 1)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def render(record: dict) -> str:
    """The record as a page."""
    libraries = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    lines = [
        "# Reading clips",
        "",
        f"Milliseconds to read {COUNT} frames: medians of {record['rounds']} rounds on {record['machine']}",
        f"({libraries}), one thread, turn by turn in one process. The pixels are the same.",
        "Made by `python tests/benchmarks/media.py`.",
        "",
        "| clips | decord, clock | ours, clock | ratio | decord, processor | ours, processor | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in record["rows"].items():
        lines.append(f"| {name} | {' | '.join(str(value) for value in row.values())} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
