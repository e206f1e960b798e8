"""A study's runs -> scores of its rows with intervals over seeds and clips, and paired differences.

A row's score is the mean over its seeds. Its interval holds what other clips and other trainings might have given: a
resample draws clips with replacement, the same for every row, and adds Student's t with S - 1 degrees of freedom, times
the standard error over the S seeds (:func:`bounds_over_seeds`). Drawing five seeds with replacement instead makes
intervals too short: 16% false alarms, simulated, where seeds differ more than clips. In a difference of two rows the
same clips are drawn for both, and seeds are paired: trainings of one seed share their records' order, their draws of
rejected media and the adapters' first values. A single run has the interval of its own table, and near 0% and 100% a
row's is no narrower than the mean of its runs' own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from avem_train.study import record as study_record
from emorealm_results.paper.layouts import GROUP, LAYOUTS, Layout
from emorealm_tasks import metrics
from emorealm_tasks.metrics import Array, Record, ScoreFunction, intervals

Key = tuple[str, str]
"""Task (or GROUP) and metric, as in `layouts.Column`."""
PAPER_LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in LAYOUTS if layout.name in ("table3", "table5", "table13", "table14")
}


@dataclass(frozen=True)
class Score:
    """One score of a row, in percent."""

    value: float | None
    """None where undefined."""
    low: float | None
    """Lower end of the interval; None where undefined."""
    high: float | None
    """Upper end of the interval; None where undefined."""
    spread: float | None = None
    """Standard deviation over seeds; None for one seed."""
    p: float | None = None
    """Of a difference: two-sided, not corrected; None where undefined, and of no difference."""


@dataclass(frozen=True)
class StudyRow:
    """A row of a section."""

    name: str
    """Unique in its section."""
    published: str
    """The model in the paper's tables; "" where there is none."""
    axis: str
    """What is varied; "" where the section is no curve."""
    value: float | None
    """Of what is varied; None where the section is no curve."""
    runs: tuple[str, ...]
    """Keys of its finished runs, a seed each."""
    failed: int = 0
    """Runs that failed, and are left out."""
    missing: int = 0
    """Runs that are not there yet."""


def rows(study: Mapping[str, Any], section: str) -> list[StudyRow]:
    """The rows of a section that have a finished run."""
    all_rows = []
    for row in study["sections"][section]:
        run_keys = [key for key in row["runs"] if key in study["runs"]]
        finished = tuple(key for key in run_keys if "failed" not in study["runs"][key])
        about = {name: row[name] for name in ("name", "published", "axis", "value")}
        all_rows.append(
            StudyRow(
                **about, runs=finished, failed=len(run_keys) - len(finished), missing=len(row["runs"]) - len(run_keys)
            )
        )
    return [row for row in all_rows if row.runs]


class Scored:
    """Every run of a study as a function of weights over its questions, so that runs are resampled together."""

    def __init__(self, study: Mapping[str, Any], reading: str) -> None:
        self.study = study
        self.reading = reading
        self.seeds = {key: run["seed"] for key, run in study["runs"].items()}
        self._functions: dict[tuple[str, str], ScoreFunction] = {}
        self._kept_bounds: dict[tuple[str, str], dict[Key, intervals.Interval]] = {}
        self.names: list[Key] = []
        self._records: Sequence[Record] = []

    def row(self, row: StudyRow, part: str) -> dict[Key, Score]:
        """The row's scores, on a part of the examination ("full", "blind", "shuffled")."""
        stacks = self._stacked([(key, part) for key in row.runs])
        row_scores = self._scores(stacks, (0.0, 100.0)) if len(row.runs) > 1 else self._alone(row.runs[0], part)
        if len(row.runs) > 1:
            row_scores = {key: self._wider(score, key, row, part) for key, score in row_scores.items()}
        ones = stacks(np.ones((1, len(self._records))))[:, 0]
        spreads = np.std(ones, axis=0, ddof=1) if len(row.runs) > 1 else [None] * len(self.names)
        return {
            key: Score(score.value, score.low, score.high, _plain(spread))
            for (key, score), spread in zip(row_scores.items(), spreads, strict=True)
        }

    def difference(self, first: StudyRow, second: StudyRow, part: str = "full") -> dict[Key, Score]:
        """The scores of `first` minus those of `second`, on the seeds that both have (a base has none: it is one)."""
        pairs = self._pairs(first, second)
        ahead, behind = (self._stacked([(pair[side], part) for pair in pairs]) for side in (0, 1))
        if not pairs:
            return {key: Score(None, None, None) for key in self.names}

        def stacks(weights: Array) -> Array:
            return ahead(weights) - behind(weights)

        chances = chances_over_seeds(stacks, self._records)
        scores = self._scores(stacks, (-100.0, 100.0))
        return {key: replace(score, p=p) for (key, score), p in zip(scores.items(), chances, strict=True)}

    def _pairs(self, first: StudyRow, second: StudyRow) -> list[tuple[str, str]]:
        """Runs of one seed each; a run without a seed goes with every run of the other row."""
        by_seed = [{self.seeds[key]: key for key in row.runs} for row in (first, second)]
        if None in by_seed[0] or None in by_seed[1]:
            return [(first_run, second_run) for first_run in first.runs for second_run in second.runs]
        return [(by_seed[0][seed], by_seed[1][seed]) for seed in sorted(by_seed[0].keys() & by_seed[1].keys())]

    def _stacked(self, runs: Sequence[tuple[str, str]]) -> Callable[[Array], Array]:
        """Weights (resamples, questions) -> (runs, resamples, scores)."""
        functions = [self._function(key, part) for key, part in runs]
        return lambda weights: np.stack([function(weights) for function in functions])

    def _scores(self, stacks: Callable[[Array], Array], limits: tuple[float, float]) -> dict[Key, Score]:
        values = stacks(np.ones((1, len(self._records))))[:, 0].mean(axis=0)
        bounds = bounds_over_seeds(stacks, self._records, limits)
        return {key: Score(_plain(value), *bound) for key, value, bound in zip(self.names, values, bounds, strict=True)}

    def _alone(self, key: str, part: str) -> dict[Key, Score]:
        """The scores of one run, with the intervals of :mod:`emorealm_tasks.metrics.intervals`."""
        values = self._function(key, part)(np.ones((1, len(self._records))))[0]
        records = study_record.records(self.study["questions"], self.study["runs"][key]["answers"][part])
        bounds = {(GROUP, name): of for name, of in intervals.group_intervals(records, self.reading).items()}
        for task in metrics.TASKS:
            of_task = [record for record in records if record["task"] == task]
            task_intervals = intervals.score_intervals(of_task, self.reading)
            bounds |= {(task, name): of for name, of in task_intervals.items()}
        return {name: Score(_plain(value), *bounds[name]) for name, value in zip(self.names, values, strict=True)}

    def _wider(self, score: Score, key: Key, row: StudyRow, part: str) -> Score:
        """The score, its interval no narrower than the mean of its runs' own ones, where these need no bootstrap."""
        ends = np.array([self._bounds(run, part).get(key, (None, None)) for run in row.runs], dtype=float)
        if np.isnan(ends).any():
            return score
        low, high = intervals.wider((score.low, score.high), tuple(ends.mean(axis=0)))
        return replace(score, low=low, high=high)

    def _bounds(self, run: str, part: str) -> dict[Key, intervals.Interval]:
        if (run, part) not in self._kept_bounds:
            records = study_record.records(self.study["questions"], self.study["runs"][run]["answers"][part])
            bounds = {(GROUP, name): of for name, of in intervals.group_bounds(records, self.reading).items()}
            for task in metrics.TASKS:
                of_task = [record for record in records if record["task"] == task]
                bounds |= {(task, name): of for name, of in intervals.task_bounds(of_task, self.reading).items()}
            self._kept_bounds[run, part] = bounds
        return self._kept_bounds[run, part]

    def _function(self, key: str, part: str) -> ScoreFunction:
        if (key, part) not in self._functions:
            answered = self.study["runs"][key]["answers"][part]
            records = study_record.records(self.study["questions"], answered)
            self.names, function = all_scores(records, self.reading)
            self._functions[key, part] = _remembering(function)
            self._records = records
        return self._functions[key, part]


def all_scores(records: Sequence[Record], reading: str) -> tuple[list[Key], ScoreFunction]:
    """Names and function of every score: of each task, and of the whole benchmark."""
    parts = []
    for task in metrics.TASKS:
        places = np.array([i for i, record in enumerate(records) if record["task"] == task], dtype=int)
        parts.append((task, places, *metrics.score_function([records[i] for i in places], reading)))
    group, group_function = metrics.group_function(records, reading)
    names = [(task, name) for task, _, of_task, _ in parts for name in of_task] + [(GROUP, name) for name in group]

    def function(weights: Array) -> Array:
        return np.column_stack(
            [*(of_task(weights[:, places]) for _, places, _, of_task in parts), group_function(weights)]
        )

    return names, function


def _remembering(function: ScoreFunction) -> ScoreFunction:
    """The function with its values kept: every row and difference comes with the same resamples again."""
    cache: dict[int, Array] = {}

    def remembered(weights: Array) -> Array:
        key = hash(weights.tobytes())
        if key not in cache:
            cache[key] = function(weights)
        return cache[key]

    return remembered


def bounds_over_seeds(
    stacks: Callable[[Array], Array],
    records: Sequence[intervals.OfClip],
    limits: tuple[float, float],
    resamples: int = intervals.RESAMPLES,
) -> list[intervals.Interval]:
    """An interval for each score's mean over S seeds, in percent, inside ``limits``.

    ``stacks`` maps weights (resamples, records) to scores (seeds, resamples, scores). A resample's value is the mean
    over seeds on drawn clips plus t_(S-1) s / sqrt(S), with s the standard deviation over seeds on all clips: Student's
    interval where clips say the same, the bootstrap over clips where seeds do, both variances added in between. The
    draws of t are taken with both signs, so that a difference turned round has its interval turned round.
    """
    ends = intervals.clip_bootstraps(records, _over_seeds(stacks, len(records)), resamples)
    scores = len(ends) // 2
    return [_between(first, second, limits) for first, second in zip(ends[:scores], ends[scores:], strict=True)]


def chances_over_seeds(
    stacks: Callable[[Array], Array], records: Sequence[intervals.OfClip], resamples: int = intervals.RESAMPLES
) -> list[float | None]:
    """Two-sided p of each score's mean over seeds against 0, from the values that :func:`bounds_over_seeds` has its
    ends of: twice the smaller share on one side of 0, at least 2 / (2 resamples + 1).
    """
    values = intervals.clip_resamples(records, _over_seeds(stacks, len(records)), resamples)
    both_signs = np.concatenate(np.split(values, 2, axis=1))
    chances: list[float | None] = []
    for column in both_signs.T:
        defined = column[~np.isnan(column)]
        on_a_side = 1 + min((defined <= 0).sum(), (defined >= 0).sum())
        chances.append(min(1.0, 2 * float(on_a_side) / (len(defined) + 1)) if len(defined) else None)
    return chances


def _over_seeds(stacks: Callable[[Array], Array], records: int) -> ScoreFunction:
    """Weights (resamples, records) -> the means over seeds with a draw of Student's t added, and with it taken off."""
    ones = stacks(np.ones((1, records)))[:, 0]
    seeds, scores = ones.shape
    errors = ones.std(axis=0, ddof=1) / np.sqrt(seeds) if seeds > 1 else np.zeros(scores)
    random = np.random.default_rng(intervals.SEED + 1)

    def resampled(weights: Array) -> Array:
        means = stacks(weights).mean(axis=0)
        noise = random.standard_t(max(seeds - 1, 1), len(weights))[:, None] * errors
        return np.column_stack([means + noise, means - noise])

    return resampled


def _between(first: intervals.Interval, second: intervals.Interval, limits: tuple[float, float]) -> intervals.Interval:
    if first[0] is None or first[1] is None or second[0] is None or second[1] is None:
        return None, None
    return max(limits[0], (first[0] + second[0]) / 2), min(limits[1], (first[1] + second[1]) / 2)


def _plain(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
