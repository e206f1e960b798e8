"""A reply about a clip's emotion -> a record, and records -> the rows of lmms-eval's table.

As `emorealm_tasks.harness.multiple_choice` does for EmoReAlM: all numbers come from
`emorealm_tasks.metrics.recognition`, here they get names. A score has the rows `<score>_<reading>`,
`<score>_low_<reading>` and `<score>_high_<reading>` (percent, and the ends of its 95% interval over clips).
`emotion_score` is WAR in the strict reading: it is the row that carries each sample's record. No name contains another,
because lmms-eval's groups pick metrics by substring.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from emorealm_tasks import emotions
from emorealm_tasks.benchmarks.availability import KINDS
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.emotions.official import classify_approximately
from emorealm_tasks.harness import media_log
from emorealm_tasks.harness.samples import FAILURES, Reply
from emorealm_tasks.metrics import intervals, recognition
from emorealm_tasks.metrics.recognition import Record, Unread
from emorealm_tasks.metrics.types import Given

_LEFT_OUT = {**{f"clips_{kind}": kind for kind in KINDS}, "questions_left_out": "questions"}
_BOUNDS = ("", "low", "high")


def process_results(doc: Row, results: Sequence[str]) -> dict[str, Any]:
    """Score one reply in both readings: {metric: value}, the record being inside `emotion_score`."""
    record = make_record(doc, (results[0] or "") if results else "")
    right = int(record["strict"] == record["gold"])
    scored: dict[str, Any] = {
        "emotion_score": {
            "score": right,
            "points": 100 * right,  # so that the table's standard errors are in percent as its values are
            "clip": doc["clip"],
            "pred_answer": record["strict"] or "none",
            "answer": doc["answer"],
            "record": record,
        }
    }
    scored |= {name: _reply(name, record) for name in _PARTS if _concerns(name, record)}
    left_out = json.loads(doc["left_out"])
    if any(left_out.values()):
        counts = {name: left_out[key] for name, key in _LEFT_OUT.items()}
        scored |= {name: _reply(name, counts) for name in counts}
    return scored


def make_record(doc: Row, raw: str) -> Record:
    """Everything about one reply that scoring again could need."""
    failed = raw.startswith(FAILURES)
    record: Unread = {
        "id": doc["id"],
        "clip": doc["clip"],
        "task": doc["task"],
        "subtask": doc["subtask"],
        "labels": list(doc["labels"]),
        "gold": doc["answer"],
        "choices": [],
        "question": doc["question"],
        "raw": raw,
        "error": raw if failed else "",
        "given_clip": doc["given_clip"],
        "media": _media(doc),
    }
    return read(record)


def read(record: Unread, words: emotions.Words | None = None) -> Record:
    """The record with its raw reply read anew in both ways; a failed request is no class in either.

    ``words`` stands in for the lexicon of the strict reading.
    """
    if record["error"]:
        return {**record, "strict": "", "official": ""}
    raw, labels = record["raw"], record["labels"]
    return {
        **record,
        "strict": emotions.classify(raw, labels, words) or "",
        "official": classify_approximately(raw, labels) or "",
    }


def war(values: Sequence[Mapping[str, Any]]) -> float | None:
    """`emotion_score` of a task: WAR in the strict reading."""
    return recognition.scores([value["record"] for value in values], "strict")["war"]


def aggregate(replies: Sequence[Reply]) -> float | None:
    """The value of the metric that the replies belong to; None where it is undefined."""
    name = replies[0].metric
    if name in _LEFT_OUT:
        return float(replies[0].record[name])
    records: list[Record] = [reply.record for reply in replies]
    score, bound, reading = _PARTS[name]
    if bound:
        return _intervals(records, reading)[score][_BOUNDS.index(bound) - 1]
    if reading:
        return recognition.scores(records, reading).get(score)
    counted = recognition.counts(records)
    return float(counted["by_class"][score] if score in counted["by_class"] else counted[score])


def _rows() -> dict[str, tuple[str, str, str]]:
    """Metric name -> (score, "", "low" or "high", reading or "" for a count)."""
    rows = {}
    for reading in recognition.READINGS:
        for score in recognition.AVERAGES:
            for bound in _BOUNDS:
                rows["_".join(filter(None, (score, bound, reading)))] = score, bound, reading
        rows |= {f"recall_{label}_{reading}": (f"recall_{label}", "", reading) for label in emotions.EMOTIONS}
    del rows["war_strict"]  # it is emotion_score
    rows["unparsed_rate"] = "unparsed_rate", "", ""
    rows |= {f"unparsed_{bound}": ("unparsed_rate", bound, "strict") for bound in ("low", "high")}
    rows |= {"errors_count": ("errors", "", ""), "dropped_count": ("dropped", "", "")}
    return rows | {f"count_{label}": (label, "", "") for label in emotions.EMOTIONS}


def _better(name: str) -> bool | None:
    if name.startswith("count"):
        return None
    return not name.startswith(("unparsed", "errors", "dropped", *_LEFT_OUT))


_PARTS = _rows()
METRIC_LIST = [
    {"metric": "emotion_score", "aggregation": war, "higher_is_better": True},
    *({"metric": name, "aggregation": aggregate, "higher_is_better": _better(name)} for name in [*_PARTS, *_LEFT_OUT]),
]


def _concerns(name: str, record: Record) -> bool:
    """Whether a row exists for the record's data set: of a class only where it is one of its labels."""
    label = _PARTS[name][0].removeprefix("recall_")
    return label not in emotions.EMOTIONS or label in record["labels"]


def _reply(name: str, record: Mapping[str, Any]) -> Reply:
    reply = Reply(record.get("strict", record.get(name, "")))
    reply.metric, reply.record = name, record
    return reply


def _media(doc: Row) -> Given | str:
    """What the model was given of the clip, "unknown" if its adapter does not say."""
    heard = None if doc["silent"] else doc["audio"] or doc["video"]
    return media_log.find(doc["video"] or None, heard) or "unknown"


_last: tuple[str, list[Record], dict[str, intervals.Interval]] = ("", [], {})


def _intervals(records: list[Record], reading: str) -> dict[str, intervals.Interval]:
    """All intervals of a task, computed once for the metrics that ask one after the other."""
    global _last
    if (reading, records) != _last[:2]:
        _last = reading, records, recognition.score_intervals(records, reading)
    return _last[2]
