"""The paper's scores as pure functions, in percent (Sections D.1 and D.5 of the paper).

A *record* is one scored reply (:class:`Record`). A *reading* is one of ``answers.MODES``. A score without a sample to
stand on is None, never NaN.

Every score is a function of weights over records, so that the numbers and their bootstrap intervals
(:mod:`emorealm_tasks.metrics.intervals`) come from one formula; inside those functions undefined is NaN.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from emorealm_tasks.answers import MODES
from emorealm_tasks.answers.choices import yes_no_letters
from emorealm_tasks.answers.task_names import SUBTASKS, TASKS
from emorealm_tasks.metrics.types import Array, Flags, Record, ScoreFunction
from emorealm_tasks.metrics.unparsed import unparsed


class Share(NamedTuple):
    """A score that is a share of questions."""

    of: Flags
    """The questions that count."""
    right: Flags
    """The questions answered right."""


YES_NO_SCORES = ("precision", "recall", "f1", "yes_rate")
GROUP_SCORES = ("accuracy", "basic", "agree", "stress", "spur", "hall")


def accuracy(correct: Sequence[bool] | Flags) -> float | None:
    """Share of right answers in percent; None without any."""
    # as _share computes it, so that a score is the same number to the last digit wherever it is made
    return 100.0 * float(np.sum(correct)) / len(correct) if len(correct) else None


def yes_no_scores(
    gold: Sequence[str], correct: Sequence[bool], predicted: Sequence[str | None] | None = None
) -> dict[str, float | None]:
    """The scores of a yes/no task (Section D.1), in percent.

    ``gold`` is "yes" or "no" per question, ``correct`` whether it was answered rightly, ``predicted`` "yes", "no" or
    None (no answer). precision = share of right answers where gold is yes, recall = where gold is no, f1 = their
    harmonic mean (0 where both are 0), yes_rate = share of replies that say yes; without ``predicted`` it is inferred
    from ``correct`` as the released code does (a wrong reply counts as the other word). A score whose questions are
    absent is None. Raises ValueError for another gold word or lists of unequal length.
    """
    if set(gold) - {"yes", "no"}:
        raise ValueError(f"gold answers of a yes/no task are 'yes' or 'no', not {sorted(set(gold) - {'yes', 'no'})}")
    if len(gold) != len(correct) or (predicted is not None and len(gold) != len(predicted)):
        raise ValueError("gold, correct and predicted differ in length")
    right = np.array(correct, dtype=bool)
    is_yes = np.array([word == "yes" for word in gold], dtype=bool)
    says_yes = is_yes == right if predicted is None else np.array([word == "yes" for word in predicted], dtype=bool)
    ones = np.ones((1, len(gold)))
    values = np.column_stack([_share(ones, right), *_yes_no(ones, is_yes, right, says_yes)])
    return dict(zip(("accuracy", *YES_NO_SCORES), map(_plain, values[0]), strict=True))


def task_scores(records: Sequence[Record], reading: str) -> dict[str, float | int | None]:
    """All scores of one task's records under a reading.

    Keys: ``accuracy`` (percent; errors and unparsed replies are wrong), for yes/no tasks ``precision``, ``recall``,
    ``f1`` and ``yes_rate``, the accuracy of each stress sub-task the data names, and the counts ``unparsed`` (the
    strict reading finds no answer, though the model replied), ``unparsed_rate`` (percent), ``errors`` (no reply at
    all), ``n`` and ``n_clips``. Raises ValueError for an unknown reading.
    """
    names, function = score_function(records, reading)
    scores: dict[str, float | int | None] = dict(zip(names, _values(function, records), strict=True))
    errors = sum(bool(record["error"]) for record in records)
    none_read = unparsed(records)
    return scores | {
        "unparsed": int(none_read.sum()),
        "unparsed_rate": accuracy(none_read),
        "errors": errors,
        "n": len(records),
        "n_clips": len({record["clip"] for record in records}),
    }


def group_scores(records: Sequence[Record], reading: str = "strict") -> dict[str, float | None]:
    """``accuracy`` = unweighted mean over the five tasks, and :func:`ablation_columns`; ``records`` of all tasks.

    A score that needs a task (or sub-task) without records is None.
    """
    names, function = group_function(records, reading)
    return dict(zip(names, _values(function, records), strict=True))


def ablation_columns(records: Sequence[Record], reading: str = "strict") -> dict[str, float | None]:
    """The columns of the paper's ablations (Section D.5, Table 5), percent, from the records of all tasks.

    ``basic`` = mean accuracy of the two basic tasks, ``agree`` = F1 of modality agreement, ``stress`` = mean F1 of
    the two stress tasks, ``spur`` and ``hall`` = mean accuracy of the two stress tasks on that sub-task.
    """
    scores = group_scores(records, reading)
    return {name: scores[name] for name in GROUP_SCORES[1:]}


def shares(records: Sequence[Record], reading: str) -> dict[str, Share]:
    """One task's scores that are shares: accuracy, the yes/no scores but f1, and the sub-tasks' accuracies."""
    right = _right(records, reading)
    all_records = np.ones(len(records), dtype=bool)
    parts = {"accuracy": Share(all_records, right)}
    letters = [yes_no_letters(record["choices"]) for record in records]
    if records and all(letters):
        is_yes = np.array([map_["yes"] == r["gold"] for map_, r in zip(letters, records, strict=True)], dtype=bool)
        says_yes = _says_yes(records, letters, is_yes, right, reading)
        parts |= {"precision": Share(is_yes, right), "recall": Share(~is_yes, right)}
        parts |= {"yes_rate": Share(all_records, says_yes)}
    subtasks = {name: np.array([r["subtask"] == name for r in records], dtype=bool) for name in SUBTASKS}
    return parts | {name: Share(member, right) for name, member in subtasks.items() if member.any()}


def score_function(records: Sequence[Record], reading: str) -> tuple[tuple[str, ...], ScoreFunction]:
    """Names and :data:`ScoreFunction` of one task's accuracy, yes/no scores and sub-task accuracies."""
    parts = shares(records, reading)
    asks_yes_no = "yes_rate" in parts
    subtasks = tuple(name for name in SUBTASKS if name in parts)
    names = ("accuracy", *(YES_NO_SCORES if asks_yes_no else ()), *subtasks)

    def function(weights: Array) -> Array:
        columns = {name: _share(weights, part.right, part.of) for name, part in parts.items()}
        if asks_yes_no:
            columns["f1"] = harmonic_mean(columns["precision"], columns["recall"])
        return np.column_stack([columns[name] for name in names])

    return names, function


def harmonic_mean(first: Array, second: Array) -> Array:
    """2 a b / (a + b); 0 where both are 0, NaN where one is."""
    total = first + second
    mean: Array = np.divide(2 * first * second, total, out=np.array(total), where=total > 0)
    return mean


def group_function(records: Sequence[Record], reading: str) -> tuple[tuple[str, ...], ScoreFunction]:
    """:data:`GROUP_SCORES` and their :data:`ScoreFunction` over the records of all five tasks."""
    parts = {}
    for task in TASKS:
        rows = np.array([i for i, record in enumerate(records) if record["task"] == task], dtype=int)
        parts[task] = rows, *score_function([records[i] for i in rows], reading)

    def function(weights: Array) -> Array:
        """(resamples, records) weights -> (resamples, scores)."""
        scores: dict[str, dict[str, Array]] = {}
        for task, (rows, names, part) in parts.items():
            scores[task] = dict(zip(names, part(weights[:, rows]).T, strict=True))
        undefined = np.full(len(weights), np.nan)

        def mean(tasks: Sequence[str], name: str) -> Array:
            found: Array = np.mean([scores[task].get(name, undefined) for task in tasks], axis=0)
            return found

        agreement, basic, stress = TASKS[:1], TASKS[1:3], TASKS[3:]
        columns = [mean(TASKS, "accuracy"), mean(basic, "accuracy"), mean(agreement, "f1"), mean(stress, "f1")]
        return np.column_stack([*columns, mean(stress, "spurious"), mean(stress, "hallucination")])

    return GROUP_SCORES, function


def _right(records: Sequence[Record], reading: str) -> Flags:
    if reading not in MODES:
        raise ValueError(f"reading is {reading!r}; known are {', '.join(MODES)}")
    if reading == "strict":
        return np.array([record["strict"] == record["gold"] for record in records], dtype=bool)
    if reading == "official":
        return np.array([record["official"] for record in records], dtype=bool)
    return np.array([record["official_lenient"] for record in records], dtype=bool)


def _says_yes(
    records: Sequence[Record],
    letters: list[dict[str, str]],
    is_yes: Flags,
    right: Flags,
    reading: str,
) -> Flags:
    if reading != "strict":
        return np.equal(is_yes, right)  # the released code knows only right and wrong
    return np.array([r["strict"] == map_["yes"] for r, map_ in zip(records, letters, strict=True)], dtype=bool)


def _share(weights: Array, hit: Flags, among: Flags | None = None) -> Array:
    """Percent of the weight among some records that hits; NaN where there is none. Shape (resamples,)."""
    among = np.ones_like(hit) if among is None else among
    total = weights @ among.astype(weights.dtype)
    part = weights @ (hit & among).astype(weights.dtype)
    share: Array = np.divide(100.0 * part, total, out=np.full(total.shape, np.nan), where=total > 0)
    return share


def _yes_no(weights: Array, is_yes: Flags, right: Flags, says_yes: Flags) -> list[Array]:
    precision, recall = _share(weights, right, is_yes), _share(weights, right, ~is_yes)
    return [precision, recall, harmonic_mean(precision, recall), _share(weights, says_yes)]


def _values(function: ScoreFunction, records: Sequence[Record]) -> list[float | None]:
    return [_plain(value) for value in function(np.ones((1, len(records))))[0]]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
