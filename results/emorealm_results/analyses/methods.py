"""One analysis of all trainings of a study: each method's numbers, and how methods differ, over questions and seeds.

Questions are drawn by their clips, the same for every training; seeds are a level of their own, as in
`emorealm_results.study.scores`. In a difference, trainings of one seed are pairs; the base, which has no seed, goes
with every training.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from emorealm_results.analyses.estimates import Estimate, Figure
from emorealm_results.analyses.sentences import AGAINST
from emorealm_results.study.scores import bounds_over_seeds
from emorealm_tasks.metrics import Array

BASE = "base"
Trainings = Mapping[int | None, Sequence[Any]]
"""Seed (None: not trained) -> what was measured of each question."""
_NO_LIMITS = (-np.inf, np.inf)


def report(
    methods: Mapping[str, Trainings], figures: Callable[[Sequence[Any]], list[Figure]], beside: Sequence[str]
) -> dict[str, list[Estimate]]:
    """Method -> its numbers, and their differences from those of the methods `beside`, as `METRIC_against_METHOD`.

    Of the questions that every training has.
    """
    common = set.intersection(*({one["id"] for one in lines} for of in methods.values() for lines in of.values()))
    made = {name: {seed: figures(_sorted(lines, common)) for seed, lines in of.items()} for name, of in methods.items()}
    found = {}
    for name, of in made.items():
        numbers = [_mean(number, "") for number in _by_number([(one,) for one in of.values()])]
        for other in beside:
            if other != name and other in made:
                pairs = _pairs(of, made[other])
                numbers += [_mean(number, AGAINST + other) for number in _by_number(pairs)] if pairs else []
        found[name] = numbers
    return found


def _sorted(lines: Sequence[Any], ids: set[str]) -> list[Any]:
    return sorted((one for one in lines if one["id"] in ids), key=lambda one: str(one["id"]))


def _pairs(
    ahead: Mapping[int | None, list[Figure]], behind: Mapping[int | None, list[Figure]]
) -> list[tuple[list[Figure], list[Figure]]]:
    """Trainings of one seed; where one side has no seeds, all with all."""
    if None in ahead or None in behind:
        return [(one, other) for one in ahead.values() for other in behind.values()]
    return [(ahead[seed], behind[seed]) for seed in sorted(set(ahead) & set(behind), key=str)]


def _by_number(runs: Sequence[tuple[list[Figure], ...]]) -> list[list[tuple[Figure, ...]]]:
    """Runs, each of one figure list or of a pair -> for each number, its figure or pair in every run."""
    return [[tuple(of[place] for of in run) for run in runs] for place in range(len(runs[0][0]))]


def _mean(runs: Sequence[tuple[Figure, ...]], suffix: str) -> Estimate:
    """The mean over runs of a number, or of the difference of two."""
    first = runs[0][0]

    def stacks(weights: Array) -> Array:
        return np.stack([_value(run[0], weights) - (_value(run[1], weights) if run[1:] else 0.0) for run in runs])

    questions = first.group.questions
    value = stacks(np.ones((1, len(questions)))).mean()
    (bounds,) = bounds_over_seeds(stacks, questions, _NO_LIMITS)
    return first.group.estimate(first.metric + suffix, value, bounds, first.condition)


def _value(figure: Figure, weights: Array) -> Array:
    """(resamples, 1)."""
    return figure.combine(weights @ figure.columns / weights.sum(axis=1, keepdims=True))
