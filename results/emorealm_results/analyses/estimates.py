"""Pure statistics that all analyses share: groups of questions, and means over them with intervals over clips."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from emorealm_results.analyses.scoring import Options, Scored
from emorealm_tasks.metrics import Array, intervals


class Estimate(TypedDict):
    """One number of a report."""

    level: str
    """What the group is one of: all, task, emotion or subtask."""
    group: str
    """Name of the group at that level."""
    condition: str
    """What the number is about: a condition of the analysis; "" = all of them together."""
    metric: str
    """Name of the statistic."""
    value: float
    """In the unit of the metric."""
    low: float | None
    """Lower end of the 95% interval over clips; None where there is none."""
    high: float | None
    """Upper end of the 95% interval over clips; None where there is none."""
    p: float | None
    """Two-sided p, 0 to 1; None where nothing was tested."""
    questions: int
    """How many it is made of."""
    clips: int
    """How many these are about."""


class Group(NamedTuple):
    """Questions that are looked at together."""

    level: str
    """all, task, emotion or subtask."""
    name: str
    """Of the task, emotion or sub-task; all at level all."""
    questions: Sequence[Scored]
    """With their scores, one or more."""

    def estimate(
        self,
        metric: str,
        value: float,
        bounds: intervals.Interval = (None, None),
        condition: str = "",
        p: float | None = None,
    ) -> Estimate:
        """One number about them."""
        clips = len({one["clip"] for one in self.questions})
        return Estimate(
            level=self.level, group=self.name, condition=condition, metric=metric, value=float(value),
            low=bounds[0], high=bounds[1], p=p, questions=len(self.questions), clips=clips,
        )  # fmt: skip

    def estimates(
        self,
        metrics: Sequence[str],
        values: Array,
        condition: str = "",
        combine: "Callable[[Array], Array] | None" = None,
    ) -> list[Estimate]:
        """Means of the columns of `values`, or what `combine` makes of them, with intervals: a number a metric."""
        found = bootstrapped(self.questions, values, combine or (lambda means: means))
        return [
            self.estimate(metric, value, bounds, condition)
            for metric, (value, bounds) in zip(metrics, found, strict=True)
        ]


class Figure(NamedTuple):
    """A number as a function of weights over questions, so that several models are resampled together."""

    group: Group
    """The questions that it stands on."""
    metric: str
    """Name of the number."""
    columns: Array
    """(questions, columns), of which weighted means are taken."""
    condition: str = ""
    """As in `Estimate`."""
    combine: Callable[[Array], Array] = lambda means: means
    """Means (resamples, columns) -> the number (resamples, 1)."""

    def estimates(self) -> list[Estimate]:
        """The number with its interval over clips."""
        return self.group.estimates((self.metric,), self.columns, self.condition, self.combine)


def groups(scored: Sequence[Scored], levels: Sequence[str] = ("task", "emotion", "subtask")) -> Iterator[Group]:
    """All questions, then those of each task, emotion and sub-task (where they have one), in alphabetical order."""
    if scored:
        yield Group("all", "all", scored)
    for level in levels:
        names = sorted({one[level] for one in scored} - {""})  # type: ignore[literal-required]
        for name in names:
            yield Group(level, name, [one for one in scored if one[level] == name])  # type: ignore[literal-required]


def bootstrapped(
    questions: Sequence[Scored], values: Array, combine: Callable[[Array], Array] = lambda means: means
) -> list[tuple[float, intervals.Interval]]:
    """Functions of weighted means, each with its interval over clips (percentile bootstrap; none for a single clip).

    values: (questions, columns). combine: means (resamples, columns) -> statistics (resamples, statistics).
    """

    def statistic(weights: Array) -> Array:
        return combine(weights @ values / weights.sum(axis=1, keepdims=True))

    at = statistic(np.ones((1, len(values))))[0]
    if len({one["clip"] for one in questions}) < 2:
        return [(float(value), (None, None)) for value in at]
    bounds = intervals.clip_bootstraps(questions, statistic)
    return [(float(value), bound) for value, bound in zip(at, bounds, strict=True)]


def log_odds(options: Options) -> float:
    """Log-odds of the right option against all others together, in nats: log p(gold) - log sum p(others)."""
    scores = np.array(options["scores"])
    return float(scores[options["gold"]] - np.logaddexp.reduce(np.delete(scores, options["gold"])))


def chances(options: Options) -> Array:
    """Probability of each option, all of them adding up to one."""
    scores = np.array(options["scores"])
    return np.asarray(np.exp(scores - np.logaddexp.reduce(scores)))


def right(options: Options) -> bool:
    """Whether the right option is the likeliest."""
    return int(np.argmax(options["scores"])) == options["gold"]


def asked_modality(task: str) -> str:
    """What a question is about: "audio", "video", or "" for both."""
    return next((name for name in ("audio", "video") if task.endswith(f"_{name}")), "")
