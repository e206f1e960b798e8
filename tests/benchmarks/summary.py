"""The page results/performance/README.md, from the measurements beside it.

python tests/benchmarks/summary.py
"""

import json
import statistics
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
    rows += _rows(_read(folder, "rows"))
    rows += [*_start(_read(folder, "start")), *_media(_read(folder, "media")), *_records(_read(folder, "records"))]
    rows += _true_size(folder)
    published = [["what", "on", "published"]]
    for row in _read(folder, "published")["rows"]:
        published.append([row["what"], row["hardware"], f"[{row['published']}]({row['source']})"])
    cards = sorted(path.stem for path in folder.glob("gpu_*.json"))
    on_gpu = [["what, 7 billion parameters", "number", "how it is known"]]
    on_gpu += [row for card in cards for row in _gpu(_read(folder, card), card)]
    return "\n".join(
        [
            "# How fast, and how it is known",
            "",
            "Made by `python tests/benchmarks/summary.py` from the files beside this page. Times on a CPU say how ways",
            "compare on one machine, not how fast a GPU is. *Counted*: floating-point operations, by torch's counter.",
            "",
            table(rows),
            "",
            "## On a GPU",
            "",
            "Random weights of the true shapes, media in memory, bfloat16. One command measures it all, in under nine",
            f"minutes on a bare machine with torch and transformers: `{GPU}`.",
            "*MFU*: counted operations of a step over its time and over the card's 989 TFLOP/s.",
            "",
            table(on_gpu),
            "",
            "The 100 tokens were decoded once each way, in a process that had met none of these lengths before;",
            "attention is probably planned anew for each. The two lines before are of lengths met before.",
            "",
            "Since the training lines were measured, the host's part of a step is made behind the step before, and",
            "such a step should wait for nothing; `--only weights --only 'steps in a row'` measures and counts that.",
            "",
            "The real commands on that GPU and on a CPU in float32, with avere-nano and clips to decode:",
            "",
            table(_commands(_read(folder, "commands_h200"))),
            "",
            "## Published by others",
            "",
            "For other models, tasks and machines: not to be compared row by row.",
            "",
            table(published),
            "",
        ]
    )


def _gpu(content: dict[str, Any], page: str) -> list[list[str]]:
    """The rows of one card, from what `gpu.py` left."""
    how = f"[measured]({page}.md), {content['about']['card']}"
    stages, questions = content["stages"], content["evaluation"]
    best = "ours, batch 32, 1.5 questions a clip"
    steps = (stages["generate_5_ms_a_clip"] - stages["generate_1_ms_a_clip"]) * stages["rows"] / 4
    recorded = (stages["generate_100_ms_a_clip"] - stages["generate_1_ms_a_clip"]) * stages["rows"] / 99
    rows = [
        ["the card: a matrix product", f"{content['roofline']['matmul_tflops']:.0f} TFLOP/s"],
        ["the card: a copy, read and written", f"{content['roofline']['copy_tbps']:.1f} TB/s"],
        ["a clip's prefix, 8 at once", f"{stages['prefix_as_it_is_ms_a_clip']:.0f} ms"],
    ]
    for name in ("released", "cached", *(best.replace("32", str(size)) for size in (1, 8)), best):
        found = questions[name]
        rows.append([name, f"{found['questions_a_second']:.1f} questions/s, {found['peak_gib']:.0f} GiB"])
    found = content["evaluation, Liger's kernels"][best]
    rows.append([f"{best}, Liger's kernels", f"{found['questions_a_second']:.1f} questions/s"])
    rows.append(["a step of decoding, 8 rows: recorded (long answers)", f"{recorded:.0f} ms"])
    rows.append(["the same: launched kernel by kernel (answers of 5 tokens)", f"{steps:.0f} ms"])
    long = stages["generate_100_not_recorded_ms_a_clip"] / stages["generate_100_ms_a_clip"]
    rows.append(["100 tokens for the first time: recorded over launched", f"{long:.1f} times as fast"])
    for kind in ("picture", "sound"):
        section = content[f"training, batch 2, {kind} rejected"]
        rows += [
            _gpu_step(f"training, {kind} rejected: {way}", section[way]) for way in reversed(section) if "," in way
        ]
        fast, slow = section["packed, kept"], section["plain, live"]
        ratio = slow["seconds"]["median"] / fast["seconds"]["median"]
        rows.append(["the same: packed and kept over plain and live", f"{ratio:.2f} times as fast"])
    for name in ("Liger's kernels", "recomputed", "recomputed, batch 8", "inputs cast"):
        rows.append(_gpu_step(f"training, packed, kept: {name}", content[f"training, {name}"]["packed, kept"]))
    exact, half = content["correctness"]["float32"], content["correctness"]["bfloat16"]
    rows.append(["avere-nano there and on a CPU: logits apart, float32", f"{exact['logits_relative']:.1g} of them"])
    rows.append(
        ["the same: answers equal, float32 and bfloat16", f"{exact['same_answers']:.0%}, {half['same_answers']:.0%}"]
    )
    return [[*row, how] for row in rows]


def _commands(content: dict[str, Any]) -> list[list[str]]:
    rows = [["command", "beside a CPU in float32"]]
    for one in content["evaluations"]:
        rows.append([f"`{one['command']}`", f"{one['equal']:,} of {one['answers']:,} answers are equal"])
    for one in content["trainings"]:
        apart = max(abs(a - b) for a, b in zip(one["losses"], content["cpu_losses"], strict=True))
        said = f"losses of {len(one['losses'])} steps at most {apart:.1g} apart"
        rows.append([f"`{content['training']}`, {one['changes']}", said])
    return rows


def _gpu_step(name: str, found: dict[str, Any]) -> list[str]:
    mfu = f", MFU {found['mfu']:.0%}" if "mfu" in found else ""
    return [name, f"{found['seconds_a_record']:.2f} s a record, {found['peak_gib']:.0f} GiB{mfu}"]


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


def _rows(content: dict[str, Any]) -> list[list[str]]:
    found = content["kinds"]["clips and texts"]
    each, ours = found["seconds"]["a row each"], found["seconds"]["tree by tree"]
    ratio = statistics.median(a / b for a, b in zip(each, ours, strict=True))
    work = found["work"]["a row each"] / found["work"]["tree by tree"]
    how = f"[measured](rows.md), {content['about']['machine']}"
    return [
        ["supervised, clips and texts: rows of several over a row each", f"{ratio:.2f} times as fast", how],
        ["the same: work", f"{work:.2f} times", "counted"],
    ]


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
