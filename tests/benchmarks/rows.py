"""Conversations of different lengths in supervised training: a row each, or several to a row.

    OMP_NUM_THREADS=2 python tests/benchmarks/rows.py    # a small language model; writes rows.json and rows.md

(a row each) padded to the longest of the batch. (one mask) up to 4,096 tokens to a row, one mask over it.
(tree by tree) the same rows, each conversation attended by itself: what `running.row_tokens` does. The losses must be
equal. Media are random features, encoders are no part of a step.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import torch
from torch.utils.flop_counter import FlopCounterMode
from training import ROOT, SHAPES, RandomMedia, build, ratio

from avem_train.backbones.base import Backbone
from avem_train.data.conversations import Conversation
from avem_train.dpo import model_inputs
from avem_train.dpo.adapters import with_lora
from avem_train.dpo.settings_parts import Lora
from avem_train.packing.tree import Packing
from avem_train.supervised import loss
from emorealm_tasks import files
from emorealm_tasks.markdown import table

SHORT, LONG = 60, 400
"""Tokens of answers."""
KINDS = {
    "texts alone": [(False, SHORT), (False, LONG)] * 6,
    "clips and texts": [(True, SHORT), (False, SHORT), (False, LONG)] * 2,
    "clips alone": [(True, SHORT), (True, LONG)],
}
"""Of each conversation of a batch: whether it is about a clip, and how long the answer is."""


class Talks(RandomMedia):
    """Answers of as many tokens as they have characters; their first one says which they are."""

    def response(self, text: str) -> list[int]:
        return [3 + (place + ord(text[0])) % 90 for place in range(len(text))]


def batch(folder: Path, kind: str) -> list[Conversation]:
    """The conversations of a kind, each about a clip of its own."""

    def one(number: int, has_clip: bool, length: int) -> Conversation:
        paths = [str(folder / f"{number}.{kind}") if has_clip else "" for kind in ("mp4", "wav")]
        return Conversation(f"c{number}", *paths, False, ("Why?",), (chr(97 + number) * length,))

    return [one(number, *about) for number, about in enumerate(KINDS[kind])]


def steps(model: torch.nn.Module, backbone: Backbone, talks: list[Conversation], limit: int) -> dict[str, Callable]:
    """Forward and backward pass of a batch in each of the ways; its loss."""

    def step(row_tokens: int) -> torch.Tensor:
        model.zero_grad(set_to_none=True)
        found = loss.losses(model, backbone, talks, Packing(row_tokens=row_tokens)).nll.mean()
        found.backward()
        return found.detach()

    def masked() -> torch.Tensor:
        with mock.patch.object(model_inputs, "_alone", return_value=[]):
            return step(limit)

    return {"a row each": lambda: step(0), "one mask": masked, "tree by tree": lambda: step(limit)}


def trees(backbone: Backbone, talks: list[Conversation], limit: int) -> dict:
    """Rows of a batch with a row each and with several to a row, and the trees in them."""
    each, joined = (loss.model_inputs(backbone, talks, Packing(row_tokens=tokens)) for tokens in (0, limit))
    return {"rows": [len(each.ids), len(joined.ids)], "trees": [len(each.tree_sizes), len(joined.tree_sizes)]}


def measure(ways: dict[str, Callable], repeats: int) -> dict:
    """Losses, counted work and interleaved seconds of each way."""
    found = {"losses": {name: float(way()) for name, way in ways.items()}, "work": {}}
    for name, way in ways.items():
        with FlopCounterMode(display=False) as counter:
            way()
        found["work"][name] = counter.get_total_flops()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            way().item()
            seconds[name].append(time.perf_counter() - started)
    return found | {"seconds": seconds}


def page(report: dict) -> str:
    """The report as Markdown."""
    rows = [["batch", "way", "seconds", "work, TFLOP", "times as fast as a row each"]]
    for kind, found in report["kinds"].items():
        for name, seconds in found["seconds"].items():
            faster = ratio(found["seconds"], "a row each", name)
            work = found["work"][name] / 1e12
            rows.append([kind, name, f"{statistics.median(seconds):.3f}", f"{work:.3f}", f"{faster:.2f}"])
    about = report["about"]
    counts = "; ".join(f"{kind}, {one['rows'][0]} and {one['rows'][1]}" for kind, one in report["kinds"].items())
    return "\n".join(
        [
            "# Several conversations in a row",
            "",
            f"Random weights, {about['shape']} shape, float32, {about['machine']}; rows of at most {about['limit']:,} "
            f"tokens, prompts about a clip of {about['prefix']:,}, others of 42, answers of {SHORT} or {LONG}. "
            f"Forward and backward pass with LoRA of rank 8, medians of {about['repeats']} interleaved rounds. "
            f"Made by `{about['command']}`.",
            "",
            table(rows),
            "",
            "Two clips do not fit a row: of clips alone all three ways are the same, and what they differ by is noise.",
            f"Rows, a row each and several to a row: {counts}.",
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="small", help="of the language model")
    parser.add_argument("--prefix", type=int, default=2100, help="tokens of a prompt about a clip")
    parser.add_argument("--limit", type=int, default=4096, help="tokens of a row")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved rounds")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance")
    options = parser.parse_args()
    options.device, options.dtype = "cpu", torch.float32
    machine = f"torch {torch.__version__}, {torch.get_num_threads()} threads of {platform.machine()}"
    about = {name: getattr(options, name) for name in ("shape", "prefix", "limit", "repeats")}
    about |= {"machine": machine, "command": " ".join(["python", "tests/benchmarks/rows.py", *sys.argv[1:]])}
    report: dict = {"about": about, "kinds": {}}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        (Path(name) / "config.json").write_text('{"model_type": "avere"}')  # for the names of what gets adapters
        backbone = Talks(build(options), Path(name), options.prefix, 0)
        model = with_lora(Lora(rank=8), backbone)
        stack.callback(model.unload)
        for kind in KINDS:
            talks = batch(Path(name), kind)
            ways = steps(model, backbone, talks, options.limit)
            report["kinds"][kind] = trees(backbone, talks, options.limit) | measure(ways, options.repeats)
    files.write_json(options.out / "rows.json", report)
    files.write(options.out / "rows.md", page(report))
    print(page(report))
    apart = max(max(found["losses"].values()) - min(found["losses"].values()) for found in report["kinds"].values())
    return 1 if apart > 1e-5 else 0


if __name__ == "__main__":
    sys.exit(main())
