"""A run -> the rows of a leaderboard, and what is to be said of the run beside them.

A run is an lmms-eval result folder, whose scores are made again from the saved samples (those of tasks without samples
are read from lmms-eval's results file), or what `emorealm rescore --json` made of one: by another judge, with another
lexicon, or joined with the benchmark's file.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_results.console import words
from emorealm_results.leaderboard.score_rows import Measured, ScoreRow
from emorealm_results.paper.layouts import GROUP
from emorealm_results.paper.printed import Model
from emorealm_results.rescore import report as rescore_run
from emorealm_results.runs import benchmark as builds
from emorealm_results.runs import request_settings, saved
from emorealm_results.runs.headers import order, read_header, weights_of, when
from emorealm_tasks import files, schemas
from emorealm_tasks.answers import MODES
from emorealm_tasks.benchmarks.suite import TASK_NAMES
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import intervals
from emorealm_tasks.metrics.recognition import AVERAGES
from emorealm_tasks.untrusted import read_json
from model_adapters import catalogue
from model_adapters.base import embedded
from model_adapters.catalogue import MODELS

MINI = "_mini"
RUN = "run"
_VERSIONS = ("lmms_eval_version", "git_hash")
_COUNTS = ("n", "n_clips", "unparsed", "errors", "missing")
_SCORE = {"value": (float, None), "low": (float, None), "high": (float, None)}
_SCORES = {str: {str: _SCORE}}
_COUNT_TYPES = dict.fromkeys(_COUNTS, int)
_HEADER = {
    "date": str,
    "model": str,
    "model_args": (str, None, dict),
    "limit": (float, None),
    "benchmark?": {str: dict},
    "seeds": dict,
    "task_versions": {str: (float, None, str)},
}
_OF_TASK = _COUNT_TYPES | {"readings": {reading: {str: _SCORE} for reading in MODES}}
_DESCRIBED = {"run": _HEADER, "n": int, "errors": int, "missing": int, "judge": str}
_DESCRIBED |= {"judges": {str: {"unjudged": int, "scores": {str: _SCORE}}}}
_RESCORED = {
    "benchmarks?": {str: {str: {"tasks": {str: _OF_TASK}, "group": _SCORES}}},
    "recognition?": {str: _COUNT_TYPES | {"run": _HEADER, "readings": _SCORES}},
    "descriptions?": {str: _DESCRIBED},
    "runs?": {str: _HEADER},
    "notes?": [str],
    "interval?": {"level": float},
    "input?": str,
}
"""What `emorealm rescore --json` writes, as far as it is read here (`emorealm_tasks.schemas`)."""
_EMER = {"clue": "clue", "label": "label", "spurious": "spurious", "halluc": "hallucination"}


def read(folder: Path, name: str, number: int, models: list[Model]) -> Measured:
    """All scores of one run; stops with status 2 where the folder holds none."""
    paths = files.matching(folder, "**/*_results.json")
    if not paths:
        stop(f"{folder}: no *_results.json of lmms-eval; name the --output_path of a finished run")
    run = rescore_run.read(folder) if saved.any_in(folder) else None
    report = rescore_run.report(run) if run else {}
    rescored_tasks = {*report.get("recognition", ()), *report.get("descriptions", ())}
    headers = {path: read_header(path) for path in paths}
    oldest_first = sorted(paths, key=lambda path: order(headers[path]))
    rows = [*report_rows(report), *_results_rows(oldest_first, rescored_tasks)]
    if not rows:
        stop(f"{folder}: no scores of these tasks; run lmms-eval with --output_path {folder} --log_samples")
    about = _about(name, RUN, folder, list(headers.values()), models)
    about["notes"] = report.get("notes", [])
    return _measured(about, rows, number, report.get("input", ""), run)


def read_rescored(path: Path, content: Mapping[str, Any], name: str, number: int, models: list[Model]) -> Measured:
    """The scores that `emorealm rescore --json` wrote; there are no replies. Stops where there is no score."""
    schemas.require(path, content, _RESCORED, f"make it with emorealm rescore RUN --json {path}")
    suite_reports = [*content.get("recognition", {}).values(), *content.get("descriptions", {}).values()]
    headers = [*content.get("runs", {}).values(), *(of_task["run"] for of_task in suite_reports)]
    rows = list(report_rows(content))
    if not rows or not headers:
        stop(f"{path}: holds no scores; make it with emorealm rescore RUN --json {path}")
    about = _about(name, "run, rescored", path, headers, models)
    level = content.get("interval", {}).get("level", intervals.LEVEL)
    about["notes"] = [*content.get("notes", []), *([f"{level:.0%} intervals"] if level != intervals.LEVEL else [])]
    return _measured(about, rows, number, content.get("input", ""), None)


def _measured(
    about: dict[str, Any], rows: Sequence[Mapping[str, Any]], number: int, modality: str, run: saved.Saved | None
) -> Measured:
    missing = sum({(row["task"], row["part"], row["mini"]): row.get("missing") or 0 for row in rows}.values())
    about["marks"] = [*about["marks"], *([f"{missing} questions missing"] if missing else [])]
    shared = {"source": "measured", "model": about["name"], "modality": modality, "run": number}
    return Measured(about, tuple(ScoreRow(**{**shared, **row}) for row in rows), run)


def _about(
    name: str, origin: str, place: Path, headers: Sequence[Mapping[str, Any]], models: list[Model]
) -> dict[str, Any]:
    """``headers``: what `read_header` says of each invocation; the last by date speaks for the run."""
    by_date = sorted(headers, key=order)
    last = by_date[-1]
    arguments = str(last["model_args"])
    checkpoint = re.search(r"pretrained=([^,]+)", arguments)
    run_names = [last["model"], *([Path(checkpoint[1]).name] if checkpoint else [])]
    exact_names = [model.name for model in models if model.name == name]
    found_names = [model.name for run_name in reversed(run_names) for model in models if model.matches(run_name)]
    limits = {header["limit"] for header in headers if (header["limit"] or 0) > 0}  # -1 stands for no limit
    published = next(iter([*exact_names, *found_names]), "")
    asked = {task: ways for one in by_date for task, ways in request_settings.of_header(one).items()}
    return {
        "name": name,
        "origin": origin,
        "folder": words.place(place),
        "model": last["model"],
        "weights": weights_of(last),
        "parameters": _parameters(checkpoint[1] if checkpoint else weights_of(last), published),
        "model_args": arguments,
        "dates": list(dict.fromkeys(map(when, by_date))),
        "seeds": last["seeds"],
        "versions": {key: last[key] for key in _VERSIONS if last.get(key)} | _task_versions(last),
        "marks": [f"--limit {limit:g}" for limit in sorted(limits)],
        "notes": [],
        "asked": asked,
        "features": "/".join(sorted({ways["features"] for ways in asked.values() if "features" in ways})),
        "benchmark": {task: build for one in by_date for task, build in builds.of_header(one).items()},
        "published": published,
    }


def _parameters(checkpoint: str, published: str) -> str:
    """Of embedded weights as they are, else as the checkpoint's name says, else of the paper's model that it is; ""."""
    if count := embedded.parameter_count(checkpoint):
        return f"{count / 1e6:.0f}M"
    twin = next((model.parameters for model in MODELS if published and model.published == published), "")
    return catalogue.parameters(checkpoint) or twin


def _task_versions(header: Mapping[str, Any]) -> dict[str, str]:
    versions = [version for version in header["task_versions"].values() if version is not None]
    texts = sorted({version if isinstance(version, str) else f"{version:g}" for version in versions})
    return {"tasks": "/".join(texts)} if texts else {}


def report_rows(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a report of `rescore_run.report`, as far as it alone says them."""
    yield from _question_rows(report.get("benchmarks", {}))
    for task, task_scores in report.get("recognition", {}).items():
        shared = suite_task(task) | {name: task_scores[name] for name in _COUNTS}
        for reading, scores in task_scores["readings"].items():
            yield from (shared | {"metric": metric, "reading": reading} | score for metric, score in scores.items())
    for task, task_scores in report.get("descriptions", {}).items():
        yield from _description_rows(task, task_scores)


def _question_rows(benchmarks: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for benchmark, parts in benchmarks.items():
        shared = {"benchmark": GROUP, "mini": benchmark.endswith(MINI)}
        for part, part_scores in parts.items():
            for task, of_task in part_scores["tasks"].items():
                counts = {key: of_task[key] for key in _COUNTS}
                for reading in MODES:
                    for metric, score in of_task["readings"][reading].items():
                        yield (
                            shared | counts | {"task": task, "part": part, "metric": metric, "reading": reading} | score
                        )
            for reading, scores in part_scores["group"].items():
                for metric, score in scores.items():
                    yield shared | {"task": GROUP, "part": part, "metric": metric, "reading": reading} | score


def _description_rows(task: str, description_scores: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A judge's scores; what other judges say of the same descriptions stands in parts of their own, never ranked."""
    for name, of_judge in description_scores["judges"].items():
        shared = suite_task(task) | {
            "n": description_scores["n"],
            "errors": description_scores["errors"],
            "missing": description_scores["missing"],
        }
        shared |= {"unparsed": of_judge["unjudged"], "note": f"judged by {name}"}
        shared |= {} if name == description_scores["judge"] else {"part": f"judged by {name}"}
        for criterion, score in of_judge["scores"].items():
            bounds = {bound: score[bound] for bound in ("value", "low", "high")}
            for reading in ("strict", "official"):
                yield shared | {"metric": _EMER.get(criterion, criterion), "reading": reading} | bounds


def suite_task(task: str) -> dict[str, Any]:
    """Benchmark, mini, task and part, as `ScoreRow` has them, of a task of recognition or of descriptions."""
    suite_entry = TASK_NAMES[task]
    base = suite_entry.benchmark.removesuffix(MINI)
    mini = suite_entry.benchmark.endswith(MINI)
    return {"benchmark": base, "mini": mini, "task": base, "part": suite_entry.variant or "full"}


def _results_rows(paths: Sequence[Path], rescored_tasks: Collection[str]) -> Iterator[dict[str, Any]]:
    """Scores of recognition and descriptions as lmms-eval's results files, oldest first, have them; `known` are not."""
    newest = {}
    for path in paths:
        results = read_json(path, dict, "it is not what lmms-eval writes; run again")
        counts = results.get("n-samples") or {}
        for task, scores in (results.get("results") or {}).items():
            if task in TASK_NAMES and task not in rescored_tasks:
                newest[task] = scores, (counts.get(task) or {}).get("effective")
    for task, (scores, n) in newest.items():
        values = {key.partition(",")[0]: value for key, value in scores.items()}
        task_counts = {
            "n": n,
            "errors": _count(values, "errors_count"),
            "missing": _count(values, "questions_left_out") or 0,
            "unparsed": _count(values, "unjudged_count") if "clue_mean" in values else _unparsed(values, n),
        }
        for metric, reading, score in _suite_scores(values):
            yield suite_task(task) | task_counts | {"metric": metric, "reading": reading} | score


def _suite_scores(values: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, float | None]]]:
    """(metric, reading, value and bounds) of a recognition or reasoning task's aggregated scores."""
    values = {**values, **({"war_strict": values["emotion_score"]} if "emotion_score" in values else {})}
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
