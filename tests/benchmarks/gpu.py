"""One command, one GPU, nine minutes: are the numbers right there, how fast is everything at AVERE-7B's size, and why.

    PYTHONPATH=. python3 tests/benchmarks/gpu.py --out OUT                              # random 7B weights, no media
    PYTHONPATH=. python3 tests/benchmarks/gpu.py --scale tiny --device cpu --out OUT    # the same path, seconds

Needs torch, transformers, peft, accelerate, sentencepiece, psutil and threadpoolctl: no media library, no lmms-eval, no
dataset, no network. Sections run in the order of their worth. Each is guarded, and is written to gpu.json and gpu.md as
soon as it ends; one that would not fit into the time left is left out and says so. `--peak-tflops` is the card's
data-sheet figure for dense bfloat16 (H100 and H200 SXM: 989); MFU is counted work over time over that.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import random_avere
import torch
import training
from gpu_machine import Machine, roofline
from gpu_report import page
from peft.helpers import disable_input_dtype_casting
from procedures import Bench
from torch.utils.flop_counter import FlopCounterMode

from avem_train.dpo import memory_estimate
from emorealm_tasks import files
from emorealm_tasks.sequences import common_prefix
from model_adapters.avere import loading, step_graph
from model_adapters.avere.prefix import generate, run_prefix
from model_adapters.avere.runner import Question
from model_adapters.base import liger
from model_adapters.base.embedded import NANO

CHEAPEST_FIRST = tuple(reversed(training.MODES))  # what runs out of memory comes last
DEFAULTS = {
    "7b": {"prefix": 2230, "response": 60, "repeats": 3},
    "tiny": {"prefix": 150, "response": 5, "repeats": 1},
}
NOISE = 0.02  # standard deviation of LoRA's second matrix, which is zero at first and then passes no gradient on


@dataclass
class Kit:
    """What the sections share."""

    machine: Machine
    """Where everything runs."""
    options: argparse.Namespace
    """See `parse`."""
    model: Any = None
    """The model of `--scale`, once the section `weights` has made it."""
    processor: Any = None
    """Its processor."""


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    name: str
    """Its key in gpu.json."""
    seconds: float
    """What it is expected to take on an H100 at 7B; it is left out where less is left."""
    job: Callable[[Kit], dict[str, Any]] = field(repr=False)
    """Gives the section's numbers."""
    on_cpu: bool = True
    """Whether it makes sense where there is no GPU."""

    def left_out(self, machine: Machine, only: Sequence[str], left: float) -> str:
        """Why it is not run with `left` seconds to go; "" = it is."""
        if only and not any(part in self.name for part in only):
            return "not asked for"
        if not machine.cuda:
            return "" if self.on_cpu else "needs a GPU"
        return "" if left >= self.seconds else f"{left:.0f} s left, it needs about {self.seconds:.0f}"


def weights(kit: Kit) -> dict[str, Any]:
    """The model with its towers, random weights made on the device."""
    started = time.perf_counter()
    kit.model, kit.processor = random_avere.build(kit.options.scale, kit.machine.device, kit.machine.dtype)
    kit.machine.synchronise()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "parameters": sum(p.numel() for p in kit.model.parameters())}


def stages(kit: Kit) -> dict[str, Any]:
    """One batch of clips by stage, milliseconds a clip; the prefix as it is run and in one causal piece."""
    machine, model, config = kit.machine, kit.model, kit.model.config
    rows = 8 if machine.cuda else 2
    size, frames = config.vision_config.image_size, config.vision_config.num_frames
    kind = {"device": machine.device, "dtype": model.dtype}
    pixels = torch.randn(rows, frames, 3, size, size, **kind)
    mel = torch.randn(rows, config.audio_config.num_mel_bins, 100 * config.audio_config.window_seconds, **kind)
    asked = random_avere.questions(kit.processor, rows, 1.0)
    length = common_prefix([question.ids for question in asked], remainder=1)
    ids, suffixes = asked[0].ids[:length], [question.ids[length:] for question in asked]
    found: dict[str, Any] = {"rows": rows, "prefix_tokens": length}
    with torch.inference_mode():
        video, audio = model.get_video_features(pixels), model.get_audio_features(mel)
        line = torch.tensor([list(ids)] * rows, device=machine.device)
        prefix = run_prefix(model, ids, rows, video, audio)
        media = {"video_features": video, "audio_features": audio}
        work = {
            "video_tower": lambda: model.get_video_features(pixels),
            "video_tower_one_by_one": lambda: [model.get_video_features(one[None]) for one in pixels],
            "audio_tower": lambda: model.get_audio_features(mel),
            "prefix_as_it_is": lambda: run_prefix(model, ids, rows, video, audio),
            "prefix_one_causal_piece": lambda: model(input_ids=line, use_cache=True, logits_to_keep=1, **media),
            "generate_5": lambda: generate(model, prefix, range(rows), suffixes, [5] * rows, -1),
            "generate_1": lambda: generate(model, prefix, range(rows), suffixes, [1] * rows, -1),
            "generate_100": lambda: generate(model, prefix, range(rows), suffixes, [100] * rows, -1),
        }
        for name, job in work.items():
            found[f"{name}_ms_a_clip"] = 1e3 * machine.clock(job, 3, 1)["median"] / rows
        with patch.object(step_graph, "pays", lambda *_: False):
            found["generate_100_not_recorded_ms_a_clip"] = (
                1e3 * machine.clock(work["generate_100"], 1, 0)["median"] / rows
            )
        found["profile_prefix"] = machine.profile(work["prefix_as_it_is"])
    return found


def evaluation(kit: Kit) -> dict[str, Any]:
    """Questions a second of the released procedure, a KV cache, and ours by batch size; media in memory."""
    machine = kit.machine
    bench = Bench(kit.model, kit.processor, 8, random_avere.random_media)
    few = random_avere.questions(kit.processor, 4, 1.5)
    found: dict[str, Any] = {}
    for name, procedure in (("released", bench.released), ("cached", bench.cached)):
        found[name] = _rate(machine, procedure, few, few[:1])
    for batch in (1, 8, 16, 32):
        for ratio in (1.0, 1.5):
            asked = random_avere.questions(kit.processor, max(8, 2 * batch) if machine.cuda else 4, ratio)
            run = lambda questions, batch=batch: bench.ours(questions, batch)  # noqa: E731
            found[f"ours, batch {batch}, {ratio} questions a clip"] = _rate(machine, run, asked, asked[: 2 * batch])
    released = found["released"].get("questions_a_second")
    for result in found.values():
        if released and "questions_a_second" in result:
            result["over_released"] = result["questions_a_second"] / released
    asked = random_avere.questions(kit.processor, 16 if machine.cuda else 4, 1.5)
    found["profile_batch_8"] = machine.profile(lambda: bench.ours(asked, 8))
    return found


def _rate(
    machine: Machine, procedure: Callable[[list[Question]], Any], asked: list[Question], warm_up: list[Question]
) -> dict[str, Any]:
    machine.free()
    try:
        procedure(warm_up)
        seconds = machine.clock(lambda: procedure(asked), 2, 0)["median"]
    except torch.OutOfMemoryError:
        return {"out_of_memory": True}
    return {"questions_a_second": len(asked) / seconds, "peak_gib": machine.peak()}


def correctness(kit: Kit) -> dict[str, Any]:
    """avere-nano in float32 and bfloat16 on the device against float32 on the CPU: features, logits, answers."""
    processor = loading.load_processor(NANO)
    asked = random_avere.questions(processor, 16, 1.5)

    def load(device: torch.device, dtype: torch.dtype) -> Bench:
        model = loading.load_model(NANO, device, dtype, None, None)
        return Bench(model, processor, 8, random_avere.random_media)

    def values(bench: Bench) -> tuple[torch.Tensor, torch.Tensor]:
        media, row = bench.inputs(asked[0]), torch.tensor([list(asked[0].ids)], device=bench.model.device)
        with torch.inference_mode():
            features = bench.model.get_video_features(media["pixel_values_videos"])
            return features.float().cpu(), bench.model(input_ids=row, **media).logits[0].float().cpu()

    exact = load(torch.device("cpu"), torch.float32)
    (features, logits), answers = values(exact), exact.ours(asked)
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        here = load(kit.machine.device, dtype)
        (seen, given), said = values(here), here.ours(asked)
        found[str(dtype).removeprefix("torch.")] = {
            "features_relative": ((seen - features).norm() / features.norm()).item(),
            "logits_relative": ((given - logits).norm() / logits.norm()).item(),
            "logits_max": (given - logits).abs().max().item(),
            "same_argmax": (given.argmax(-1) == logits.argmax(-1)).float().mean().item(),
            "same_answers": statistics.mean(a == b for a, b in zip(said, answers, strict=True)),
            "released_procedure_same": here.released(asked[:4]) == said[:4],
            "batch_1_same": here.ours(asked, 1) == said,
        }
    return found


def gradients(kit: Kit) -> dict[str, Any]:
    """Packed against plain, float32, a small model with noise in LoRA's second matrix: distance of gradients."""
    found = {}
    for kind, about in training.KINDS.items():
        options = argparse.Namespace(
            shape="tiny", prefix=300, response=20, batch=2, checkpointing=False, dtype=torch.float32
        )
        options.device = kit.machine.device.type
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            bench = training.Bench(training.build(options), options, about, Path(folder), stack)
            generator = torch.Generator().manual_seed(0)
            for name, parameter in bench.model.named_parameters():
                if "lora_B" in name:
                    parameter.data = NOISE * torch.randn(parameter.shape, generator=generator).to(parameter)
            plain, packed = (_gradient(bench, mode) for mode in ("plain, kept", "packed, kept"))
            found[kind] = {"relative": ((plain - packed).norm() / plain.norm()).item(), "norm": plain.norm().item()}
    return found


def _gradient(bench: training.Bench, mode: str) -> torch.Tensor:
    bench.step(mode)
    return torch.cat([p.grad.flatten() for p in bench.model.parameters() if p.grad is not None]).clone()


def steps(
    kit: Kit,
    batch: int,
    kind: str,
    modes: Sequence[str] = CHEAPEST_FIRST,
    checkpointing: bool = False,
    cast_inputs: bool = False,
    prepare: Callable[[Any], None] = lambda model: None,
) -> dict[str, Any]:
    """Ways of `training.py` on one batch: seconds, work, MFU, peak and estimated memory; each may run out of memory.

    cast_inputs: let PEFT cast LoRA's inputs to the adapters' type, which a run does not. prepare: is given the model
    before it gets adapters.
    """
    machine = kit.machine
    found: dict[str, Any] = {}
    prepare(kit.model)
    with _bench(kit, batch, kind, checkpointing, cast_inputs) as bench:
        for mode in modes:
            machine.free()
            try:
                found[mode] = _step(kit, bench, mode, checkpointing)
            except torch.OutOfMemoryError:
                found[mode] = {"out_of_memory": True, "peak_gib": machine.peak()}
        if not checkpointing:
            found["profile"] = machine.profile(lambda: bench.step(modes[0]))
    return found


@contextmanager
def _bench(
    kit: Kit, batch: int, kind: str, checkpointing: bool = False, cast_inputs: bool = False
) -> Iterator[training.Bench]:
    """The trainers of `training.py` on the kit's model, for the block."""
    options = argparse.Namespace(**vars(kit.options))
    options.batch, options.checkpointing, options.dtype = batch, checkpointing, kit.model.dtype
    options.device = kit.machine.device.type
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = training.Bench(kit.model, options, training.KINDS[kind], Path(folder), stack)
        stack.enter_context(disable_input_dtype_casting(bench.model, not cast_inputs))
        yield bench
        bench.model.zero_grad(set_to_none=True)
    kit.machine.free()


def in_a_row(kit: Kit, batch: int, kind: str, count: int = 4) -> dict[str, Any]:
    """Packed steps with kept values, one after the other: seconds of one, waits, share of time at work.

    As in a run each is an update but for the update itself: losses and gradients are looked at, which waits for the
    GPU; what the host makes of the next batch it makes before that. The clips' features are looked up. Waits are
    counted of a step without the look and of one with it.
    """
    machine, mode = kit.machine, CHEAPEST_FIRST[0]
    with _bench(kit, batch, kind) as bench:

        def row() -> list[torch.Tensor]:
            return [bench.step(mode, look=True) for _ in range(count)]

        found: dict[str, Any] = {"seconds_a_step": machine.clock(row, kit.options.repeats, 1)["median"] / count}
        if machine.cuda:
            found["waits_with_look"] = machine.waits(lambda: bench.step(mode, look=True))
            found["waits"] = machine.waits(lambda: bench.step(mode))
        found["profile"] = machine.profile(row)
    return found


def _step(kit: Kit, bench: training.Bench, mode: str, checkpointing: bool) -> dict[str, Any]:
    machine = kit.machine
    found: dict[str, Any] = {"loss": bench.step(mode).item()}
    records, seconds = len(bench.samples), machine.clock(lambda: bench.step(mode), kit.options.repeats, 0)
    found |= {"seconds": seconds, "seconds_a_record": seconds["median"] / records}
    found |= {"peak_gib": machine.peak(), "estimated_gib": _estimated(bench, mode, kit, checkpointing) / 2**30}
    if not checkpointing:  # the counter holds on to activations that are computed again, and the same is useful work
        with FlopCounterMode(display=False) as counter:
            bench.step(mode)
        work = counter.get_total_flops()
        found |= {"tflop": work / 1e12, "mfu": work / seconds["median"] / (kit.options.peak_tflops * 1e12)}
    return found


def _estimated(bench: training.Bench, mode: str, kit: Kit, checkpointing: bool) -> int:
    """What a run says of its memory before it begins, bytes."""
    dataset, half = bench.datasets[mode], kit.machine.cuda
    records = dataset.of(bench.samples)
    options = memory_estimate.ComputeOptions(bench.settings.lora.rank, half, half, not half, checkpointing)
    batch = memory_estimate.batch_of(dataset, records)
    return memory_estimate.estimate(kit.model.config.text_config, list(bench.model.parameters()), batch, options).total


def with_liger(model: Any) -> None:
    """Put Liger's kernels into the decoder, for good."""
    liger.apply(model, "this section")


def evaluation_with_liger(kit: Kit) -> dict[str, Any]:
    """Questions a second at the largest batch, Liger's kernels in the decoder."""
    with_liger(kit.model)
    bench = Bench(kit.model, kit.processor, 32, random_avere.random_media)
    asked = random_avere.questions(kit.processor, 64, 1.5)
    return {"ours, batch 32, 1.5 questions a clip": _rate(kit.machine, bench.ours, asked, asked[:64])}


def sections() -> Iterator[Section]:
    """All of them, in the order of their worth."""
    yield Section("roofline", 15, lambda kit: roofline(kit.machine))
    yield Section("weights", 30, weights)
    yield Section("stages", 30, stages)
    yield Section("training, batch 1, picture rejected", 40, lambda kit: steps(kit, 1, "picture"))
    yield Section("evaluation", 90, evaluation)
    yield Section("correctness", 30, correctness)
    yield Section("gradients", 20, gradients)
    best = CHEAPEST_FIRST[:1]
    yield Section("training, batch 2, picture rejected", 40, lambda kit: steps(kit, 2, "picture"))
    yield Section("steps in a row, batch 2, picture rejected", 30, lambda kit: in_a_row(kit, 2, "picture"))
    yield Section("training, batch 2, sound rejected", 35, lambda kit: steps(kit, 2, "sound"))
    yield Section("training, recomputed", 40, lambda kit: steps(kit, 2, "picture", checkpointing=True))
    yield Section("training, recomputed, batch 8", 35, lambda kit: steps(kit, 8, "picture", best, checkpointing=True))
    yield Section("training, inputs cast", 25, lambda kit: steps(kit, 2, "picture", best, cast_inputs=True))
    prepared = partial(steps, batch=2, kind="picture", modes=best)
    with_kernels = partial(prepared, prepare=with_liger)
    yield Section("training, Liger's kernels", 30, with_kernels, False)
    yield Section("training, Liger's, recomputed", 30, partial(with_kernels, checkpointing=True), False)
    yield Section("evaluation, Liger's kernels", 20, evaluation_with_liger, False)


@contextmanager
def guarded(report: dict[str, Any], name: str, machine: Machine) -> Iterator[None]:
    """A section that fails leaves its error, and the others go on."""
    try:
        yield
    except Exception as error:
        report[name] = {"failed": f"{type(error).__name__}: {error}"[:500], "where": traceback.format_exc()[-1500:]}
        machine.free()


def describe(options: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    """What was run on what."""
    import accelerate
    import peft
    import transformers

    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft, accelerate)}
    about = {"command": " ".join(["python", "tests/benchmarks/gpu.py", *sys.argv[1:]]), "versions": versions}
    about |= {"scale": options.scale, "device": str(machine.device), "python": platform.python_version()}
    if machine.cuda:
        properties = torch.cuda.get_device_properties(0)
        about |= {"card": torch.cuda.get_device_name(), "memory_gib": properties.total_memory / 2**30}
    return about


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=("7b", "tiny"), default="7b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, required=True, help="folder of gpu.json and gpu.md")
    parser.add_argument("--minutes", type=float, default=9.0, help="no section begins that would not end by then")
    parser.add_argument("--only", action="append", default=[], help="run sections whose names hold this; repeatable")
    parser.add_argument("--prefix", type=int, help="tokens of a training prompt (default: 2230, tiny 150)")
    parser.add_argument("--response", type=int, help="tokens of a response (default: 60, tiny 5)")
    parser.add_argument("--repeats", type=int, help="timed steps of each kind (default: 3, tiny 1)")
    parser.add_argument("--peak-tflops", type=float, default=989.0, help="dense bfloat16, for MFU")
    options = parser.parse_args()
    for name, value in DEFAULTS[options.scale].items():
        setattr(options, name, getattr(options, name) or value)
    return options


def main() -> int:
    started, options = time.perf_counter(), parse()
    machine = Machine(options.device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    warnings.filterwarnings("ignore", message="The PEFT config's")  # of a base that is in memory only
    kit, report = Kit(machine, options), {"about": describe(options, machine), "seconds": {}}
    for section in sections():
        begun = time.perf_counter()
        left = 60 * options.minutes - (begun - started)
        if reason := section.left_out(machine, options.only, left):
            report[section.name] = {"left_out": reason}
        else:
            with guarded(report, section.name, machine):
                report[section.name] = section.job(kit)
        report["seconds"][section.name] = time.perf_counter() - begun
        files.write_json(options.out / "gpu.json", report)
        files.write(options.out / "gpu.md", page(report))
        print(f"{section.name}: {report['seconds'][section.name]:.1f} s", flush=True)
    print(page(report))
    return int(any("failed" in section for section in report.values()))


if __name__ == "__main__":
    sys.exit(main())
