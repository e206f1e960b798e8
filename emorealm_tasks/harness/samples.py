"""What one sample gives to lmms-eval's metrics, whatever its kind of task: replies, media, and what was left out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypedDict, TypeVar

from emorealm_tasks.benchmarks.availability import KINDS
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.harness import media_log
from emorealm_tasks.metrics import recognition, types

LEFT_OUT = {**{f"clips_{kind}": kind for kind in KINDS}, "questions_left_out": "questions"}
"""Metric -> its count in a row's `left_out`."""
Record = TypeVar("Record", types.Record, recognition.Record)


class ColumnValue(str):
    """What one sample adds to one metric: in memory the whole record; saved as "", since the main metric holds that."""

    metric: str
    """Name of the column, as in lmms-eval's results."""
    record: Any
    """Of the task's own kind; for what was left out, its counts by metric."""


class ScoredSample(TypedDict, Generic[Record]):
    """What one sample adds to the main metric of a task whose replies are read as a letter or a class."""

    score: int
    """1 where the reply is right in the reading of the main metric, else 0."""
    points: int
    """The same in percent: 100 or 0."""
    clip: str
    """The clip asked about, the unit of resampling."""
    pred_answer: str
    """Letter or class that the strict reading finds; "none" where it finds none."""
    answer: str
    """The right letter or class."""
    record: Record
    """What every score is made of again."""


def reply_text(results: Sequence[str]) -> str:
    """The one reply among what lmms-eval hands over, "" for none."""
    return (results[0] or "") if results else ""


def media(doc: Row) -> types.GivenMedia | str:
    """What the model was given of the clip: "none" where nothing was to be, "unknown" if its adapter does not say."""
    video, sound = doc["video"], "" if doc.get("silent") else doc["audio"] or doc["video"]
    if not video and not sound:
        return "none"
    return media_log.find(video or None, sound or None) or "unknown"


def reply(metric: str, record: Mapping[str, Any]) -> ColumnValue:
    """What a sample adds to one of the columns."""
    value = ColumnValue(record[metric] if metric in LEFT_OUT else "")
    value.metric, value.record = metric, record
    return value


def read(doc: Row, record: Record, right: bool) -> ScoredSample[Record]:
    """What a sample adds to the main metric, `right` in the reading that this one stands for."""
    return {
        "score": int(right),
        "points": 100 * right,  # so that the table's standard errors are in percent as its values are
        "clip": doc["clip"],
        "pred_answer": record["strict"] or "none",
        "answer": doc["answer"],
        "record": record,
    }


def left_out(doc: Row) -> dict[str, ColumnValue]:
    """How much a task leaves out, as metrics; {} where it leaves nothing out."""
    counts_of = json.loads(doc["left_out"])
    if not any(counts_of.values()):
        return {}
    counts = {name: counts_of[key] for name, key in LEFT_OUT.items()}
    return {name: reply(name, counts) for name in counts}
