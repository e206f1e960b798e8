"""How fast preferences are trained on: plain or packed, the reference live or kept, interleaved in one process.

    OMP_NUM_THREADS=2 python tests/benchmarks/training.py    # a small language model, prompts as long as AVERE-7B's
    python tests/benchmarks/training.py --shape 7b --device cuda --batch 2    # 7B-shaped random weights, bfloat16

(plain) every response in a row of its own; (packed) common prefixes once. (live) the frozen model's values are
computed in every step; (kept) they are looked up. Each of the four makes the same step on the same records through the
trainer itself; the losses must be equal (in float32). Media are random features: clips are encoded once and cached, so
decoding and encoders are no part of a step. Two kinds of rejected media: a picture of another clip (nothing of the
media is shared) and only another sound (the picture in front of it is shared).
Work is floating-point operations counted by torch; utilisation is work / time / --peak-tflops. Peak memory is the
device's, or on a CPU the process's. Writes NAME.json and NAME.md to results/performance/.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import torch
from torch.utils.flop_counter import FlopCounterMode

from avem_train.backbones.base import Prompt, sources_of
from avem_train.data.negatives import Negatives
from avem_train.data.records import Preference
from avem_train.data.responses import Source
from avem_train.dpo import train
from avem_train.dpo.arguments import training_arguments
from avem_train.dpo.dataset import PreferenceDataset, Sample
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Optimiser
from avem_train.dpo.trainer import PreferenceTrainer
from avem_train.packing import attention
from avem_train.packing.tree import Packing, Token
from emorealm_tasks import files
from model_adapters.avere import AvereConfig, AvereForConditionalGeneration

ROOT = Path(__file__).resolve().parents[2]
SHAPES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2},
    "small": {"hidden_size": 1024, "intermediate_size": 2752, "num_hidden_layers": 2, "num_attention_heads": 8},
    "7b": {},
}
MODES = {
    "plain, live": (False, False),
    "plain, kept": (False, True),
    "packed, live": (True, False),
    "packed, kept": (True, True),
}
KINDS = {"picture": "video", "sound": "audio"}
"""What of the media is rejected -> what the prompt is about."""


class RandomMedia:
    """A backbone (see `avem_train.backbones.base`) of random features and ids: `prefix` tokens, `response` tokens."""

    def __init__(self, model: AvereForConditionalGeneration, folder: Path, prefix: int, response: int) -> None:
        self.model, self.folder, self.template = model, folder, "random"
        attention.install(model.model.language_model)
        self.system, self.question, self.length = 14, 28, response
        self.sizes = {"audio": 88, "video": prefix - 88 - self.system - self.question}
        self._features: dict[Source, torch.Tensor] = {}

    def encode(self, clips: list[tuple[Source, ...]]) -> dict[Source, torch.Tensor]:
        weight = self.model.get_input_embeddings().weight
        sources = sources_of(clips)
        for source in sources:
            if source not in self._features:
                made = torch.randn(self.sizes[source.kind], weight.shape[1])
                self._features[source] = made.to(weight.device, weight.dtype)
        return {source: self._features[source] for source in sources}

    def prefetch(self, sources: list[Source]) -> None:
        pass

    def knows(self, clips: list[tuple[Source, ...]]) -> bool:
        return True

    def prompt(self, text: str, sources: list[Source]) -> Prompt:
        kinds = [None] * self.system
        kinds += [(source, row) for source in sources for row in range(self.sizes[source.kind])]
        kinds += [None] * self.question
        tokens = [Token(place % 90, place, *(kind or ())) for place, kind in enumerate(kinds)]
        return Prompt(tuple(tokens), len(tokens))

    def response(self, text: str) -> list[int]:
        return [3 + (31 * len(text) + 7 * place + ord(text[-1])) % 90 for place in range(self.length)]


class Bench:
    """Trainers of the four modes on the same records and weights, prepared as a run prepares them.

    `arguments` as `parse` gives them: batch, prefix, response, device, dtype, checkpointing.
    """

    def __init__(
        self,
        model: AvereForConditionalGeneration,
        arguments: argparse.Namespace,
        about: str,
        folder: Path,
        stack: ExitStack,
    ) -> None:
        (folder / "config.json").write_text('{"model_type": "avere"}')  # for cached values and the family
        records = preferences(folder, about, 2 * arguments.batch)
        self.settings = DpoSettings(
            folder / "records.jsonl",
            folder / "out",
            optimiser=Optimiser(1e-4, batch=arguments.batch, accumulation=1, steps=1000, warm_up=0.0),
            running=Running(
                device="cpu" if arguments.device == "cpu" else "auto",
                dtype="bfloat16" if arguments.dtype == torch.bfloat16 else "float32",
                reference=str(folder / "kept"),
                checkpointing=arguments.checkpointing,
            ),
        )
        self.args = training_arguments(self.settings)
        self.backbone = RandomMedia(model, folder, arguments.prefix, arguments.response)
        self.datasets = {}
        for mode, (packed, keep) in MODES.items():
            settings = self.settings.objective, Negatives()
            dataset = PreferenceDataset(records, *settings, 0, self.backbone, None, (3, 4), Packing(packed))
            running = replace(self.settings.running, keep_reference=keep)
            dataset.cached = train.cached_logps(replace(self.settings, running=running), self.args, dataset)
            self.datasets[mode] = dataset
        self.model = stack.enter_context(train.adapters(self.settings, self.backbone))
        self.trainers = {
            mode: PreferenceTrainer(self.model, dataset, args=self.args) for mode, dataset in self.datasets.items()
        }
        prepared = next(iter(self.trainers.values())).accelerator.prepare_model(self.model)  # autocast, as in a run
        for trainer in self.trainers.values():
            trainer.model = trainer.model_wrapped = prepared
        self.samples = [Sample(number, 1.0, 0) for number in range(arguments.batch)]
        self.batches = {mode: trainer.data_collator(self.samples) for mode, trainer in self.trainers.items()}

    def step(self, mode: str, look: bool = False) -> torch.Tensor:
        """Forward and backward pass of one batch; the loss. No update, so that every mode has the same weights.

        The next batch is collated before, as a run does, and what can be made of it is made behind the step. look: at
        losses and gradients, as before every update.
        """
        trainer = self.trainers[mode]
        self.model.zero_grad(set_to_none=True)
        trainer.current_gradient_accumulation_steps = 1
        batch, self.batches[mode] = self.batches[mode], trainer.data_collator(self.samples)
        loss = trainer.training_step(trainer.model, batch)
        if look:
            trainer.callback_handler.on_pre_optimizer_step(trainer.args, trainer.state, trainer.control)
        return loss


def preferences(folder: Path, about: str, count: int) -> list[Preference]:
    """Records about clips whose files say no more than which they are: their features are random."""
    records = []
    for number in range(count):
        clip = [folder / f"{number}.{kind}" for kind in ("mp4", "wav")]
        for path in clip:
            path.write_text(path.name)  # cached values go by content
        said = [f"{text} {number}" for text in ("chosen a", "relevant bb", "hallucinated ccc")]
        records.append(Preference(str(number), *clip, "Why?", about, ("anger", "fear")[number % 2], *said))
    return records


def build(arguments: argparse.Namespace) -> AvereForConditionalGeneration:
    """Random weights of the shape asked for; encoders as small as they can be, since none is run."""
    encoder = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = AvereConfig(
        text_config={"vocab_size": 32000 if arguments.shape == "7b" else 1000, **SHAPES[arguments.shape]},
        vision_config=encoder,
        audio_config={"d_model": 8, "encoder_layers": 1, "encoder_attention_heads": 1, "encoder_ffn_dim": 8},
        qformer_config=encoder,
        vision_feature_layer=-1,
    )
    torch.manual_seed(0)
    with torch.device(arguments.device):
        return AvereForConditionalGeneration._from_config(config, dtype=arguments.dtype).eval()


def measure(bench: Bench, repeats: int, peak: float | None) -> dict:
    """Interleaved rounds: seconds, losses, work, and the ratios of the medians' rounds."""
    losses = {mode: bench.step(mode).item() for mode in reversed(MODES)}  # warms up too; the cheapest first
    work = {}
    for mode in MODES:
        with FlopCounterMode(display=False) as counter:
            bench.step(mode)
        work[mode] = counter.get_total_flops()
    seconds: dict[str, list[float]] = {mode: [] for mode in MODES}
    for _ in range(repeats):
        for mode in MODES:
            started = time.perf_counter()
            bench.step(mode).item()  # waits for the device
            seconds[mode].append(time.perf_counter() - started)
    medians = {mode: statistics.median(spent) for mode, spent in seconds.items()}
    result = {"losses": losses, "seconds": seconds, "medians": medians, "work": work}
    result["speedup"] = {
        "kept: packed over plain": ratio(seconds, "plain, kept", "packed, kept"),
        "live: packed over plain": ratio(seconds, "plain, live", "packed, live"),
        "packed and kept over plain and live": ratio(seconds, "plain, live", "packed, kept"),
    }
    if peak:
        result["utilisation"] = {mode: work[mode] / medians[mode] / (peak * 1e12) for mode in MODES}
    return result


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    return statistics.median(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))


def peak_memory(bench: Bench, mode: str) -> float:
    """GiB at the peak of a step, the weights included; on a CPU the process is looked at every 2 ms."""
    if bench.args.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        bench.step(mode)
        return torch.cuda.max_memory_allocated() / 2**30
    process, seen, done = psutil.Process(), [], threading.Event()

    def look() -> None:
        while not done.wait(0.002):
            seen.append(process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    bench.step(mode)
    done.set()
    watcher.join()
    return max(seen) / 2**30


def table(report: dict) -> str:
    """The report as Markdown."""
    machine = ", ".join(f"{key} {value}" for key, value in report["machine"].items())
    lines = [
        f"# Speed of preference training: random weights, {report['shape']} shape",
        "",
        f"`{report['command']}`",
        "",
        f"Batch of {report['batch']}, prompts of {report['prefix']} tokens, responses of {report['response']}, "
        f"{report['dtype']} on {report['device']} ({machine}), {report['repeats']} interleaved rounds, medians of "
        "forward and backward pass, LoRA of rank 8.",
        "",
        "| rejected | way | seconds a step | work, TFLOP | peak memory, GiB | utilisation |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, result in report["kinds"].items():
        for mode, seconds in result["medians"].items():
            memory = f"{report['peak_memory_gib'][mode]:.2f}" if kind == "picture" else ""
            used = f"{100 * result['utilisation'][mode]:.0f}%" if "utilisation" in result else ""
            work = result["work"][mode] / 1e12
            lines.append(f"| {kind} | {mode} | {seconds:.3f} | {work:.3f} | {memory} | {used} |")
    lines += ["", "| rejected | speed-up | of | by work alone |", "| --- | --- | --- | --- |"]
    pairs = {"kept: packed over plain": ("plain, kept", "packed, kept")}
    pairs |= {"live: packed over plain": ("plain, live", "packed, live")}
    pairs |= {"packed and kept over plain and live": ("plain, live", "packed, kept")}
    for kind, result in report["kinds"].items():
        for name, value in result["speedup"].items():
            slow, fast = pairs[name]
            alone = result["work"][slow] / result["work"][fast]
            lines.append(f"| {kind} | {value:.2f} | {name} | {alone:.2f} |")
    return "\n".join(lines) + "\n"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="small", help="of the language model")
    parser.add_argument("--prefix", type=int, default=2100, help="tokens of a prompt")
    parser.add_argument("--response", type=int, default=30, help="tokens of a response")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="interleaved rounds")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--checkpointing", action="store_true", help="recompute activations")
    parser.add_argument("--peak-tflops", type=float, help="of the device in bfloat16, for the utilisation (H200: 989)")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance")
    parser.add_argument("--name", default="training", help="name of the two files written")
    arguments = parser.parse_args()
    arguments.dtype = torch.bfloat16 if arguments.device == "cuda" else torch.float32
    return arguments


def write(report: dict, arguments: argparse.Namespace) -> None:
    """NAME.json and NAME.md."""
    files.write_json(arguments.out / f"{arguments.name}.json", report)
    files.write(arguments.out / f"{arguments.name}.md", table(report))


def main() -> int:
    arguments = parse()
    report = {
        "shape": arguments.shape,
        "command": " ".join(["python", "tests/benchmarks/training.py", *sys.argv[1:]]),
        "machine": {"torch": torch.__version__, "threads": torch.get_num_threads(), "processor": platform.machine()},
        "device": arguments.device,
        "dtype": str(arguments.dtype),
        "batch": arguments.batch,
        "prefix": arguments.prefix,
        "response": arguments.response,
        "repeats": arguments.repeats,
    }
    report |= {"kinds": {}, "peak_memory_gib": {}}
    for kind, about in KINDS.items():
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            bench = Bench(build(arguments), arguments, about, Path(folder), stack)
            report["kinds"][kind] = measure(bench, arguments.repeats, arguments.peak_tflops)
            print(f"{kind}: {report['kinds'][kind]['speedup']}", flush=True)
            if kind == "picture":
                report["peak_memory_gib"] = {mode: peak_memory(bench, mode) for mode in MODES}
        write(report, arguments)  # what is measured stays, whatever becomes of the rest
    print(table(report))
    spread = max(max(r["losses"].values()) - min(r["losses"].values()) for r in report["kinds"].values())
    return 1 if arguments.dtype == torch.float32 and spread > 1e-5 else 0


if __name__ == "__main__":
    sys.exit(main())
