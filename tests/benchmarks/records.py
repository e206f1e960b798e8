"""Anonymous memory and time of a million training records: read, checked, planned, ordered, collated.

    python tests/benchmarks/records.py [--sizes 10000 100000 1000000] [--clips 200]

Preference records of AVEm-DPO (with the index of their reference log-probabilities, seven a record) and conversations
(with their lengths). Each size in a process of its own; the encoders and the language model are left out, since no
record changes what they take. What depends on the number of clips, not of records, is in every size alike. Times are of
the processor. Writes records.json and records.md to results/performance/.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.markdown import table

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("preferences", "conversations")
_COLLATED = 1_000
_SENTENCE = "The corners of the mouth are raised and the eyes are narrowed, as the voice stays low and even. "


def main() -> None:
    """Measure each kind and size, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(given.child[0], Path(given.child[1]))))
        return
    versions = {name: version(name) for name in ("datasets", "pyarrow", "torch")}
    record = {"machine": platform.machine(), "versions": versions, "clips": given.clips, "kinds": {}}
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(Path(folder), given.clips)
        for kind in KINDS:
            record["kinds"][kind] = {}
            for size in given.sizes:
                path = make(Path(folder) / f"{kind}.jsonl", kind, size, clips)
                command = [sys.executable, __file__, "--child", kind, str(path)]
                found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                record["kinds"][kind][str(size)] = found | {"file_mib": round(path.stat().st_size / 2**20, 1)}
                print(kind, size, record["kinds"][kind][str(size)], flush=True)
    files.write_json(given.out / "records.json", record)
    files.write(given.out / "records.md", render(record))


def make_clips(folder: Path, count: int) -> list[str]:
    """Names of so many clips: one short film with sound, under many names."""
    import av
    import numpy as np

    with av.open(str(folder / "clip.mp4"), "w") as container:
        film, sound = container.add_stream("libx264", rate=8), container.add_stream("aac", rate=16000, layout="mono")
        film.width = film.height = 32
        film.pix_fmt = "yuv420p"
        for _ in range(4):
            container.mux(film.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        wave.rate = 16000
        container.mux(sound.encode(wave))
        container.mux(film.encode(None))
        container.mux(sound.encode(None))
    names = [f"{number:06d}.mp4" for number in range(count)]
    for name in names:
        (folder / name).symlink_to(folder / "clip.mp4")
    return names


def make(path: Path, kind: str, count: int, clips: Sequence[str]) -> Path:
    """A file of so many records about the clips."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            clip = clips[number % len(clips)]
            asked = f"How does the face tell the emotion at moment {number}?"
            item: dict[str, Any] = {"id": str(number), "video": clip}
            if kind == "preferences":
                item |= {"prompt": asked, "modality": ("video", "audio")[number % 2]}
                item |= {"emotion": EMOTIONS[number % len(clips) % len(EMOTIONS)], "chosen": f"{_SENTENCE}{number}"}
                item |= {"rejected_video_relevant": f"A hat, {number}. {_SENTENCE}"}
                item |= {"rejected_emotion_relevant": f"Tears, {number}. {_SENTENCE}"}
            else:
                texts = (("human", asked), ("gpt", f"{_SENTENCE}{number}"), ("human", "Sure?"), ("gpt", "Yes"))
                item["conversations"] = [{"from": who, "value": text} for who, text in texts]
            file.write(json.dumps(item) + "\n")
    return path


def measured(kind: str, path: Path) -> dict[str, Any]:
    """Peak anonymous memory in MiB beyond that of the libraries, and microseconds of each step for a record."""
    steps = preferences if kind == "preferences" else conversations
    steps(path.parent / "none", lambda name, work: None)  # imports what it needs, runs nothing
    before, peak, going, spent = anonymous(), [0.0], threading.Event(), {}

    def watch() -> None:
        while not going.wait(0.05):
            peak[0] = max(peak[0], anonymous())

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = work()
        spent[name] = time.process_time() - began
        return result

    watcher = threading.Thread(target=watch)
    watcher.start()
    count = steps(path, timed)
    going.set()
    watcher.join()
    microseconds = {
        name: 1e6 * seconds / (_COLLATED if name == "collate" else count) for name, seconds in spent.items()
    }
    return {
        "libraries_mib": round(before / 2**20, 1),
        "peak_mib": round((max(peak[0], anonymous()) - before) / 2**20, 1),
        "microseconds": {name: round(value, 1) for name, value in microseconds.items()},
        "seconds": round(sum(spent.values()), 1),
    }


def anonymous() -> float:
    """Anonymous memory of this process in bytes: without pages of files, which the system may drop."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found
    return 1024.0 * int(found[1])


def preferences(path: Path, timed: Callable[[str, Callable[[], Any]], Any]) -> int:
    """The steps of preference training before its first update; returns how many records there are."""
    import datasets  # noqa: F401

    from avem_train.data import checks
    from avem_train.data.bad_records import BadRecords
    from avem_train.data.negatives import Negatives
    from avem_train.dpo.dataset import EpochSampler, PreferenceDataset
    from avem_train.dpo.reference_cache import CachedLogps, Groups
    from avem_train.objectives import Objective
    from model_adapters.base.embedded import NANO

    objective, negatives = Objective(), Negatives()
    needs = checks.Needs(negatives, objective.responses)
    records = timed("read and check", lambda: checks.load(path, None, BadRecords(path.parent / "out"), needs))
    if records is None:
        return 0
    backbone: Any = SimpleNamespace(folder=NANO, template="", prefetch=lambda sources: None, knows=lambda clips: False)
    dataset = PreferenceDataset(records, objective, negatives, 0, backbone)
    cached = CachedLogps(path.parent / f"reference-{len(records)}", backbone, "float32")

    def index() -> None:
        groups = Groups(dataset.responses(0), 0, 1)
        for start in range(0, len(groups), 64):
            cached.add({response: -1.0 for group in groups[start : start + 64] for response in group})

    timed("reference index", index)
    samples = timed("order", lambda: _order(EpochSampler(len(records), 8, 64, 0)))
    batches = [samples[start : start + 8] for start in range(0, _COLLATED, 8)]
    timed("collate", lambda: [dataset.collate(batch)["ahead"].now() for batch in batches])
    return len(records)


def conversations(path: Path, timed: Callable[[str, Callable[[], Any]], Any]) -> int:
    """The same of supervised training."""
    import datasets  # noqa: F401

    from avem_train.data.bad_records import BadRecords
    from avem_train.data.model_facts import ANY_MODEL
    from avem_train.packing.tree import SHARED
    from avem_train.supervised import dataset

    bad = BadRecords(path.parent / "out")
    tables = timed("read and check", lambda: dataset.held([path], None, ANY_MODEL, bad, check_media=True))
    if tables is None:
        return 0
    data = dataset.HeldConversations(tables)
    sampler = dataset.MixedSampler(data.sizes, [], 8, 64, 0)
    sampler.lengths = timed("lengths", data.lengths)
    samples = timed("order", lambda: _order(sampler))
    backbone: Any = SimpleNamespace(prefetch=lambda sources: None, response=lambda text: [0], knows=lambda clips: False)
    collate = dataset.Collator(backbone, SHARED)
    batches = [samples[start : start + 8] for start in range(0, _COLLATED, 8)]
    timed("collate", lambda: [collate([data[sample] for sample in batch])["ahead"].now() for batch in batches])
    return len(data)


def _order(sampler: Any) -> list[Any]:
    """The first samples of an epoch; all of them are gone through."""
    return [sample for number, sample in enumerate(sampler) if number < _COLLATED]


def render(record: dict[str, Any]) -> str:
    """The record as a page."""
    lines = [
        "# Many records",
        "",
        "Anonymous memory beyond that of the libraries, at its peak, and processor time before the first update, on "
        f"{record['machine']} ({', '.join(f'{name} {number}' for name, number in record['versions'].items())}).",
        f"{record['clips']} clips, whatever the number of records. Made by `python tests/benchmarks/records.py`.",
    ]
    for kind, sizes in record["kinds"].items():
        steps = list(next(iter(sizes.values()))["microseconds"])
        rows = [["records", "file, MiB", "memory, MiB", "seconds", *(f"{step}, us a record" for step in steps)]]
        for size, found in sizes.items():
            times = [f"{found['microseconds'][step]:,.1f}" for step in steps]
            rows.append(
                [f"{int(size):,}", f"{found['file_mib']:,}", f"{found['peak_mib']:,}", f"{found['seconds']:,}", *times]
            )
        lines += ["", f"## {kind.capitalize()}", "", table(rows)]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
