"""An lmms-eval result folder -> the rows of a leaderboard, and what is to be said of the run beside them.

EmoReAlM's scores are made again from the saved samples; those of the other benchmarks are read from lmms-eval's own
results file, where they stand with their intervals.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorealm_results import rescore, samples
from emorealm_results.layouts import GROUP
from emorealm_results.printed import Model

from emorealm_tasks.answers import MODES
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import stop
from emorealm_tasks.readers.suite import TASK_NAMES
from emorealm_tasks.recognition_metrics import AVERAGES

MINI = "_mini"
_RESULTS = re.compile(r"(?P<date>.+)_results\.json")
_VERSIONS = ("lmms_eval_version", "git_hash")
_SEEDS = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
_EMER = {"clue": "clue", "label": "label", "spurious": "spurious", "halluc": "hallucination"}


@dataclass(frozen=True)
class Row:
    """One score of one model, measured or published; percent (EMER: 1 to 10), None where undefined.

    ``benchmark`` is "emorealm", "dfew", ...; ``mini`` says that the embedded world was asked in its place. ``part`` is
    "full", a floor ("blind", ...) or a prompt variant. ``run`` numbers the measured run, ``table`` the paper's table.
    """

    source: str
    model: str
    modality: str
    benchmark: str
    mini: bool
    task: str
    part: str
    metric: str
    reading: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    n_clips: int | None = None
    unparsed: int | None = None
    errors: int | None = None
    missing: int | None = None
    run: int | None = None
    table: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """A run: its rows, and ``about`` (name, folder, model, model_args, dates, seeds, versions, marks, published).

    ``marks`` say why it is not ranked: questions left out by --limit or for want of clips; empty where it is whole.
    """

    about: dict[str, Any]
    rows: tuple[Row, ...]
    run: samples.Run | None


def read(folder: Path, name: str, number: int, models: list[Model], modality: str = "A,V") -> Measured:
    """All scores of one run; stops with status 2 where the folder holds none."""
    found = dict(_result_files(folder))
    if not found:
        stop(f"{folder}: no *_results.json of lmms-eval; name the --output_path of a finished run")
    about = _about(folder, name, found, models)
    rows, run = [], None
    if any("_samples_emorealm" in path.name for path in folder.rglob("*_samples_*.jsonl")):
        run = samples.load(folder)
        rows += _emorealm_rows(rescore.score(run))
    rows += _suite_rows(found)
    if not rows:
        stop(f"{folder}: no scores of these tasks; run lmms-eval with --output_path {folder} --log_samples")
    missing = sum({(row["task"], row["part"], row["mini"]): row.get("missing") or 0 for row in rows}.values())
    about["marks"] = [*about["marks"], *([f"{missing} questions missing"] if missing else [])]
    shared = {"source": "measured", "model": about["name"], "modality": modality, "run": number}
    return Measured(about, tuple(Row(**shared | row) for row in rows), run)


def _result_files(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.rglob("*_results.json")):
        if match := _RESULTS.fullmatch(path.name):
            try:
                yield match["date"], json.loads(path.read_text(encoding="utf-8"))
            except (ValueError, UnicodeDecodeError) as error:
                stop(f"{path}: not the JSON that lmms-eval writes ({error}); run again")


def _about(folder: Path, name: str, found: Mapping[str, Any], models: list[Model]) -> dict[str, Any]:
    last = found[max(found)]
    config = last.get("config", {})
    arguments = str(config.get("model_args") or "")
    checkpoint = re.search(r"pretrained=([^,]+)", arguments)
    known = [str(config.get("model") or ""), *([Path(checkpoint[1]).name] if checkpoint else [])]
    named = [model.name for model in models if model.name == name]
    found_names = [model.name for said in reversed(known) for model in models if model.matches(said)]
    limits = sorted({f"--limit {c['limit']:g}" for r in found.values() if (c := r.get("config", {})).get("limit")})
    return {
        "name": name,
        "folder": str(folder),
        "model": known[0] or "unknown model",
        "model_args": arguments,
        "dates": sorted(found),
        "seeds": {key: config[key] for key in _SEEDS if config.get(key) is not None},
        "versions": {key: last[key] for key in _VERSIONS if last.get(key)} | _task_versions(last),
        "marks": limits,
        "published": next(iter([*named, *found_names]), ""),
    }


def _task_versions(results: Mapping[str, Any]) -> dict[str, str]:
    found = sorted({f"{version:g}" for version in results.get("versions", {}).values() if version is not None})
    return {"tasks": "/".join(found)} if found else {}


def _emorealm_rows(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for benchmark, parts in report["benchmarks"].items():
        shared = {"benchmark": GROUP, "mini": benchmark.endswith(MINI)}
        for part, scored in parts.items():
            for task, of_task in scored["tasks"].items():
                counts = {key: of_task[key] for key in ("n", "n_clips", "unparsed", "errors", "missing")}
                for reading in MODES:
                    for metric, score in of_task["readings"][reading].items():
                        yield (
                            shared | counts | {"task": task, "part": part, "metric": metric, "reading": reading} | score
                        )
            for reading, scores in scored["group"].items():
                for metric, score in scores.items():
                    yield shared | {"task": GROUP, "part": part, "metric": metric, "reading": reading} | score


def _suite_rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    newest = {}
    for date in sorted(found):
        for task, scores in found[date].get("results", {}).items():
            if task in TASK_NAMES:
                newest[task] = scores, found[date].get("n-samples", {}).get(task, {}).get("effective")
    for task, (scores, n) in newest.items():
        asked = TASK_NAMES[task]
        values = {key.partition(",")[0]: value for key, value in scores.items()}
        counted = {
            "n": n,
            "errors": _count(values, "errors_count"),
            "missing": _count(values, "questions_left_out") or 0,
            "unparsed": _count(values, "unjudged_count") if "clue_mean" in values else _unparsed(values, n),
        }
        base = asked.benchmark.removesuffix(MINI)
        shared = {
            "benchmark": base,
            "mini": asked.benchmark.endswith(MINI),
            "task": base,
            "part": asked.variant or "full",
        }
        for metric, reading, score in _suite_scores(values):
            yield shared | counted | {"metric": metric, "reading": reading} | score


def _suite_scores(values: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, float | None]]]:
    """(metric, reading, value and bounds) of a recognition or reasoning task's aggregated scores."""
    values = values | ({"war_strict": values["emotion_score"]} if "emotion_score" in values else {})
    for reading in ("strict", "official"):
        for metric in (*AVERAGES, *(f"recall_{emotion}" for emotion in EMOTIONS)):
            if f"{metric}_{reading}" in values:
                bounds = {bound: _number(values.get(f"{metric}_{bound}_{reading}")) for bound in ("low", "high")}
                yield metric, reading, {"value": _number(values[f"{metric}_{reading}"])} | bounds
    for criterion, metric in _EMER.items():
        if f"{criterion}_mean" in values:
            bounds = {bound: _number(values.get(f"{criterion}_{bound}")) for bound in ("low", "high")}
            score = {"value": _number(values[f"{criterion}_mean"])} | bounds
            yield from ((metric, reading, score) for reading in ("strict", "official"))


def _number(value: Any) -> float | None:
    """lmms-eval writes text where a score is undefined."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(values: Mapping[str, Any], name: str) -> int | None:
    number = _number(values.get(name))
    return None if number is None else round(number)


def _unparsed(values: Mapping[str, Any], n: int | None) -> int | None:
    rate = _number(values.get("unparsed_rate"))
    return None if rate is None or n is None else round(rate * n / 100)
