"""The page results/performance/README.md, from the measurements beside it.

python tests/benchmarks/summary.py
"""

import json
import sys
from pathlib import Path
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.markdown import table

FOLDER = Path(__file__).resolve().parents[2] / "results" / "performance"
GPU = "PYTHONPATH=. python3 tests/benchmarks/gpu.py --out OUT"


def main() -> int:
    """Write the page."""
    files.write(FOLDER / "README.md", page(FOLDER))
    return 0


def page(folder: Path) -> str:
    """The page as Markdown, from the JSON files of a folder."""
    rows = [["what", "number", "how it is known"]]
    rows += [*_evaluation(_read(folder, "evaluation")), *_training(_read(folder, "training"))]
    rows += [*_start(_read(folder, "start")), *_media(_read(folder, "media")), *_records(_read(folder, "records"))]
    rows += _true_size(folder)
    published = [["what", "on", "published"]]
    for row in _read(folder, "published")["rows"]:
        published.append([row["what"], row["hardware"], f"[{row['published']}]({row['source']})"])
    cards = sorted(path.stem for path in folder.glob("gpu*.json"))
    waiting = "No GPU has run this code yet, so there is no time, utilisation or roofline of one on this page."
    gpu = "Measured on GPUs: " + ", ".join(f"[{name}]({name}.md)" for name in cards) if cards else waiting
    return "\n".join(
        [
            "# How fast, and how it is known",
            "",
            "Made by `python tests/benchmarks/summary.py` from the files beside this page. Times on a CPU say how ways",
            "compare on one machine, not how fast a GPU is. *Counted*: floating-point operations, by torch's counter.",
            "",
            table(rows),
            "",
            gpu,
            f"One command measures it, in under nine minutes on a bare machine with torch and transformers: `{GPU}`.",
            "",
            "Assumed: a GPU reaches 30% of its peak, where hours of [training](../../docs/training_scale.md) and of",
            "[evaluation](../../docs/faq.md) are told.",
            "",
            "## Published by others",
            "",
            "For other models, tasks and machines: not to be compared row by row.",
            "",
            table(published),
            "",
        ]
    )


def _read(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


def _machine(content: dict[str, Any], page: str) -> str:
    return f"[measured]({page}.md), {content['device']}, {content['dtype'].removeprefix('torch.')}"


def _evaluation(content: dict[str, Any]) -> list[list[str]]:
    found = content["ratios"]["1.5"]
    way, how = found["with_media"], _machine(content, "evaluation")
    rows = [
        [f"{content['model']}, 1.5 questions a clip: {name}", f"{value:.0f} questions/s", how]
        for name, value in way["questions_per_second"].items()
    ]
    for name, value in found["work"].items():
        rows.append([f"the same: work of {name} over ours, both at batch size 1", f"{value:.2f} times", "counted"])
    return rows


def _training(content: dict[str, Any]) -> list[list[str]]:
    rows, how = [], _machine(content, "training")
    for kind, found in content["kinds"].items():
        for name, value in found["speedup"].items():
            rows.append([f"training, {kind} rejected: {name}", f"{value:.2f} times as fast", how])
        first, *_, last = found["work"].items()
        rows.append([f"the same: work of {first[0]} over {last[0]}", f"{first[1] / last[1]:.2f} times", "counted"])
    return rows


def _start(content: dict[str, Any]) -> list[list[str]]:
    totals = sorted(sum(one.values()) for one in content["rounds"])
    median = totals[len(totals) // 2]
    return [["from the command to the first answer", f"{median:.1f} s", f"[measured](start.md), {content['machine']}"]]


def _media(content: dict[str, Any]) -> list[list[str]]:
    return [
        [f"reading 8 frames of {name}: ours over decord", f"{row['ratio processor']:.2f} times the time", how]
        for name, row in content["rows"].items()
        if (how := f"[measured](media.md), processor time, {content['machine']}")
    ]


def _records(content: dict[str, Any]) -> list[list[str]]:
    how = f"[measured](records.md), {content['machine']}"
    return [
        [f"{int(size):,} {kind}: anonymous memory before the first update", f"{found['peak_mib']:.0f} MiB", how]
        for kind, sizes in content["kinds"].items()
        for size, found in sizes.items()
    ]


def _true_size(folder: Path) -> list[list[str]]:
    if not (folder / "true_size.json").exists():
        return []
    content, how = _read(folder, "true_size"), "[measured](true_size.md), random weights of the true shapes"
    convert, load = content["convert"], content["load"]
    return [
        ["AVERE-7B: parameters with its towers", f"{load['parameters']:,}", "counted"],
        ["AVERE-7B: anonymous memory of the converter", f"{convert['peak anonymous GiB']} GiB", how],
        ["AVERE-7B: anonymous memory of loading and two tokens", f"{load['peak anonymous GiB']} GiB", how],
    ]


if __name__ == "__main__":
    sys.exit(main())
