"""How far two judges of descriptions agree: two models, a model and the true cues, or a model and people.

For each criterion: Cohen's kappa with quadratic weights (scikit-learn's) and its 95% interval over clips, the share of
equal scores, of scores at most one apart, and how much higher the second judge scores.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emorealm_results.console.markdown import table
from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import Array, description, intervals
from emorealm_tasks.metrics.description import CRITERIA, HIGHEST, LOWEST

Scores = Mapping[str, Mapping[str, int]]
"""Clip -> criterion -> whole score from 1 to 10."""
LEGEND = (
    "kappa: Cohen's, quadratic weights, with its 95% percentile bootstrap interval over clips; 1 is full agreement, 0 "
    "what chance gives, – where it is undefined (a judge that never varies). higher by: the second judge's mean minus "
    "the first's."
)


def compare(first: Scores, second: Scores) -> dict[str, dict[str, Any]]:
    """Agreement on the clips that both judged, for each criterion; {} without such a clip.

    Keys: n, kappa, low, high (None where undefined), equal and near (percent), higher_by (points).
    """
    clips = sorted(first.keys() & second.keys())
    return {name: _criterion(clips, first, second, name) for name in CRITERIA} if clips else {}


def clip_scores(records: Sequence[description.Record], judge: str) -> dict[str, dict[str, int]]:
    """A judge's score of each clip; the mean over repeats is rounded, halves up."""
    scores = {record["id"]: description.clip_scores(record, judge) for record in records}
    return {clip: {name: int(value + 0.5) for name, value in of.items()} for clip, of in scores.items() if of}


def read_people(path: Path) -> dict[str, dict[str, int]]:
    """People's scores from a CSV with the columns id and the criteria; stops at a score that is none."""
    lines = recognition_rows.read_csv(path, ("id", *CRITERIA), "it needs a line of scores a description")
    scores: dict[str, dict[str, int]] = {}
    for number, line in enumerate(lines, start=2):
        values = {name: (line[name] or "").strip() for name in CRITERIA}
        for name, text in values.items():
            if not text.isdecimal() or not LOWEST <= int(text) <= HIGHEST:
                stop(f"{path}, line {number}: {name} is {text!r}; a score is a whole number, {LOWEST} to {HIGHEST}")
        if line["id"] in scores:
            stop(f"{path}, line {number}: {line['id']!r} is scored twice; give one line a clip")
        scores[line["id"]] = {name: int(text) for name, text in values.items()}
    return scores


def render(pairs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """A Markdown table of compared pairs of judges."""
    rows = [["judges", "criterion", "clips", "kappa [95%]", "equal", "at most 1 apart", "higher by"]]
    for judges, criteria in pairs.items():
        for name, of in criteria.items():
            kappa = "–" if of["kappa"] is None else f"{of['kappa']:.2f}"
            bounds = "" if of["low"] is None else f" [{of['low']:.2f}, {of['high']:.2f}]"
            shares = [f"{of['equal']:.0f}%", f"{of['near']:.0f}%", f"{of['higher_by']:+.2f}"]
            rows.append([judges, description.NAMES[name], str(of["n"]), kappa + bounds, *shares])
    return table(rows)


def _criterion(clips: Sequence[str], first: Scores, second: Scores, name: str) -> dict[str, Any]:
    a, b = (np.array([scores[clip][name] for clip in clips], dtype=float) for scores in (first, second))
    with warnings.catch_warnings():  # constant scores: undefined, which is said with None
        warnings.simplefilter("ignore")
        # all labels: scikit-learn's weights are distances between labels' places, so that none may be left out
        from sklearn.metrics import cohen_kappa_score  # a second to import

        kappa = cohen_kappa_score(a, b, labels=list(range(LOWEST, HIGHEST + 1)), weights="quadratic")
    low, high = intervals.clip_bootstrap([{"clip": clip} for clip in clips], lambda weights: quadratic(weights, a, b))
    return {
        "n": len(clips),
        "kappa": None if np.isnan(kappa) else float(kappa),
        "low": low,
        "high": high,
        "equal": float(100 * np.mean(a == b)),
        "near": float(100 * np.mean(np.abs(a - b) <= 1)),
        "higher_by": float(np.mean(b - a)),
    }


def quadratic(weights: Array, a: Array, b: Array) -> Array:
    """Quadratic-weighted kappa under weights of shape (resamples, clips); NaN where undefined. Shape (resamples,).

    With quadratic weights the observed disagreement is the mean of (a - b)^2, and what independent judges with the
    same margins would have is var(a) + var(b) + (mean(a) - mean(b))^2.
    """
    totals = weights.sum(axis=1)
    mean_a, mean_b = weights @ a / totals, weights @ b / totals
    spread = weights @ a**2 / totals - mean_a**2 + weights @ b**2 / totals - mean_b**2
    expected = spread + (mean_a - mean_b) ** 2
    observed = weights @ (a - b) ** 2 / totals
    ratio: Array = np.divide(observed, expected, out=np.full(totals.shape, np.nan), where=expected > 1e-12)
    return 1 - ratio
