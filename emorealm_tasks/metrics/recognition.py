"""The scores of emotion recognition as pure functions, in percent (Section 5 of the paper, Tables 2 and 15).

A *record* is one scored reply (:class:`Record`). The two readings differ in more than the class:

- ``strict``: as scikit-learn averages over the classes that have a gold sample; a reply without a class is wrong.
- ``official``: as the released code averages, over the classes that are gold or predicted together, so that a class
  that is only ever predicted counts with recall 0; a reply on which that code fails (empty, or broken into lines) is
  dropped with its question. Its reading of words is approximate (:mod:`emorealm_tasks.emotions.official`).

Every score is a function of weights over records, so that the numbers and their bootstrap intervals come from one
formula; inside those functions undefined is NaN, outside None.
"""

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from emorealm_tasks.metrics import intervals
from emorealm_tasks.metrics.multiple_choice import accuracy
from emorealm_tasks.metrics.types import Array, GivenMedia, ScoreFunction
from emorealm_tasks.metrics.unparsed import unparsed


def recall_scores(gold: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str]) -> dict[str, Any]:
    """Recall of emotion classes, in percent: ``{"uar", "war", "recall": {label: value}}``.

    ``recall`` holds the classes with gold samples only, ``uar`` is their unweighted mean and ``war`` the share of
    right predictions (recall weighted by class size). A prediction of None, or outside ``labels``, is wrong. uar and
    war are None without samples. Raises ValueError for a gold label outside ``labels``.
    """
    _check_labels(gold, labels)
    hits = {label: [p == label for g, p in zip(gold, predicted, strict=True) if g == label] for label in labels}
    recall = {label: accuracy(hit) for label, hit in hits.items() if hit}
    uar = float(np.mean(list(recall.values()))) if recall else None
    return {"uar": uar, "war": accuracy([hit for label in labels for hit in hits[label]]), "recall": recall}


def weighted_f1(gold: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str]) -> float | None:
    """F1 per class, averaged with the classes' gold counts as weights, in percent.

    A class that is never predicted has F1 0; None without samples. A prediction of None, or outside ``labels``, is
    wrong. Raises ValueError for a gold label outside ``labels``.
    """
    _check_labels(gold, labels)
    if not len(gold):
        return None
    total = 0.0
    for label in labels:
        support = sum(g == label for g in gold)
        hits = sum(g == p == label for g, p in zip(gold, predicted, strict=True))
        claimed = sum(p == label for p in predicted)
        total += support * (2 * hits / (support + claimed) if support + claimed else 0.0)
    return 100 * total / len(gold)


def _check_labels(gold: Sequence[str], labels: Sequence[str]) -> None:
    if unknown := sorted(set(gold) - set(labels)):
        raise ValueError(f"gold labels {unknown} are not among {list(labels)}")


class Unread(TypedDict):
    """One reply about a clip's emotion, not read yet."""

    id: str
    """Of the sample, unique within the dataset."""
    clip: str
    """Name of the clip."""
    task: str
    """The data set."""
    labels: list[str]
    """Its classes."""
    gold: str
    """The clip's class."""
    raw: str
    """The reply, word for word."""
    error: str
    """Why there is no reply, "" for none."""
    subtask: NotRequired[str]
    """Always ""."""
    choices: NotRequired[list[str]]
    """Always []."""
    question: NotRequired[str]
    """The prompt's wording; absent from other evaluations."""
    given_clip: NotRequired[str]
    """Whose media the model was given."""
    media: NotRequired[GivenMedia | str]
    """What it was given of them, "unknown" if its adapter does not say."""


class Record(Unread):
    """One reply with the class that each reading finds in it, "" for none, as the samples of a run hold it."""

    strict: str
    """Class that the strict reading finds, one of `labels`."""
    official: str
    """Class that the released code's reading finds, one of `labels`."""


READINGS = ("strict", "official")
_FIELD: dict[str, Literal["strict", "official"]] = {"strict": "strict", "official": "official"}
AVERAGES = ("uar", "war", "weighted_f1")
Scores = dict[str, float | None]


def scores(records: Sequence[Record], reading: str) -> Scores:
    """``uar``, ``war``, ``weighted_f1`` and ``recall_CLASS`` of every class that has a gold sample, in percent.

    UAR is the unweighted mean of the classes' recalls, WAR the share of right replies (recalls weighted by class size),
    weighted F1 the mean of the classes' F1 by class size. None where no record counts. Raises ValueError for an unknown
    reading or a gold class outside ``labels``.
    """
    names, function = score_function(records, reading)
    values = function(np.ones((1, len(records))))[0]
    return {name: None if np.isnan(value) else float(value) for name, value in zip(names, values, strict=True)}


def score_intervals(records: Sequence[Record], reading: str) -> dict[str, intervals.Interval]:
    """The 95% intervals of :func:`scores` and of ``unparsed_rate``, over clips (`metrics.intervals`)."""
    names, function = score_function(records, reading)
    bounds = dict(zip(names, intervals.clip_bootstraps(records, function), strict=True))
    included = [record for record in records if reading == "strict" or not _dropped(record)]
    right = np.array([record[_FIELD[reading]] == record["gold"] for record in included], dtype=bool)
    clips = np.array([record["clip"] for record in included], dtype=str)
    gold = np.array([record["gold"] for record in included], dtype=str)
    members = {name: gold == name.removeprefix("recall_") for name in names if name not in AVERAGES}
    by_class = [(right[is_], clips[is_]) for is_ in members.values() if is_.any()]
    if by_class:
        others = {record["official"] for record in included} - {"", *gold} if reading == "official" else set()
        averaged = len(by_class) + len(others)  # the official mean counts classes that replies alone name, as 0
        bounds["uar"] = intervals.wider(
            bounds["uar"], intervals.of_shares(lambda recalls: float(recalls.sum()) / averaged, by_class)
        )
    rate = intervals.share(unparsed(records), [record["clip"] for record in records])
    bounds |= {"war": intervals.share(right, clips), "unparsed_rate": rate}
    return bounds | {name: intervals.share(right[is_], clips[is_]) for name, is_ in members.items()}


def counts(records: Sequence[Record]) -> dict[str, Any]:
    """``n``, ``n_clips``, ``unparsed`` (a reply without a class), ``unparsed_rate`` (percent), ``errors`` (no reply),
    ``dropped`` (questions that the official reading leaves out) and ``by_class`` (gold class -> samples).
    """
    none_read = unparsed(records)
    return {
        "n": len(records),
        "n_clips": len({record["clip"] for record in records}),
        "unparsed": int(none_read.sum()),
        "unparsed_rate": accuracy(none_read),
        "errors": sum(bool(record["error"]) for record in records),
        "dropped": sum(_dropped(record) for record in records),
        "by_class": {label: sum(record["gold"] == label for record in records) for label in _labels(records)},
    }


def confusion(records: Sequence[Record], reading: str) -> dict[str, dict[str, int]]:
    """Gold class -> class read -> number of replies; "" stands for no class. Gold classes without a sample are out."""
    _check(reading)
    labels = _labels(records)
    matrix = {gold: dict.fromkeys((*labels, ""), 0) for gold in labels}
    for record in records:
        if reading == "strict" or not _dropped(record):
            matrix[record["gold"]][record["strict"] if reading == "strict" else record["official"]] += 1
    return {gold: row for gold, row in matrix.items() if any(row.values())}


def score_function(records: Sequence[Record], reading: str) -> tuple[tuple[str, ...], ScoreFunction]:
    """Names and :data:`ScoreFunction` of :func:`scores`; a resample that misses a gold class is undefined in them."""
    _check(reading)
    labels = _labels(records)
    if unknown := {record["gold"] for record in records} - set(labels):
        raise ValueError(f"gold classes {sorted(unknown)} are not among {list(labels)}")
    included = np.array([reading == "strict" or not _dropped(record) for record in records], dtype=float)
    predicted = [record["strict"] if reading == "strict" else record["official"] for record in records]
    gold = _members([record["gold"] for record in records], labels)
    # before replies are dropped, so that two runs on the same clips have the same scores
    is_gold = np.array([any(record["gold"] == label for record in records) for label in labels], dtype=bool)
    gold *= included[:, None]
    read = _members(predicted, labels) * included[:, None]

    def function(weights: Array) -> Array:
        """The scores of resamples, (resamples, names)."""
        support, claimed, hits = weights @ gold, weights @ read, weights @ (gold * read)
        recall, f1 = _ratio(hits, support), _ratio(2 * hits, support + claimed)
        averaged = support + claimed > 0 if reading == "official" else is_gold & np.ones(support.shape, dtype=bool)
        zeroed = np.where(support > 0, recall, 0.0 if reading == "official" else np.nan)
        uar = _ratio(np.where(averaged, zeroed, 0).sum(axis=1), averaged.sum(axis=1))
        total_support = support.sum(axis=1)
        weighted_f1 = _ratio((support * np.nan_to_num(f1)).sum(axis=1), total_support)
        columns = [uar, _ratio(hits.sum(axis=1), total_support), weighted_f1]
        return 100 * np.column_stack([*columns, recall[:, is_gold]])

    recalls = (f"recall_{label}" for label, present in zip(labels, is_gold, strict=True) if present)
    return (*AVERAGES, *recalls), function


def _labels(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(records[0]["labels"]) if records else ()


def _members(classes: Sequence[str], labels: Sequence[str]) -> Array:
    """1.0 where a record's class is the label, shape (records, labels)."""
    return np.array([[one == label for label in labels] for one in classes], dtype=float).reshape(
        len(classes), len(labels)
    )


def _ratio(numerator: Array, denominator: Array) -> Array:
    """The quotient, NaN where the denominator is 0."""
    ratio: Array = np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0)
    return ratio


def _dropped(record: Record) -> bool:
    """Whether the released code would have failed on the reply; a request that failed stays, as wrong."""
    return not record["official"] and not record["error"]


def _check(reading: str) -> None:
    if reading not in READINGS:
        raise ValueError(f"reading is {reading!r}; known are {', '.join(READINGS)}")
