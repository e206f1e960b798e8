"""Scores of judged descriptions as pure functions: means over clips on the judge's scale of 1 to 10 (Table 2, EMER).

A *record* is one description: a dict with ``id``, ``clip``, ``task``, ``reference``, ``raw`` (the reply), ``error`` (""
for none), ``truth`` (true cues, None where unknown), ``judge`` (whose verdicts count, "" for nobody's) and
``verdicts``: judge -> one a repeat, each ``{"scores": {criterion: 1..10}, "reasons": {criterion: text}}``, or None
where the judge gave none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emorealm_tasks import intervals
from emorealm_tasks.judge_prompt import CRITERIA, Verdict

Record = Mapping[str, Any]
MOST_UNJUDGED = 0.05
"""Share of verdicts that may be missing; beyond it there are no scores."""
NAMES = {"clue": "clue overlap", "label": "label overlap", "spurious": "spurious", "halluc": "hallucination"}
"""Criterion -> what it is called in a table."""


def as_json(verdicts: Sequence[Verdict | None]) -> list[dict[str, Any] | None]:
    """Verdicts as a record holds them."""
    return [verdict and {"scores": dict(verdict.scores), "reasons": dict(verdict.reasons)} for verdict in verdicts]


def clip_scores(record: Record, judge: str) -> dict[str, float] | None:
    """Each criterion's mean over the repeats that were judged; None when none was."""
    given = [verdict["scores"] for verdict in record["verdicts"].get(judge, ()) if verdict]
    return {name: float(np.mean([scores[name] for scores in given])) for name in CRITERIA} if given else None


def unjudged(records: Sequence[Record], judge: str) -> tuple[int, int]:
    """How many verdicts are missing, of how many; a record without an entry for the judge misses one."""
    given = [verdict for record in records for verdict in record["verdicts"].get(judge) or [None]]
    return sum(verdict is None for verdict in given), len(given)


def scores(records: Sequence[Record], judge: str) -> dict[str, dict[str, float | None]]:
    """Criterion (and "mean", over the four) -> value, low, high, spread; low and high are a 95% interval over clips.

    ``value`` is the mean over judged clips of each clip's mean over repeats, ``spread`` the mean over clips of the
    standard deviation (n - 1) between repeats, None without repeats. All are None when nothing was judged, or more
    than MOST_UNJUDGED of the verdicts are missing.
    """
    missing, asked = unjudged(records, judge)
    judged = [record for record in records if clip_scores(record, judge)]
    if not judged or missing > MOST_UNJUDGED * asked:
        return {name: dict.fromkeys(("value", "low", "high", "spread")) for name in (*CRITERIA, "mean")}
    by_clip = np.array([list(clip_scores(record, judge).values()) for record in judged])
    by_clip = np.column_stack([by_clip, by_clip.mean(axis=1)])

    def means(weights: np.ndarray) -> np.ndarray:
        return weights @ by_clip / weights.sum(axis=1, keepdims=True)

    bounds = intervals.clip_bootstraps(judged, means)
    spreads = _spreads(judged, judge)
    return {
        name: {"value": float(value), "low": low, "high": high, "spread": spread}
        for name, value, (low, high), spread in zip(
            (*CRITERIA, "mean"), by_clip.mean(axis=0), bounds, spreads, strict=True
        )
    }


def _spreads(judged: Sequence[Record], judge: str) -> list[float | None]:
    deviations = []
    for record in judged:
        given = [list(verdict["scores"].values()) for verdict in record["verdicts"][judge] if verdict]
        if len(given) > 1:
            table = np.array(given, dtype=float)
            deviations.append(np.column_stack([table, table.mean(axis=1)]).std(axis=0, ddof=1))
    return [float(spread) for spread in np.mean(deviations, axis=0)] if deviations else [None] * (len(CRITERIA) + 1)
