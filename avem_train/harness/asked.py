"""What a model can be asked while it is trained: benchmarks by name, their tasks, and the scores of their answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emorealm_tasks import metrics
from emorealm_tasks.benchmarks import registry, suite
from emorealm_tasks.judge import dispatch, true_cues
from emorealm_tasks.metrics import description, recognition
from emorealm_tasks.settings import load

Scores = Mapping[str, float | None]
_MEAN = "score"


@dataclass(frozen=True)
class Kind:
    """What the benchmarks of one kind have in common."""

    tasks: tuple[str, ...]
    """What follows the benchmark in the names of its tasks; () = it is a task itself."""
    carrier: str
    """The metric of lmms-eval whose samples hold the records."""
    names: tuple[str, ...]
    """Its scores."""
    shown: tuple[str, ...]
    """Those of them that the closing line of a training shows."""
    scores: Callable[[Sequence[Any]], Scores]
    """Records of all its tasks -> score by name, None where it is undefined."""


def _recognised(records: Sequence[recognition.Record]) -> Scores:
    """Percent, by the strict reading."""
    scores = recognition.scores(records, "strict")
    return {name: scores[name] for name in recognition.AVERAGES}


def _described(records: Sequence[description.Record]) -> Scores:
    """1 to 10, by the true cues; `score` is the mean over the criteria."""
    dispatch.judge_records(records, load(), "cues")
    scores = description.scores(records, true_cues.NAME)
    return {_MEAN: scores["mean"]["value"]} | {name: scores[name]["value"] for name in description.CRITERIA}


_QUESTIONS = Kind(metrics.TASKS, "emorealm_score", metrics.GROUP_SCORES, ("accuracy",), metrics.group_scores)
_RECOGNITION = Kind((), "emotion_score", recognition.AVERAGES, ("uar", "war"), _recognised)
_DESCRIPTION = Kind((), "emer_score", (_MEAN, *description.CRITERIA), (_MEAN,), _described)
BENCHMARKS: dict[str, Kind] = {
    **dict.fromkeys(registry.BENCHMARKS, _QUESTIONS),
    **{name: _RECOGNITION for name in suite.BENCHMARKS if name in suite.PROMPTED},
    "emer_mini": _DESCRIPTION,
}
"""Benchmark -> its kind. EMER itself is not among them: a language model judges it, through its API."""
GROUPS: dict[str, Kind] = BENCHMARKS | {
    f"{benchmark}_{variant}": _QUESTIONS
    for benchmark in registry.BENCHMARKS
    for variant in registry.VARIANTS
    if variant
}
"""These and EmoReAlM's controls, which a study asks."""
SHOWN = frozenset(f"{benchmark}_{name}" for benchmark, kind in BENCHMARKS.items() for name in kind.shown)
"""The scores that the closing line shows, as they are logged."""


def tasks(group: str) -> list[str]:
    """The names of a group's tasks in the harness."""
    return [f"{group}_{task}" for task in GROUPS[group].tasks] or [group]


def names(benchmark: str) -> list[str]:
    """A benchmark's scores as they are logged, e.g. dfew_mini_uar."""
    return [f"{benchmark}_{name}" for name in BENCHMARKS[benchmark].names]


def scores(benchmark: str, records: Sequence[Any]) -> dict[str, float]:
    """The defined ones of :func:`names`: EmoReAlM's and recognition's in percent, EMER's from 1 to 10."""
    of_records = BENCHMARKS[benchmark].scores(records)
    return {f"{benchmark}_{name}": value for name, value in of_records.items() if value is not None}
