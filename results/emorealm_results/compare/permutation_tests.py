"""Which losses between two runs count, with a known chance of a false alarm over all scores together.

Judged are the scores that the paper's tables print (Tables 2, 3, 13), of full tasks. Each has a one-sided p, the chance
of a loss at least as large if the two runs were exchangeable clip by clip: exact, from random signs of the clips' sums,
for shares of right answers (McNemar 1947, where a clip has one question), and by swapping the runs' answers clip by
clip for other scores (a permutation test). Holm's step-down procedure (Holm 1979) bounds the chance of any false alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emorealm_results.compare import pairs
from emorealm_results.runs.samples import FULL
from emorealm_tasks.metrics import Array
from emorealm_tasks.metrics.description import CRITERIA

RESAMPLES, SEED = 9999, 0
LEVEL, POWER = 0.05, 0.8
_SHARES = {pairs.QUESTIONS: "accuracy", pairs.RECOGNITION: "war"}
_PRIMARY = {
    pairs.QUESTIONS: ("accuracy", "f1"),
    pairs.RECOGNITION: ("uar", "war"),
    pairs.DESCRIPTIONS: CRITERIA,
}
_BY_F1 = "mer2023"


@dataclass(frozen=True)
class Loss:
    """What is tested of one score."""

    task: str
    """Name of the task."""
    score: str
    """Name of the score."""
    p: float
    """One-sided."""
    unit: float
    """What a clip's single answer, or point, weighs."""


def primary(pair: pairs.Pair) -> tuple[str, ...]:
    """The scores of a task that are judged: none of a floor.

    Accuracy, and F1 where the answers are yes and no; UAR and WAR of recognition, of MER2023 weighted F1; the judge's
    four criteria.
    """
    if pair.part != FULL:
        return ()
    if pair.kind == pairs.RECOGNITION and pair.name.startswith(_BY_F1):
        return ("weighted_f1",)
    defined = pairs.score_names(pair)
    return tuple(name for name in _PRIMARY[pair.kind] if name in defined)


def losses(pair: pairs.Pair, reading: str, resamples: int = RESAMPLES) -> list[Loss]:
    """A :class:`Loss` for each primary score of a pair's task that both runs have."""
    clips = len({record["clip"] for record in pair.first})
    unit = (1.0 if pair.kind == pairs.DESCRIPTIONS else 100.0) / max(clips, 1)
    return [Loss(pair.name, score, p_of_loss(pair, score, reading, resamples), unit) for score in primary(pair)]


def p_of_loss(pair: pairs.Pair, score: str, reading: str, resamples: int = RESAMPLES) -> float:
    """One-sided p of the loss of a score from the first run to the second; 1 where no answer differs."""
    counts_all = pair.kind == pairs.QUESTIONS or reading == "strict"  # the official reading drops replies
    if score == _SHARES.get(pair.kind) and counts_all:
        sums: dict[str, int] = {}
        for first, second in zip(pair.first, pair.second, strict=True):
            loss = int(pairs.right(first, reading)) - int(pairs.right(second, reading))
            sums[first["clip"]] = sums.get(first["clip"], 0) + loss
        return sign_flip_p(list(sums.values()))
    return _swap_p(pair, score, reading, resamples)


def sign_flip_p(losses: Sequence[int]) -> float:
    """P(sum of random signs times abs(losses) >= sum(losses)), exact; ``losses`` are right answers lost, a clip each.

    Where no clip lost or gained more than one it is McNemar's exact test, one-sided.
    """
    sizes = [abs(loss) for loss in losses if loss]
    if not sizes:
        return 1.0
    if max(sizes) == 1:
        from scipy.stats import binomtest  # half a second to import, as below

        return float(binomtest(sum(loss > 0 for loss in losses), len(sizes), alternative="greater").pvalue)
    chances: Array = np.ones(1)  # of the sums -total, -total + 2, ..., total
    for size in sizes:
        step = np.zeros(size + 1)
        step[[0, -1]] = 0.5
        chances = np.convolve(chances, step)
    return float(min(1.0, chances[(sum(losses) + sum(sizes)) // 2 :].sum()))


def _swap_p(pair: pairs.Pair, score: str, reading: str, resamples: int) -> float:
    """The permutation test: a resample hands each clip's answers, at random, to the one run or to the other."""
    records = (*pair.first, *pair.second)
    differ = sorted({a["clip"] for a, b in zip(pair.first, pair.second, strict=True) if _differ(pair, a, b)})
    if not differ:
        return 1.0
    differ += [""] * (len(differ) == 1)  # nobody's: SciPy takes no test of one clip
    names, function = pairs.score_function(pair.kind, records, reading)
    column = names.index(score)
    place = {clip: number for number, clip in enumerate(differ)}
    clip_of = np.array([place.get(record["clip"], len(differ)) for record in records])
    in_second = np.arange(len(records)) >= len(pair.first)

    def loss(first_source: Array, second_source: Array, axis: int = -1) -> Array:
        """Each of shape (..., clips): whose answers are taken for the first and for the second run, 0 or 1."""
        values = []
        for whose in (first_source, second_source):
            rows = whose.reshape(-1, len(differ))
            rows = np.column_stack([rows, np.zeros(len(rows))])  # where nothing differs, the first run's stand for both
            values.append(function((rows[:, clip_of] == in_second).astype(float))[:, column])
        difference: Array = (values[0] - values[1]).reshape(first_source.shape[:-1])
        return difference

    from scipy.stats import permutation_test

    result = permutation_test(
        (np.zeros(len(differ)), np.ones(len(differ))),
        loss,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=250,
        alternative="greater",
        axis=-1,
        rng=np.random.default_rng(SEED),
    )
    return float(result.pvalue)


def _differ(pair: pairs.Pair, first: pairs.Record, second: pairs.Record) -> bool:
    answer_keys = (
        ("points",) if pair.kind == pairs.DESCRIPTIONS else ("strict", "official", "official_lenient", "error")
    )
    return any(first.get(name) != second.get(name) for name in answer_keys)


def p_beyond(loss: float, error: float, tolerance: float) -> float:
    """One-sided p of a loss above ``tolerance``: normal, with the standard error of the difference over clips."""
    from scipy.stats import norm

    return float(norm.sf((loss - tolerance) / error)) if error > 0 else float(loss <= tolerance)


def holm(chances: Sequence[float]) -> list[float]:
    """Holm's adjusted p, in the order given: those at or below a level have that family-wise error rate."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    adjusted, least = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = least
    return adjusted


def found_from(error: float, unit: float, family: int, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest true loss that is found with this power, whatever the other scores do, in the score's unit.

    (z_(1 - level / family) + z_power) * error, with ``error`` the standard error of the difference over clips (Connor
    1987; Holm's first step); at least z^2 * unit, since a loss of d percent flips d percent of the answers itself.
    """
    from scipy.stats import norm

    quantiles = float(norm.isf(level / max(family, 1)) + norm.ppf(power))
    return max(quantiles * error, quantiles**2 * unit)
