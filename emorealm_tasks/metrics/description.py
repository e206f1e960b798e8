"""Scores of judged descriptions as pure functions: means over clips on the judge's scale of 1 to 10 (Table 2, EMER).

A *record* is one description (:class:`Record`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np

from emorealm_tasks.metrics import intervals, types
from emorealm_tasks.metrics.types import Array

CRITERIA = ("clue", "label", "spurious", "halluc")
"""The columns of the paper's Table 2; 1 to 10, higher is better."""
LOWEST, HIGHEST = 1, 10


@dataclass(frozen=True)
class Verdict:
    """The verdict of a judge on one description."""

    scores: Mapping[str, int]
    """Criterion -> whole number from 1 to 10."""
    reasons: Mapping[str, str]
    """Criterion -> the judge's words, "" where it gave none."""


class JudgedOnce(TypedDict):
    """A verdict as a record holds it."""

    scores: dict[str, int]
    """Criterion -> 1 to 10."""
    reasons: dict[str, str]
    """Criterion -> the judge's words, "" where it gave none."""


class Record(TypedDict):
    """One description of a clip's emotion with its verdicts, as the samples of a run hold it."""

    id: str
    """Of the sample, unique within the task."""
    clip: str
    """Name of the clip."""
    task: str
    """Name of the task."""
    reference: str
    """The description it is judged against."""
    raw: str
    """The model's description, word for word."""
    error: str
    """Why there is no description; "" where there is one."""
    truth: dict[str, list[str]] | None
    """The true cues (`mini.emer_layout`), None where unknown."""
    judge: str
    """Whose verdicts count, "" for nobody's."""
    verdicts: dict[str, list[JudgedOnce | None]]
    """Judge -> one a repeat, None where it gave none."""
    unjudged: NotRequired[dict[str, str]]
    """Judge -> why it gave no verdict, where that is known."""
    given_clip: NotRequired[str]
    """Whose media the model was given."""
    media: NotRequired[types.GivenMedia | str]
    """What it was given of them, "unknown" if its adapter does not say."""


Score = dict[str, float | None]
"""value, low, high, spread"""
MOST_UNJUDGED = 0.05
"""Share of verdicts that may be missing; beyond it there are no scores."""
NAMES = {"clue": "clue overlap", "label": "label overlap", "spurious": "spurious", "halluc": "hallucination"}
"""Criterion -> what it is called in a table."""


def as_json(verdicts: Sequence[Verdict | None]) -> list[JudgedOnce | None]:
    """Verdicts as a record holds them."""
    return [
        {"scores": dict(verdict.scores), "reasons": dict(verdict.reasons)} if verdict else None for verdict in verdicts
    ]


def clip_scores(record: Record, judge: str) -> dict[str, float] | None:
    """Each criterion's mean over the repeats that were judged; None when none was."""
    repeats = [verdict["scores"] for verdict in record["verdicts"].get(judge, ()) if verdict]
    return {name: float(np.mean([scores[name] for scores in repeats])) for name in CRITERIA} if repeats else None


def unjudged(records: Sequence[Record], judge: str) -> tuple[int, int]:
    """How many verdicts are missing, of how many; a record without an entry for the judge misses one."""
    verdicts = [verdict for record in records for verdict in record["verdicts"].get(judge) or [None]]
    return sum(verdict is None for verdict in verdicts), len(verdicts)


def scores(records: Sequence[Record], judge: str) -> dict[str, Score]:
    """Criterion (and "mean", over the four) -> value, low, high, spread; low and high are a 95% interval over clips.

    ``value`` is the mean over judged clips of each clip's mean over repeats, ``spread`` the mean over clips of the
    standard deviation (n - 1) between repeats, None without repeats. All are None when nothing was judged, or more
    than MOST_UNJUDGED of the verdicts are missing.
    """
    missing, total = unjudged(records, judge)
    scored = [(record, of_clip) for record in records if (of_clip := clip_scores(record, judge))]
    if not scored or missing > MOST_UNJUDGED * total:
        return {name: dict.fromkeys(("value", "low", "high", "spread")) for name in (*CRITERIA, "mean")}
    judged_records = [record for record, _ in scored]
    by_clip = np.array([list(of_clip.values()) for _, of_clip in scored])
    by_clip = np.column_stack([by_clip, by_clip.mean(axis=1)])

    def means(weights: Array) -> Array:
        columns: Array = weights @ by_clip / weights.sum(axis=1, keepdims=True)
        return columns

    bounds = intervals.clip_bootstraps(judged_records, means)
    spreads = _spreads(judged_records, judge)
    return {
        name: {"value": float(value), "low": low, "high": high, "spread": spread}
        for name, value, (low, high), spread in zip(
            (*CRITERIA, "mean"), by_clip.mean(axis=0), bounds, spreads, strict=True
        )
    }


def _spreads(judged: Sequence[Record], judge: str) -> list[float | None]:
    deviations = []
    for record in judged:
        repeats = [list(verdict["scores"].values()) for verdict in record["verdicts"][judge] if verdict]
        if len(repeats) > 1:
            table = np.array(repeats, dtype=float)
            deviations.append(np.column_stack([table, table.mean(axis=1)]).std(axis=0, ddof=1))
    return [float(spread) for spread in np.mean(deviations, axis=0)] if deviations else [None] * (len(CRITERIA) + 1)
