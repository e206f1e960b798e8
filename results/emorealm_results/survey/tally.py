"""Answers of the user study -> how often each model was chosen, with intervals that draw participants."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emorealm_results.console.markdown import table
from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import Array, intervals
from emorealm_tasks.untrusted import brief, read_json

COLUMNS = ("participant", "version", "item", "question", "choice")
_ARROWS = {"best_emotion": "Emot. (best)", "best_association": "Assoc. (best)", "most_inconsistent": "Incons. (worst)"}


def load_key(path: Path) -> dict[str, Any]:
    """The key that ``survey export`` wrote."""
    what = "it must be the key.json of `emorealm survey export`"
    key: dict[str, Any] = read_json(path, dict, what)
    if set(key) != {"seed", "questions", "models", "versions"}:
        stop(f"{path}: it holds {brief(', '.join(key))}; {what}")
    if not (isinstance(key["models"], list) and isinstance(key["questions"], dict) and _are_versions(key["versions"])):
        stop(f"{path}: its models, questions or versions are of another kind; {what}")
    return key


def _are_versions(versions: object) -> bool:
    """Whether this is version -> item -> id, shown (letter -> model) and attention."""
    if not isinstance(versions, dict) or not all(isinstance(items, dict) for items in versions.values()):
        return False
    items = [item for items in versions.values() for item in items.values()]
    return all(
        isinstance(item, dict) and isinstance(item.get("shown"), dict) and isinstance(item.get("attention"), str)
        for item in items
    )


def read_answers(paths: Sequence[Path], key: Mapping[str, Any]) -> list[dict[str, str]]:
    """All answers; of a participant's several answers to one question the last counts. Stops at what the key lacks."""
    answers: dict[tuple[str, ...], dict[str, str]] = {}
    for path in paths:
        rows = recognition_rows.read_csv(path, COLUMNS, "it should be what the page's button saved")
        for number, row in enumerate(rows, start=2):
            _check(row, key, f"{path}, line {number}")
            answers[tuple(row[name] for name in COLUMNS[:4])] = row
    if not answers:
        stop(f"{', '.join(map(str, paths))}: no answers")
    return list(answers.values())


def _check(row: Mapping[str, str], key: Mapping[str, Any], where: str) -> None:
    items = key["versions"].get(row["version"])
    if items is None or row["item"] not in items:
        stop(f"{where}: version {row['version']!r}, item {row['item']!r} is not in the key; is it this study's?")
    if row["question"] not in key["questions"]:
        stop(f"{where}: unknown question {row['question']!r}; known: {', '.join(key['questions'])}")
    if row["choice"] not in items[row["item"]]["shown"]:
        stop(f"{where}: choice {row['choice']!r} was not shown")
    if not row["participant"]:
        stop(f"{where}: no participant")


def tally(key: Mapping[str, Any], answers: Sequence[Mapping[str, str]], max_failed: int = 0) -> dict[str, Any]:
    """Shares in percent: ``questions[question][model]`` = ``{"value", "low", "high"}``, and who counted.

    A participant who failed more than ``max_failed`` attention checks (an unasked choice in any of a check's questions
    fails it) is left out. Intervals draw participants, each with all answers; the shares of a question sum to 100.
    """
    failed: dict[str, set[tuple[str, str]]] = {}
    votes = []
    for answer in answers:
        item = key["versions"][answer["version"]][answer["item"]]
        failed.setdefault(answer["participant"], set())
        if not item["attention"]:
            votes.append({"clip": answer["participant"], "question": answer["question"],
                          "model": item["shown"][answer["choice"]]})  # fmt: skip
        elif answer["choice"] != item["attention"]:
            failed[answer["participant"]].add((answer["version"], answer["item"]))
    excluded = sorted(name for name, items in failed.items() if len(items) > max_failed)
    votes = [vote for vote in votes if vote["clip"] not in excluded]
    questions = {}
    for question in key["questions"]:
        of_question = [vote for vote in votes if vote["question"] == question]
        questions[question] = _shares(of_question, key["models"]) if of_question else {}
    return {
        "participants": len(failed) - len(excluded),
        "excluded": excluded,
        "votes": len(votes),
        "models": list(key["models"]),
        "questions": questions,
        "interval": {"level": intervals.LEVEL, "resamples": intervals.RESAMPLES, "seed": intervals.SEED},
    }


def _shares(votes: Sequence[Mapping[str, str]], models: Sequence[str]) -> dict[str, dict[str, float | None]]:
    chosen = np.array([[vote["model"] == model for model in models] for vote in votes], dtype=float)

    def shares(weights: Array) -> Array:
        found: Array = 100 * (weights @ chosen) / weights.sum(axis=1, keepdims=True)
        return found

    values = shares(np.ones((1, len(votes))))[0]
    bounds = intervals.clip_bootstraps([{"clip": vote["clip"]} for vote in votes], shares)
    return {
        model: {"value": float(value), "low": low, "high": high}
        for model, value, (low, high) in zip(models, values, bounds, strict=True)
    }


def render(report: Mapping[str, Any]) -> str:
    """The layout of Table 16, with intervals."""
    level = f"{100 * report['interval']['level']:.0f}%"
    rows = [["model", *(f"{_ARROWS.get(name, name)} [{level}]" for name in report["questions"])]]
    for model in report["models"]:
        cells = [shares.get(model) for shares in report["questions"].values()]
        rows.append(
            [model, *("–" if c is None else f"{c['value']:.1f}% [{c['low']:.1f}, {c['high']:.1f}]" for c in cells)]
        )
    lines = [
        f"{report['participants']} participants, {report['votes']} answers. Intervals: {level} bootstrap over "
        f"participants, {report['interval']['resamples']} resamples, seed {report['interval']['seed']}."
    ]
    if report["excluded"]:
        lines.append(f"Left out for failed attention checks: {', '.join(report['excluded'])}.")
    return "\n\n".join([table(rows), *lines]) + "\n"
