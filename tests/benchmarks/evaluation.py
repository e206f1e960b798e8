"""How fast questions are answered: the released procedure, a KV cache, and ours, interleaved in one process.

    OMP_NUM_THREADS=2 python tests/benchmarks/evaluation.py    # avere-nano on the built mini benchmark
    python tests/benchmarks/evaluation.py --random 7b --device cuda --clips 8   # 7B-shaped random weights, bfloat16

(a) released: one question at a time; its clip is decoded, and at every new token both towers and the whole sequence run
    again (the released forward pass is handed the media at every step and keeps no keys or values).
(b) cached: one question at a time; its clip is decoded and encoded once for it, then one token a step on a KV cache.
(c) ours: `model_adapters.avere.runner`, as lmms-eval runs it.

Each procedure answers the same questions; their answers must be equal (in float32). Times include decoding the media,
as in a run; "model only" repeats them with decoded media in memory. Work is floating-point operations counted by torch:
those of (a) and (b) over ours at batch size 1, which is what sharing alone explains; batching comes on top.
Writes NAME.json and NAME.md to results/performance/.
"""

import argparse
import functools
import json
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import random_avere
import torch
from procedures import LIMIT, Bench, load_questions, take
from torch.utils.flop_counter import FlopCounterMode

from emorealm_tasks import settings
from model_adapters.avere import clips, folders, loading
from model_adapters.avere.runner import Question, Runner
from model_adapters.base.arguments import choose_device, choose_dtype
from model_adapters.base.media_refs import ClipFiles

RATIOS = (1.0, 1.5, 3.0, 5.0)  # questions a clip; 1.5 is the benchmark's own
ROOT = Path(__file__).resolve().parents[2]


def timed(work: Callable[[], list], device: torch.device) -> tuple[float, list]:
    """Seconds until the answers are really there, and the answers."""
    started = time.perf_counter()
    answers = work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started, answers


def flops(work: Callable[[], list]) -> int:
    """Floating-point operations of one run, by torch's counter."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def measure(bench: Bench, questions: list[Question], repeats: int) -> dict:
    """Everything about one number of questions a clip."""
    result = {"questions": len(questions), "clips": len({question.clip for question in questions})}
    result["with_media"] = race(bench, questions, repeats)
    bench = Bench(bench.model, bench.processor, bench.batch_size, functools.cache(clips.decode))
    bench.ours(questions)  # fills the memory
    result["model_only"] = race(bench, questions, repeats)
    shared = flops(lambda: bench.ours(questions, batch_size=1))
    result["work"] = {
        "released": flops(lambda: bench.released(questions)) / shared,
        "cached": flops(lambda: bench.cached(questions)) / shared,
    }
    return result


def race(bench: Bench, questions: list[Question], repeats: int) -> dict:
    """Interleaved rounds of the three: seconds of each, and by their medians questions a second and speed-ups."""
    procedures = {"released": bench.released, "cached": bench.cached, "ours": bench.ours}
    seconds: dict[str, list[float]] = {name: [] for name in procedures}
    answers: dict[str, list] = {}
    for _ in range(repeats):
        for name, procedure in procedures.items():
            spent, answers[name] = timed(lambda procedure=procedure: procedure(questions), bench.model.device)
            seconds[name].append(spent)
    return {
        "seconds": seconds,
        "questions_per_second": {name: len(questions) / statistics.median(spent) for name, spent in seconds.items()},
        "speedup": {name: _ratio(seconds[name], seconds["ours"]) for name in ("released", "cached")},
        "equal_answers": {name: _equal(answers[name], answers["ours"]) for name in ("released", "cached")},
        "tokens_per_question": statistics.mean(min(len(ids) + 1, LIMIT) for ids in answers["ours"]),
    }


def _ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def _equal(left: list, right: list) -> float:
    return sum(a == b for a, b in zip(left, right, strict=True)) / len(right)


def decode_seconds(processor, chosen: Sequence[ClipFiles]) -> float:
    """Median seconds to decode and prepare one clip's video and sound, one after the other."""
    spent = []
    for clip in chosen:
        started = time.perf_counter()
        for medium in clip.media:
            clips.decode(processor, medium)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


class Instant(Runner):
    """Answers every question at once with the same id, so that only the rest takes time."""

    def generate(self, questions: Sequence[Question]) -> Iterator[tuple[int, list[int]]]:
        return ((number, [1]) for number in range(len(questions)))


def harness_seconds(folder: Path) -> float:
    """Seconds per question that a run of emorealm_mini spends outside the model and the media.

    That is lmms-eval's requests, our messages, prompts and their ids, reading of answers, scores and intervals.
    """
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.models import get_model
    from lmms_eval.tasks import TaskManager

    model = get_model("avere")(pretrained=str(folder), device="cpu")
    model.runner = Instant(model.encoder, model.runner.batch_size, model.runner.eos)
    model.encoder.media_facts = defaultdict(dict)
    manager = TaskManager(model_name="avere")
    started = time.perf_counter()
    told = {"task_manager": manager, "log_samples": True, "verbosity": "ERROR"}
    results = simple_evaluate(model=model, tasks=["emorealm_mini"], **told)
    spent = time.perf_counter() - started
    return spent / sum(map(len, results["samples"].values()))


def build(arguments: argparse.Namespace) -> Bench:
    """The model that is asked for: trained weights, or random ones of avere-nano's or AVERE-7B's shape."""
    device = choose_device(arguments.device, "avere")
    dtype = choose_dtype(arguments.dtype, device, "avere")
    folder = folders.find_weights(arguments.model).folder
    if arguments.random is None:
        model = loading.load_model(folder, device, dtype, None, None)
        return Bench(model.requires_grad_(False), loading.load_processor(folder), arguments.batch_size)
    return Bench(*random_avere.build(arguments.random, device, dtype), arguments.batch_size)


def table(report: dict) -> str:
    """The report as Markdown."""
    machine = ", ".join(f"{key} {value}" for key, value in report["machine"].items())
    lines = [
        f"# Speed of evaluation: {report['model']}",
        "",
        f"`{report['command']}`",
        "",
        f"Batch size {report['batch_size']}, {report['dtype']} on {report['device']} ({machine}), {report['repeats']} "
        f"interleaved rounds, medians; {report['tokens']} prompt tokens a question.",
        "",
        "| questions a clip | media | released q/s | cached q/s | ours q/s | ours / released (work alone) "
        "| ours / cached (work alone) | equal answers |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for ratio, result in report["ratios"].items():
        for key, label in (("with_media", "decoded from disk"), ("model_only", "in memory")):
            race_of, work = result[key], result["work"]
            speed = " | ".join(f"{race_of['questions_per_second'][n]:.1f}" for n in ("released", "cached", "ours"))
            gains = " | ".join(f"{race_of['speedup'][n]:.2f} ({work[n]:.2f})" for n in ("released", "cached"))
            equal = " / ".join(f"{100 * race_of['equal_answers'][n]:.0f}%" for n in ("released", "cached"))
            lines.append(f"| {ratio} | {label} | {speed} | {gains} | {equal} |")
    lines += ["", f"Decoding and preparing one clip's media: {1000 * report['decode_seconds']:.1f} ms (median)."]
    if "harness_seconds" in report:
        lines.append(f"Harness outside the model: {1000 * report['harness_seconds']:.2f} ms a question.")
    return "\n".join(lines) + "\n"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="folder of AVERE weights (default: avere-nano)")
    parser.add_argument("--random", choices=tuple(random_avere.CONFIGS), help="random weights of this shape")
    parser.add_argument("--data", type=Path, default=settings.load().mini, help="folder of a built mini benchmark")
    parser.add_argument("--clips", type=int, default=80, help="clips to ask about")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved rounds")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--no-harness", action="store_true", help="do not time the harness")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance")
    parser.add_argument("--name", default="evaluation", help="name of the two files written")
    return parser.parse_args()


def save(report: dict, out: Path, name: str) -> None:
    """Write what is measured so far."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / f"{name}.md").write_text(table(report))


def main() -> int:
    arguments = parse()
    bench = build(arguments)
    by_clip = load_questions(arguments.data, bench.processor)
    every = [question for questions in by_clip.values() for question in questions]
    folder = folders.find_weights(arguments.model).folder
    report = {
        "model": f"random weights, {arguments.random} shape" if arguments.random else folder.name,
        "command": " ".join(["python", "tests/benchmarks/evaluation.py", *sys.argv[1:]]),
        "machine": {"torch": torch.__version__, "threads": torch.get_num_threads(), "processor": platform.machine()},
        "device": str(bench.model.device),
        "dtype": str(bench.model.dtype),
        "batch_size": arguments.batch_size,
        "repeats": arguments.repeats,
        "tokens": round(statistics.mean(len(question.ids) for question in every)),
        "ratios": {},
    }
    write = functools.partial(save, report, arguments.out, arguments.name)
    if not arguments.no_harness:  # first: it is soonest done
        report["harness_seconds"] = harness_seconds(folder)
    report["decode_seconds"] = decode_seconds(bench.processor, list(by_clip)[: arguments.clips])
    write()
    for ratio in RATIOS:
        result = measure(bench, take(by_clip, ratio, arguments.clips), arguments.repeats)
        report["ratios"][str(ratio)] = result
        write()
        print(f"{ratio} questions a clip: {result['with_media']['speedup']}", flush=True)
    print(table(report))
    exact = bench.model.dtype == torch.float32
    agree = all(share == 1 for r in report["ratios"].values() for share in r["with_media"]["equal_answers"].values())
    return 1 if exact and not agree else 0


if __name__ == "__main__":
    sys.exit(main())
