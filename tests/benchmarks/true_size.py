"""AVERE at its true size without its weights: a made-up checkpoint is converted, loaded, counted and asked.

    python tests/benchmarks/true_size.py --out FOLDER [--scale tiny]

The checkpoint has the released layout, names, shapes and dtype; its values are random. Needs 30 GiB of disk below
FOLDER (freed at the end) and 18 GiB of memory. Writes FOLDER/true_size.json and true_size.md.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch
from procedures import Bench
from random_avere import questions, random_media
from safetensors import safe_open

from emorealm_tasks import files
from model_adapters.avere import AvereConfig, conversion, loading
from model_adapters.avere.configuration import STATES_PER_SECOND
from model_adapters.avere.weights import Reader

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "tests/golden/data/avere_dev/dev"
"""A checkpoint in the released layout with tiny shapes: names, configs and tokenizer are taken from it."""
PARTS = {
    ".": conversion.CHECKPOINT_RULES,
    "backbones/LanguageBind_Video_merge": conversion.VIDEO_RULES,
    "backbones/whisper-large-v3": conversion.AUDIO_RULES,
}
_LAYER = re.compile(r"(layers?\.)(\d+)(?=\.)")
_TOKENS = 2  # to answer: the first comes from the whole prompt, the second from its cache
_VALUES = 2**24  # random numbers drawn once, from which all tensors are cut


def main() -> int:
    """Run every section, and write what each one found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--scale", choices=("7b", "tiny"), default="7b", help="tiny: the shapes of the template")
    given = parser.parse_args()
    source, model = given.out / "released", given.out / "converted"
    report: dict[str, Any] = {}
    sections = {
        "fabricate": lambda: fabricate(source, given.scale),
        "convert": lambda: convert(source, model),
        "load": lambda: load_and_ask(model),
    }
    try:
        for name, section in sections.items():
            began = time.perf_counter()
            report[name] = {**section(), "seconds": round(time.perf_counter() - began, 1)}
            print(name, report[name], flush=True)
            files.write_json(given.out / "true_size.json", report, indent=2)
    finally:
        for folder in (source, model):
            shutil.rmtree(folder, ignore_errors=True)
    lines = [f"| {name} | {key} | {value:,} |" for name, found in report.items() for key, value in found.items()]
    table = "| step | number | value |\n| --- | --- | --- |\n" + "\n".join(lines)
    text = f"# AVERE at its true size, random weights\n\n`python tests/benchmarks/true_size.py`\n\n{table}\n"
    files.write(given.out / "true_size.md", text)
    return 0


def fabricate(source: Path, scale: str) -> dict[str, Any]:
    """Write the checkpoint. Layers that the template lacks have the names of its own layers with other numbers."""
    shutil.copytree(TEMPLATE, source, ignore=shutil.ignore_patterns("*.safetensors", "*.npz"))
    config = AvereConfig() if scale == "7b" else conversion.read_released(TEMPLATE, TEMPLATE / "backbones")[0]
    _state_sizes(source, config)
    shapes, written = conversion.expected_shapes(config), 0
    values = torch.randn(_VALUES, generator=torch.Generator().manual_seed(0)).mul_(0.02).half()
    for part, rules in PARTS.items():
        with safe_open(TEMPLATE / part / "model.safetensors", "pt") as file:
            released = {key: _ours(key, rules) for key in file.keys()}  # noqa: SIM118 - not a dict
        patterns = {_LAYER.sub(r"\1#", ours): _LAYER.sub(r"\1#", key) for key, ours in released.items() if ours}
        names = {}
        for ours in shapes:
            if pattern := patterns.get(_LAYER.sub(r"\1#", ours)):
                number = _LAYER.search(ours)
                names[pattern.replace("#", number[2] if number else "")] = shapes[ours]
        written += _write(source / part, names, values)
    assert written == len(shapes), "the template's rules must name every tensor"
    return {"tensors": written, "GiB": _gib(source)}


def _ours(key: str, rules: conversion.Rules) -> str | None:
    match, name = next((match, name) for pattern, name in rules if (match := re.fullmatch(pattern, key)))
    return match.expand(name) if name else None


def _state_sizes(source: Path, config: AvereConfig) -> None:
    """Give the copied config files the true sizes, under the names that the released files use."""
    sizes = {
        "": config.text_config.to_dict() | {"torch_dtype": "float16"},
        "backbones/LanguageBind_Video_merge": {"vision_config": config.vision_config.to_dict()},
        "backbones/whisper-large-v3": config.audio_config.to_dict()
        | {
            "max_source_positions": config.audio_config.window_seconds * STATES_PER_SECOND,
            "num_hidden_layers": config.audio_config.encoder_layers,  # the files have this name for it too
        },
        "backbones/bert-base-uncased": config.qformer_config.to_dict(),
    }
    for folder, true in sizes.items():
        path = source / folder / "config.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        _replace(content, true)
        path.write_text(json.dumps(content), encoding="utf-8")


def _replace(content: dict[str, Any], true: dict[str, Any]) -> None:
    for key in content.keys() & true.keys():
        if isinstance(content[key], dict) and isinstance(true[key], dict):
            _replace(content[key], true[key])
        elif key not in ("model_type", "architectures", "transformers_version"):
            content[key] = true[key]


def _write(folder: Path, names: dict[str, torch.Size], values: torch.Tensor) -> int:
    """Half-precision tensors as the converter writes its own; returns how many."""
    readers = {
        key: Reader(folder, key, tuple(shape), 2 * shape.numel(), partial(_tensor, shape, values))
        for key, shape in names.items()
    }
    conversion.write_shards(readers, names, folder)
    return len(names)


def _tensor(shape: torch.Size, values: torch.Tensor) -> torch.Tensor:
    count = shape.numel()
    return values.repeat(-(-count // len(values)))[:count].reshape(shape).clone()


def convert(source: Path, model: Path) -> dict[str, Any]:
    """The converter's command in a process of its own, and the most anonymous memory it held."""
    command = [sys.executable, "-m", "model_adapters.avere.convert", "--source", str(source), "--out", str(model)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        peak = _watch(psutil.Process(process.pid), lambda: process.poll() is None)
    if process.returncode:
        raise SystemExit(f"the converter ended with {process.returncode}")
    return {"peak anonymous GiB": round(peak / 2**30, 2), "GiB": _gib(model)}


def load_and_ask(model: Path) -> dict[str, Any]:
    """The model in bfloat16 on the CPU, its parameters, and two tokens about a clip of random media."""
    going = threading.Event()
    peaks: list[float] = []
    watcher = threading.Thread(target=lambda: peaks.append(_watch(psutil.Process(), lambda: not going.is_set())))
    watcher.start()
    began = time.perf_counter()
    network = loading.load_model(model, torch.device("cpu"), torch.bfloat16, None, None)
    loaded = time.perf_counter() - began
    processor = loading.load_processor(model)
    asked = [replace(question, limit=_TOKENS) for question in questions(processor, 1, 1.0)]
    began = time.perf_counter()
    (answer,) = Bench(network, processor, 1, random_media).ours(asked)
    answered = time.perf_counter() - began
    going.set()
    watcher.join()
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "seconds to load": round(loaded, 1),
        "seconds to answer": round(answered, 1),
        "tokens of the prompt": len(asked[0].ids),
        "tokens answered": len(answer),
        "peak anonymous GiB": round(peaks[0] / 2**30, 2),
    }


def _watch(process: psutil.Process, going: Callable[[], bool]) -> float:
    """The most anonymous memory of a process in bytes, looked at ten times a second while `going()`."""
    peak = 0.0
    while going():
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            break
        if found := re.search(r"RssAnon:\s+(\d+) kB", status):
            peak = max(peak, 1024 * float(found[1]))
        time.sleep(0.1)
    return peak


def _gib(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**30, 2)


if __name__ == "__main__":
    sys.exit(main())
