"""A study's runs -> scores of its rows with intervals over seeds and clips, and paired differences.

A row's score is the mean over its seeds. A resample draws clips with replacement, the same for every row, and seeds
with replacement: so an interval holds what other clips and other trainings might have given. In a difference of two
rows the same clips and the same seeds are drawn for both: trainings of one seed share their records' order, their draws
of rejected media and the adapters' first values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from avem_train import study_record
from emorealm_results.layouts import GROUP, LAYOUTS, Layout
from emorealm_tasks import intervals, metrics
from emorealm_tasks.metrics import Array, Record, ScoreFunction

Key = tuple[str, str]
"""Task (or GROUP) and metric, as in `layouts.Column`."""
SHOWN: dict[str, Layout] = {layout.name: layout for layout in LAYOUTS if layout.name in ("table3", "table5", "table14")}


@dataclass(frozen=True)
class Score:
    """value, low, high in percent; None where undefined. spread: standard deviation over seeds, None for one seed."""

    value: float | None
    low: float | None
    high: float | None
    spread: float | None = None


@dataclass(frozen=True)
class Row:
    """A row of a section with its runs' keys, a seed each; failed ones are left out and counted in `failed`."""

    name: str
    published: str
    axis: str
    value: float | None
    runs: tuple[str, ...]
    failed: int = 0
    missing: int = 0


def rows(study: Mapping[str, Any], section: str) -> list[Row]:
    """The rows of a section that have a finished run."""
    found = []
    for row in study["sections"][section]:
        there = [key for key in row["runs"] if key in study["runs"]]
        good = tuple(key for key in there if "failed" not in study["runs"][key])
        told = {name: row[name] for name in ("name", "published", "axis", "value")}
        found.append(Row(**told, runs=good, failed=len(there) - len(good), missing=len(row["runs"]) - len(there)))
    return [row for row in found if row.runs]


class Scored:
    """Every run of a study as a function of weights over its questions, so that runs are resampled together."""

    def __init__(self, study: Mapping[str, Any], reading: str) -> None:
        self.study = study
        self.reading = reading
        self.seeds = {key: run["seed"] for key, run in study["runs"].items()}
        self._functions: dict[tuple[str, str], ScoreFunction] = {}
        self.names: list[Key] = []
        self._records: Sequence[Record] = []

    def row(self, row: Row, part: str) -> dict[Key, Score]:
        """The row's scores, on a part of the examination ("full", "blind", "shuffled")."""
        stacks = self._stacked([(key, part) for key in row.runs])
        found = self._scores(lambda weights, drawn: _mean(stacks(weights), drawn), len(row.runs))
        ones = stacks(np.ones((1, len(self._records))))[:, 0]
        spreads = np.std(ones, axis=0, ddof=1) if len(row.runs) > 1 else [None] * len(self.names)
        return {
            key: Score(score.value, score.low, score.high, _plain(spread))
            for (key, score), spread in zip(found.items(), spreads, strict=True)
        }

    def difference(self, first: Row, second: Row, part: str = "full") -> dict[Key, Score]:
        """The scores of `first` minus those of `second`, on the seeds that both have (a base has none: it is one)."""
        pairs = self._pairs(first, second)
        ahead, behind = (self._stacked([(pair[side], part) for pair in pairs]) for side in (0, 1))
        return self._scores(lambda weights, drawn: _mean(ahead(weights) - behind(weights), drawn), len(pairs))

    def _pairs(self, first: Row, second: Row) -> list[tuple[str, str]]:
        """Runs of one seed each; a run without a seed goes with every run of the other row."""
        by_seed = [{self.seeds[key]: key for key in row.runs} for row in (first, second)]
        if None in by_seed[0] or None in by_seed[1]:
            return [(one, other) for one in first.runs for other in second.runs]
        return [(by_seed[0][seed], by_seed[1][seed]) for seed in sorted(by_seed[0].keys() & by_seed[1].keys())]

    def _stacked(self, wanted: Sequence[tuple[str, str]]) -> Callable[[Array], Array]:
        """Weights (resamples, questions) -> (runs, resamples, scores)."""
        functions = [self._function(key, part) for key, part in wanted]
        return lambda weights: np.stack([function(weights) for function in functions])

    def _scores(self, statistic: Callable[[Array, Array], Array], seeds: int) -> dict[Key, Score]:
        if not seeds:
            return {key: Score(None, None, None) for key in self.names}
        random = np.random.default_rng(intervals.SEED + 1)

        def resampled(weights: Array) -> Array:
            return statistic(weights, random.multinomial(seeds, np.full(seeds, 1 / seeds), len(weights)) / seeds)

        values = statistic(np.ones((1, len(self._records))), np.full((1, seeds), 1 / seeds))[0]
        bounds = intervals.clip_bootstraps(self._records, resampled)
        return {key: Score(_plain(value), *bound) for key, value, bound in zip(self.names, values, bounds, strict=True)}

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
    group, whole = metrics.group_function(records, reading)
    names = [(task, name) for task, _, of_task, _ in parts for name in of_task] + [(GROUP, name) for name in group]

    def function(weights: Array) -> Array:
        return np.column_stack([*(of_task(weights[:, places]) for _, places, _, of_task in parts), whole(weights)])

    return names, function


def _remembering(function: ScoreFunction) -> ScoreFunction:
    """The function with its values kept: every row and difference comes with the same resamples again."""
    kept: dict[int, Array] = {}

    def remembered(weights: Array) -> Array:
        key = hash(weights.tobytes())
        if key not in kept:
            kept[key] = function(weights)
        return kept[key]

    return remembered


def _mean(stack: Array, drawn: Array) -> Array:
    """(runs, resamples, scores), how often each run was drawn (resamples, runs) as shares -> (resamples, scores)."""
    mean: Array = np.einsum("krs,rk->rs", stack, drawn)
    return mean


def _plain(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
