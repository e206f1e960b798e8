"""Percentile bootstrap intervals that resample clips, not questions.

Several questions are asked about one clip, so they are not independent: a resample draws clips with replacement, each
with all its questions (the cluster bootstrap; Efron and Tibshirani 1993, Miller 2024, arXiv 2411.00640). For scores
over several tasks a clip takes its questions in every task with it.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from emorealm_tasks import metrics
from emorealm_tasks.metrics import Array, Record, ScoreFunction


class OfClip(TypedDict):
    """What resampling needs of a record, of whatever kind."""

    clip: str


RESAMPLES, SEED, LEVEL = 2000, 0, 0.95
Interval = tuple[float | None, float | None]
_CHUNK = 250  # resamples at a time: 4,000 questions then take 8 MB


def clip_bootstrap(
    records: Sequence[OfClip],
    statistic: ScoreFunction,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    level: float = LEVEL,
) -> Interval:
    """The percentile interval (low, high) of one statistic, in its own unit.

    ``statistic`` maps weights of shape (resamples, records), how often each record was drawn, to values of shape
    (resamples,) or (resamples, 1), NaN where undefined: a resample that misses a whole class is skipped. (None, None)
    when it is undefined in all of them. The same seed gives the same interval.
    """
    return clip_bootstraps(records, statistic, resamples, seed, level)[0]


def score_intervals(
    records: Sequence[Record], reading: str, *, resamples: int = RESAMPLES, seed: int = SEED, level: float = LEVEL
) -> dict[str, Interval]:
    """The intervals, in percent, of all scores of one task that :func:`metrics.task_scores` gives in percent.

    Counts have none; ``unparsed_rate`` has one. A sub-task's is drawn among its own clips, as lmms-eval's table has it.
    """
    names, function = metrics.score_function(records, reading)
    unparsed = np.array([not r["strict"] and not r["error"] for r in records], dtype=float)

    def statistic(weights: Array) -> Array:
        with np.errstate(invalid="ignore"):
            rate = 100 * (weights @ unparsed) / weights.sum(axis=1)
        return np.column_stack([function(weights), rate])

    found = dict(
        zip((*names, "unparsed_rate"), clip_bootstraps(records, statistic, resamples, seed, level), strict=True)
    )
    for subtask in set(names) & set(metrics.SUBTASKS):
        members = [record for record in records if record["subtask"] == subtask]
        _, among = metrics.score_function(members, reading)
        found[subtask] = clip_bootstraps(members, among, resamples, seed, level)[0]  # their accuracy
    return found


def group_intervals(
    records: Sequence[Record], reading: str, *, resamples: int = RESAMPLES, seed: int = SEED, level: float = LEVEL
) -> dict[str, Interval]:
    """The intervals of :func:`metrics.group_scores`; clips are drawn jointly over all tasks."""
    names, function = metrics.group_function(records, reading)
    return dict(zip(names, clip_bootstraps(records, function, resamples, seed, level), strict=True))


def design_effect(values: Sequence[float] | Array, clips: Sequence[str]) -> float:
    """How many times the variance of a mean is that of as many independent values (Kish 1965); 1 for single questions.

    G / (G - 1) times the sum over the G clips of the squared sum of the clip's deviations from the mean, over the sum
    of n / (n - 1) times the squared deviations. 1 where nothing varies, or of one clip.
    """
    deviations = np.asarray(values, dtype=float) - np.mean(values)
    _, clip_of = np.unique(np.array(clips), return_inverse=True)
    sums = np.bincount(clip_of, weights=deviations)
    n, groups, spread = len(deviations), len(sums), float((deviations**2).sum())
    if groups < 2 or spread < 1e-12:
        return 1.0
    return float((sums**2).sum() * groups / (groups - 1) / (spread * n / (n - 1)))


def clip_bootstraps(
    records: Sequence[OfClip],
    statistic: ScoreFunction,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    level: float = LEVEL,
) -> list[Interval]:
    """:func:`clip_bootstrap` of several statistics from the same resamples: one interval for each column."""
    clips, clip_of = np.unique([record["clip"] for record in records], return_inverse=True)
    random = np.random.default_rng(seed)
    values = []
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        drawn = random.multinomial(len(clips), np.full(len(clips), 1 / len(clips)), size) if len(clips) else None
        weights = np.zeros((size, 0)) if drawn is None else drawn[:, clip_of].astype(float)
        values.append(statistic(weights).reshape(size, -1))
    tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    intervals: list[Interval] = []
    for column in np.concatenate(values).T:
        defined = column[~np.isnan(column)]
        if not len(defined):
            intervals.append((None, None))
            continue
        low, high = np.percentile(defined, tails)
        intervals.append((float(low), float(high)))
    return intervals
