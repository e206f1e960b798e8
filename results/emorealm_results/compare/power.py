"""How many questions show a difference of a given size (McNemar, clustered by clip)."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from emorealm_results.compare import pairs
from emorealm_results.runs import saved
from emorealm_results.runs.samples import FULL
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import intervals


@dataclass(frozen=True)
class Design:
    """What is compared."""

    accuracy: float
    """Of the first model, as a share."""
    correlation: float
    """Of the two models' right and wrong answers."""
    power: float = 0.8
    """The chance to see the difference."""
    level: float = 0.05
    """Of the two-sided test."""
    per_clip: float = 1.0
    """Questions about one clip."""
    icc: float = 0.0
    """How these correlate."""

    def variance(self, difference: float) -> float:
        """Variance of one question's difference (second - first), in squared shares, clips accounted for."""
        first, second = self.accuracy, self.accuracy + difference
        a, b = first * (1 - first), second * (1 - second)
        return (a + b - 2 * self.correlation * math.sqrt(a * b)) * (1 + (self.per_clip - 1) * self.icc)


def questions(design: Design, difference: float) -> int:
    """Questions needed to see a difference of accuracies (a share, not 0), at least 1.

    Raises ValueError when the second accuracy leaves [0, 1], or when two such models cannot correlate that much.
    """
    first, second = design.accuracy, design.accuracy + difference
    if difference == 0 or not 0 <= second <= 1:
        raise ValueError(f"{100 * first:g}% and {100 * second:g}% are no two different accuracies")
    low, high = possible_correlations(first, second)
    if not low <= design.correlation <= high:
        raise ValueError(
            f"models of {100 * first:g}% and {100 * second:g}% can correlate between {low:.2f} and {high:.2f} only"
        )
    return max(1, math.ceil(_quantiles(design) ** 2 * design.variance(difference) / difference**2))


def detectable(design: Design, n: int) -> float:
    """The smallest gain of accuracy (a share) that ``n`` questions show; NaN when not even a perfect model would do.

    Correlations that a difference rules out are replaced by the largest that it allows.
    """

    def excess(difference: float) -> float:
        low, high = possible_correlations(design.accuracy, design.accuracy + difference)
        allowed = Design(**vars(design) | {"correlation": min(max(design.correlation, low), high)})
        return difference * math.sqrt(n) - _quantiles(design) * math.sqrt(max(allowed.variance(difference), 0.0))

    most = 1 - design.accuracy
    tiny = min(1e-6, most / 2)
    if most <= 0 or excess(most) < 0:
        return math.nan
    return float(brentq(excess, tiny, most)) if excess(tiny) < 0 else tiny


def possible_correlations(first: float, second: float) -> tuple[float, float]:
    """The correlations that two right/wrong variables of these means can have (Frechet's bounds)."""
    spread = math.sqrt(first * (1 - first) * second * (1 - second))
    if spread == 0:
        return -1.0, 1.0
    both_low, both_high = max(0.0, first + second - 1), min(first, second)
    return (both_low - first * second) / spread - 1e-9, (both_high - first * second) / spread + 1e-9


def measured(first: Path, second: Path) -> Design:
    """Accuracy, correlation, questions a clip and icc as two runs on the same questions show them (strict reading).

    Of full tasks only: floors are other experiments. ``per_clip`` is m = sum(m_c^2) / sum(m_c) over clips of m_c
    questions; ``icc`` that of the questions' differences, (design effect - 1) / (m - 1) between 0 and 1 (Kish 1965).
    """
    run_pairs = [pair for pair in pairs.pair(saved.load(first), saved.load(second)) if pair.part == FULL]
    run_pairs = [pair for pair in run_pairs if pair.kind != pairs.DESCRIPTIONS]
    if not run_pairs:
        stop(
            f"{first}, {second}: only floors or descriptions, in which nothing is right or wrong; name runs of full "
            "tasks"
        )
    a = np.array([pairs.right(record, "strict") for pair in run_pairs for record in pair.first], dtype=float)
    b = np.array([pairs.right(record, "strict") for pair in run_pairs for record in pair.second], dtype=float)
    if a.std() == 0 or b.std() == 0:
        stop(f"{first}, {second}: one of the runs is always right or always wrong, so no correlation can be measured")
    clips = [record["clip"] for pair in run_pairs for record in pair.first]
    sizes = np.unique(clips, return_counts=True)[1]
    per_clip = float((sizes**2).sum() / sizes.sum())
    icc = 0.0 if per_clip == 1 else (intervals.design_effect(b - a, clips) - 1) / (per_clip - 1)
    return Design(float(a.mean()), float(np.corrcoef(a, b)[0, 1]), per_clip=per_clip, icc=float(np.clip(icc, 0.0, 1.0)))


def _quantiles(design: Design) -> float:
    return float(norm.ppf(1 - design.level / 2) + norm.ppf(design.power))
