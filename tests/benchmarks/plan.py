"""The page docs/training_scale.md: the paper's preference training on 1, 8 and 64 GPUs, by arithmetic.

python tests/benchmarks/plan.py
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from avem_train.backbones.lora_targets import LINEARS
from avem_train.dpo import memory_estimate, operations, throughput
from emorealm_tasks import files
from emorealm_tasks.markdown import table
from model_adapters.avere import AvereConfig, AvereForConditionalGeneration
from model_adapters.avere.configuration import STATES_PER_SECOND

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "training_scale.md"
RECORDS = 41_687  # Section C.2
GPUS = (1, 8, 64)
PEAK = throughput.peak("NVIDIA H100 80GB HBM3")  # the SXM's
MEASURED = json.loads((ROOT / "results/performance/gpu_h200.json").read_text(encoding="utf-8"))
SHARE = round(
    MEASURED["training, batch 2, picture rejected"]["packed, kept"]["mfu"], 2
)  # of the peak, transformers' own
WITH_LIGER = round(MEASURED["training, Liger's kernels"]["packed, kept"]["mfu"], 2)
PROMPT, RESPONSE, TEXT = 2300, 50, 160
"""Tokens of a prompt with both media (2,056 and 88 of them media), of a response, and of a prompt without media."""
RANK = 8


def record(
    config: Any, packed: bool, kept: bool, picture: bool = True, sizes: Sequence[int] = (PROMPT, RESPONSE, TEXT)
) -> float:
    """Operations of one record's update. kept: the frozen model's values are looked up.

    picture: the rejected clip has another picture, so that nothing of it is shared; else another sound alone.
    """
    prompt, response, text = sizes
    rows = packed_rows(picture, prompt, response) if packed else [prompt + response] * 4
    model = operations.of_model(config, operations.lora_parameters(config, RANK))
    frozen = 0.0 if kept else model.forward([*rows, *[text + response] * 3], adapted=False)
    return model.forward(rows) + model.backward(rows) + frozen


def packed_rows(picture: bool, prompt: int = PROMPT, response: int = RESPONSE) -> list[int]:
    """Tokens of each row of a record whose beginnings are there once."""
    return [prompt + 3 * response, prompt + response] if picture else [prompt + 4 * response]


def _full(*pictures: bool) -> str:
    """How much of a micro-batch of such records is tokens, the rest being padding."""
    rows = [row for picture in pictures for row in packed_rows(picture)]
    return f"{sum(rows) / (len(rows) * max(rows)):.0%}"


def page() -> str:
    """The page as Markdown."""
    config = AvereConfig().text_config
    ways = {
        "a row for each response, the frozen model every time": record(config, packed=False, kept=False),
        "beginnings once, the frozen model every time": record(config, packed=True, kept=False),
        "beginnings once, the frozen model's values kept": record(config, packed=True, kept=True),
    }
    work = [["way", "10^12 operations a record", *(f"hours on {gpus}" for gpus in GPUS)]]
    for way, value in ways.items():
        hours = [RECORDS * value / (gpus * SHARE * PEAK) / 3600 for gpus in GPUS]
        work.append([way, f"{value / 1e12:.0f}", *(f"{one:.2g}" for one in hours)])
    text = (ROOT / "tests/benchmarks/training_scale.txt").read_text(encoding="utf-8")
    values = {"work": table(work), "memory": table(_memory()), "disk": table(_disk(config)), "share": f"{SHARE:.0%}"}
    values |= {"faster": f"{WITH_LIGER / SHARE:.2f}", "estimates": _estimates(), "liger": f"{WITH_LIGER:.0%}"}
    values |= {"peak": f"{PEAK / 1e12:.0f}", "records": f"{RECORDS:,}", "prompt": f"{PROMPT:,}"}
    values |= {"pictures": _full(True, True), "sounds": _full(False, False), "mixed": _full(True, False)}
    values |= _encoders(ways["beginnings once, the frozen model's values kept"])
    return text.format(**values, response=RESPONSE, reference=_reference(config))


def _encoders(update: float) -> dict[str, str]:
    """What storing the encoders' states would save and cost. update: operations of a record's update.

    A record has two pictures, one of them rejected, and a sound; the projectors are left out.
    """
    model, config = _whole().model, AvereConfig()
    frames, windows = config.vision_config, config.audio_config
    tokens = frames.num_frames * frames.tokens_per_frame, windows.window_seconds * STATES_PER_SECOND
    towers = (model.video_tower, frames.hidden_size), (model.audio_tower, windows.d_model)
    sizes = [sum(parameter.numel() for parameter in tower.parameters()) for tower, _ in towers]
    picture, sound = (2.0 * size * count for size, count in zip(sizes, tokens, strict=True))
    seen, heard = (2 * count * width for count, (_, width) in zip(tokens, towers, strict=True))
    work, read = 2 * picture + sound, 2 * seen + heard
    hours = RECORDS * update / (8 * SHARE * PEAK) / 3600
    stages, step = MEASURED["stages"], MEASURED["training, batch 2, picture rejected"]["packed, kept"]
    spent = 2 * stages["video_tower_one_by_one_ms_a_clip"] + stages["audio_tower_ms_a_clip"]
    return {
        "towers_ms": f"{spent:.0f}",
        "towers_time": f"{spent / 1000 / step['seconds_a_record']:.0%}",
        "towers": f"{work / 1e12:.1f}",
        "towers_share": f"{work / update:.1%}",
        "states": f"{RECORDS * (seen + heard) / 1e9:,.0f} GB",
        "states_record": f"{read / 1e6:.0f} MB",
        "states_rate": f"{RECORDS * read / hours / 3600 / 1e6:,.0f} MB/s",
    }


def _reference(config: Any) -> str:
    """Hours of the one pass that computes the values that are kept, on each number of GPUs."""
    rows = [PROMPT + 3 * RESPONSE, PROMPT + RESPONSE, *[TEXT + RESPONSE] * 3]
    value = operations.of_model(config, 0).forward(rows)
    return ", ".join(f"{RECORDS * value / (gpus * SHARE * PEAK) / 3600:.2g} on {gpus}" for gpus in GPUS)


def _memory() -> list[list[str]]:
    with torch.device("meta"):
        model = get_peft_model(_whole(), LoraConfig(r=RANK, lora_alpha=32, target_modules=LINEARS))
    rows = [["records at once on a GPU", "checkpointing", "weights whole", "language model in 8 shares (FSDP)"]]
    language_model = sum(p.numel() * p.element_size() for p in model.base_model.model.model.language_model.parameters())
    for records in (1, 2):
        length, places = PROMPT + 3 * RESPONSE, 4 * RESPONSE * records
        masked = 2 * records * 3 * RESPONSE * length
        batch = memory_estimate.Batch(2 * records, length, places, masked, in_parts=True)
        for checkpointing in (False, True):
            options = memory_estimate.ComputeOptions(RANK, True, True, False, checkpointing)
            needed = memory_estimate.estimate(model.config.get_text_config(), list(model.parameters()), batch, options)
            shared = needed.total - language_model * 7 / 8
            cells = [f"{value / 2**30:.1f} GiB" for value in (needed.total, shared)]
            rows.append([str(records), "yes" if checkpointing else "no", *cells])
    return rows


def _estimates() -> str:
    """How far the estimates are from what was measured on a GPU, Liger's kernels and cast inputs apart."""
    ways = [
        way
        for name, section in MEASURED.items()
        if name.startswith("training") and "Liger" not in name and "cast" not in name
        for way in section.values()
        if "estimated_gib" in way
    ]
    ratios = [way["estimated_gib"] / way["peak_gib"] for way in ways]
    return f"{min(ratios):.2f} to {max(ratios):.2f} of the peak in {len(ratios)} measurements"


def _whole() -> AvereForConditionalGeneration:
    """The model's shapes, without memory."""
    with torch.device("meta"):
        return AvereForConditionalGeneration(AvereConfig()).to(torch.bfloat16).requires_grad_(False)


def _parameters() -> int:
    return sum(parameter.numel() for parameter in _whole().parameters())


def _disk(config: Any) -> list[list[str]]:
    media = json.loads((ROOT / "results/performance/media.json").read_text(encoding="utf-8"))
    seconds = media["rows"]["720p, 4 s, x264's own keyframes"]["ours processor"] / 1000
    features = RECORDS * (2056 + 88) * config.hidden_size * 2 / 1e9
    return [
        ["what", "how much"],
        ["weights", f"{2 * _parameters() / 1e9:.1f} GB"],
        ["features of all clips after the projectors, were they all kept", f"{features:,.0f} GB"],
        ["the frozen model's values", f"{RECORDS * 7 * 8 / 1e6:.0f} MB"],
        ["decoding each record's clip once (720p, 4 s)", f"{RECORDS * seconds / 3600:.1f} core hours"],
    ]


if __name__ == "__main__":
    files.write(PAGE, page())
    sys.exit(0)
