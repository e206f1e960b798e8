"""Intervals that take clips, not questions, as independent.

Several questions are asked about one clip, so they are not independent.

- A share (accuracy, precision, recall, yes-rate): the exact binomial interval with an effective number of questions,
  :func:`share`. It holds near 0% and 100%, where a bootstrap has nothing to draw: 62 of 62 right is [94.2, 100].
- Other scores (F1, means over tasks or classes): the percentile bootstrap, in which a resample draws clips with
  replacement, each with all its questions, for scores over several tasks in every task (the cluster bootstrap; Efron
  and Tibshirani 1993, Miller 2024, arXiv 2411.00640). Where they are made of a share with fewer than FEW right or wrong
  answers, the interval is widened to that of the shares, :func:`of_shares`.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from emorealm_tasks.answers.task_names import TASKS
from emorealm_tasks.metrics import multiple_choice, unparsed
from emorealm_tasks.metrics.types import Array, Flags, Record, ScoreFunction


class OfClip(TypedDict):
    """What resampling needs of a record, of whatever kind."""

    clip: str
    """Name of the clip; records of one clip are drawn together."""


RESAMPLES, SEED, LEVEL = 2000, 0, 0.95
Interval = tuple[float | None, float | None]
Answers = tuple[Flags, NDArray[np.str_]]
"""Right or wrong, and the clips asked about."""
METHOD = "over clips; shares: exact, with an effective number of questions; F1 and means: percentile bootstrap"
FEW = 10
"""Right and wrong answers that a bootstrap needs of each."""
_REMEMBERED = 10_000_000
"""Numbers in a set of resamples up to which it is kept for the next statistic, in two bytes each."""
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

    Counts have none; ``unparsed_rate`` has one. A sub-task's is of its own clips.
    """
    names, function = multiple_choice.score_function(records, reading)
    names, function = unparsed.with_rate(names, function, records)
    bounds = dict(zip(names, clip_bootstraps(records, function, resamples, seed, level), strict=True))
    exact = task_bounds(records, reading, level)
    exact[unparsed.RATE] = share(unparsed.unparsed(records), _clips(records), level)
    if "f1" in exact:
        exact["f1"] = wider(bounds["f1"], exact["f1"])
    return bounds | exact


def group_intervals(
    records: Sequence[Record], reading: str, *, resamples: int = RESAMPLES, seed: int = SEED, level: float = LEVEL
) -> dict[str, Interval]:
    """The intervals of :func:`metrics.group_scores`; clips are drawn jointly over all tasks."""
    names, function = multiple_choice.group_function(records, reading)
    bounds = dict(zip(names, clip_bootstraps(records, function, resamples, seed, level), strict=True))
    return bounds | {name: wider(bounds[name], of) for name, of in group_bounds(records, reading, level).items()}


def task_bounds(records: Sequence[Record], reading: str, level: float = LEVEL) -> dict[str, Interval]:
    """The intervals that need no bootstrap: of one task's shares, and of F1 where it is :func:`of_shares`."""
    parts = _answers(records, reading)
    bounds = {name: share(right, clips, level) for name, (right, clips) in parts.items()}
    if "precision" in parts:
        bounds["f1"] = of_shares(_harmonic, [parts["precision"], parts["recall"]], level)
    return bounds


def group_bounds(records: Sequence[Record], reading: str, level: float = LEVEL) -> dict[str, Interval]:
    """The intervals :func:`of_shares` of :func:`metrics.group_scores`."""
    parts = {
        (task, name): of
        for task in TASKS
        for name, of in _answers([record for record in records if record["task"] == task], reading).items()
    }
    agreement, basic, stress = TASKS[:1], TASKS[1:3], TASKS[3:]
    group_scores: dict[str, tuple[Sequence[str], Sequence[str], Callable[[Array], float]]] = {
        "accuracy": (TASKS, ("accuracy",), np.mean),
        "basic": (basic, ("accuracy",), np.mean),
        "agree": (agreement, ("precision", "recall"), _harmonic),
        "stress": (stress, ("precision", "recall"), lambda values: (_harmonic(values[:2]) + _harmonic(values[2:])) / 2),
        "spur": (stress, ("spurious",), np.mean),
        "hall": (stress, ("hallucination",), np.mean),
    }
    empty: Answers = np.zeros(0, dtype=bool), np.zeros(0, dtype=str)
    return {
        name: of_shares(combine, [parts.get((task, score), empty) for task in tasks for score in scores], level)
        for name, (tasks, scores, combine) in group_scores.items()
    }


def share(right: Sequence[bool] | Flags, clips: Sequence[str] | NDArray[np.str_], level: float = LEVEL) -> Interval:
    """The interval of a share of right answers, in percent: Korn and Graubard 1998 (Survey Methodology 24).

    Clopper and Pearson's interval with n* = (n / design effect) (t_n-1 / t_G-1)^2 questions in place of n; the design
    effect is 1 at least, t are Student's quantiles, G is the number of clips. Where all answers are alike their
    clustering cannot be seen: n* = G, a clip is one answer. (None, None) without questions; [0, 100] for a single clip
    with both.
    """
    n, groups = len(right), len(set(clips))
    if not n:
        return None, None
    from scipy.stats import beta, t  # half a second to import

    p = float(np.mean(right))
    tail = (1 - level) / 2
    effective = float(groups)
    if 0 < p < 1 and groups > 1:
        tails = t.isf(tail, n - 1) / t.isf(tail, groups - 1)
        effective = n / max(1.0, design_effect(np.asarray(right, dtype=float), clips)) * float(tails) ** 2
    elif 0 < p < 1:
        return 0.0, 100.0
    low = float(beta.ppf(tail, p * effective, (1 - p) * effective + 1)) if p > 0 else 0.0
    high = float(beta.isf(tail, p * effective + 1, (1 - p) * effective)) if p < 1 else 1.0
    return 100 * low, 100 * high


def of_shares(combine: Callable[[Array], float], parts: Sequence[Answers], level: float = LEVEL) -> Interval:
    """The interval of an increasing function of independent shares, in percent (square-and-add; Newcombe 1998).

    low = f - sqrt(sum of (f - f with one share at its low)^2), high likewise, inside [0, 100]. (None, None) where one
    has no questions, and where each has FEW right and FEW wrong answers: there a bootstrap is as good.
    """
    bounds = [share(right, clips, level) for right, clips in parts]
    complete = [(low, high) for low, high in bounds if low is not None and high is not None]
    if len(complete) < len(parts) or all(min(right.sum(), (~right).sum()) >= FEW for right, _ in parts):
        return None, None
    at = np.array([100 * right.mean() for right, _ in parts])
    value, ends = combine(at), []
    for side in (0, 1):
        shifted_values = [
            combine(np.where(np.arange(len(at)) == i, bound[side], at)) for i, bound in enumerate(complete)
        ]
        ends.append(float(np.sqrt(np.sum((np.array(shifted_values) - value) ** 2))))
    return max(0.0, float(value) - ends[0]), min(100.0, float(value) + ends[1])


def wider(one: Interval, other: Interval) -> Interval:
    """From the lower low to the higher high; ``one`` where either is undefined."""
    if one[0] is None or one[1] is None or other[0] is None or other[1] is None:
        return one
    return min(one[0], other[0]), max(one[1], other[1])


def _answers(records: Sequence[Record], reading: str) -> dict[str, Answers]:
    clips = _clips(records)
    return {
        name: (part.right[part.of], clips[part.of]) for name, part in multiple_choice.shares(records, reading).items()
    }


def _clips(records: Sequence[OfClip] | Sequence[Record]) -> NDArray[np.str_]:
    return np.array([record["clip"] for record in records], dtype=str)


def _harmonic(values: Array) -> float:
    return float(multiple_choice.harmonic_mean(values[0], values[1]))


def design_effect(values: Sequence[float] | Array, clips: Sequence[str] | NDArray[np.str_]) -> float:
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
    tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    intervals: list[Interval] = []
    for column in clip_resamples(records, statistic, resamples, seed).T:
        defined = column[~np.isnan(column)]
        if not len(defined):
            intervals.append((None, None))
            continue
        low, high = np.percentile(defined, tails)
        intervals.append((float(low), float(high)))
    return intervals


def clip_resamples(
    records: Sequence[OfClip], statistic: ScoreFunction, resamples: int = RESAMPLES, seed: int = SEED
) -> Array:
    """The values of a statistic in resamples of the clips, (resamples, columns); NaN where undefined."""
    clips, clip_of = np.unique([record["clip"] for record in records], return_inverse=True)
    draws = _draws if len(clips) * resamples <= _REMEMBERED else _draws.__wrapped__
    values = [
        statistic(drawn[:, clip_of].astype(float)).reshape(len(drawn), -1)
        for drawn in draws(len(clips), resamples, seed)
    ]
    return np.concatenate(values)


@lru_cache(maxsize=8)
def _draws(clips: int, resamples: int, seed: int) -> list[NDArray[np.int16]]:
    """How often each of some clips is drawn, in arrays of shape (up to _CHUNK resamples, clips)."""
    random, chances = np.random.default_rng(seed), np.full(clips, 1 / max(clips, 1))
    sizes = [min(_CHUNK, resamples - start) for start in range(0, resamples, _CHUNK)]
    if not clips:
        return [np.zeros((size, 0), np.int16) for size in sizes]
    return [random.multinomial(clips, chances, size).astype(np.int16) for size in sizes]
