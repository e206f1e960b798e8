"""The model card of a training (README.md): what it was made of and how, what was measured, and its licence."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from emorealm_tasks import files
from emorealm_tasks.untrusted import Unreadable, parse_yaml, read_text
from model_adapters.base import hub, lora_folders
from model_adapters.base.embedded import BASES


def settle(adapters: Path, base: Path) -> None:
    """Make a folder that PEFT wrote one for others: it names the base as anybody may have it, and can be read."""
    config = adapters / lora_folders.CONFIG
    if not config.is_file():  # whole weights
        return files.readable(adapters)
    content = json.loads(config.read_text(encoding="utf-8"))
    content["base_model_name_or_path"], content["revision"] = of_base(base)
    files.write_json(config, content)
    (adapters / NAME).unlink(missing_ok=True)  # PEFT's, which says nothing
    files.readable(adapters)


NAME = "README.md"
_NOT_PRINTED = ("data", "out", "root", "model", "running", "evaluation")
"""Settings that a card leaves out: paths of this machine, and what changes no result."""


def write(out: Path, about: Mapping[str, Any], base: Path) -> None:
    """Write the card of a finished training. about: its training.json. base: the folder of its base weights."""
    settings, data, update = about["settings"], about["data"], about["update"]
    base_model, revision = of_base(base)
    licence = _licence(base)
    whole = settings["merge"] or not lora_folders.is_adapters_only(out)
    kind = "Weights" if whole else "LoRA adapters"
    way, tag = ("supervised", "sft") if "stage" in settings else ("preference", "dpo")
    metadata = {
        "base_model": base_model,
        "base_model_relation": "finetune" if whole else "adapter",
        "library_name": "transformers" if whole else "peft",
        "license": licence or "other",
        "tags": [tag, "emorealm"],
    }
    recipe = {name: value for name, value in settings.items() if name not in _NOT_PRINTED}
    rows = {
        "base": f"{base_model}{f' at {revision}' if revision else ''}, fingerprint {about['model']['fingerprint']}",
        "data": f"{Path(data['file']).name}, {data['records']} records, sha256 {data['sha256']}",
        "made": f"{about['steps']} steps of {update['records']} records in {about['seconds']} s, {update['dtype']}"
        + " weights, computed in bfloat16" * update["mixed"],
        "with": ", ".join(f"{package} {version}" for package, version in about["versions"].items()),
        "licence": licence or f"that of {base_model}, whose terms hold for what is made of it, and that of the data",
    }
    lowered = [f"after step {one['after_step']} to {one['to']:g}" for one in about.get("lowered", [])]
    rows |= {"learning rate lowered": ", ".join(lowered)} if lowered else {}
    metrics = {name: value for name, value in about["metrics"].items() if isinstance(value, int | float)}
    held_out = {name: f"{value:.6g}" for name, value in about.get("held_out", {}).items()}
    text = (
        f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n\n# {out.name}\n\n"
        f"{kind} made of {base_model} by {way} training (emorealm's `avem-train`).\n\n{_table(rows)}\n\n"
        f"## Recipe\n\n```yaml\n{yaml.safe_dump(recipe, sort_keys=False)}```\n\n## Last logged step\n\n"
        f"{_table({name: f'{value:.6g}' for name, value in metrics.items()})}\n\n"
        "These are of training, not of a benchmark: `emorealm eval --model_args pretrained=FOLDER` measures that.\n"
        + (f"\n## Held-out records\n\n{_table(held_out)}\n" if held_out else "")
    )
    files.write(out / NAME, text)


def of_base(base: Path) -> tuple[str, str | None]:
    """Name and commit of base weights: a hub id where they are the hub's, a name for embedded ones, or a path.

    The hub's cache lies elsewhere on every machine, and so do the embedded models.
    """
    if BASES.get(base.name) == base:
        return base.name, None
    return hub.snapshot(base) or (str(base), None)


def _licence(base: Path) -> str:
    """The licence that the base's own card names, "" where it names none."""
    if base in BASES.values():
        return "apache-2.0"
    try:
        parts = read_text(base / NAME).split("---\n", 2)
        metadata = parse_yaml(parts[1]) if len(parts) == 3 and not parts[0].strip() else {}
    except Unreadable:
        return ""
    licence = metadata.get("license") if isinstance(metadata, dict) else None
    return licence if isinstance(licence, str) else ""


def _table(rows: Mapping[str, str]) -> str:
    lines = ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)
