"""A reply about a clip's emotion -> a record, and records -> the rows of lmms-eval's table.

As `emorealm_tasks.harness.multiple_choice` does for EmoReAlM: all numbers come from
`emorealm_tasks.metrics.recognition`, here they get names. A score has the row `<score>_<reading>` and, in the strict
reading, `<score>_low_strict` and `<score>_high_strict` (percent, and the ends of its 95% interval over clips).
`emotion_score` is WAR in the strict reading: it is the row that carries each sample's record.
"""

from collections.abc import Sequence

from emorealm_tasks import emotions
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.emotions.official import classify_approximately
from emorealm_tasks.harness import columns, failures, samples
from emorealm_tasks.harness.columns import Column
from emorealm_tasks.harness.samples import ColumnValue, ScoredSample
from emorealm_tasks.metrics import recognition
from emorealm_tasks.metrics.recognition import Record, Unread


def process_results(doc: Row, results: Sequence[str]) -> dict[str, ScoredSample[Record] | ColumnValue]:
    """Score one reply in both readings: {metric: value}, the record being inside `emotion_score`."""
    record = make_record(doc, samples.reply_text(results))
    main = samples.read(doc, record, record["strict"] == record["gold"])
    replies = {name: samples.reply(name, record) for name in _COLUMNS if _concerns(name, record)}
    return {"emotion_score": main, **replies, **samples.left_out(doc)}


def make_record(doc: Row, raw: str) -> Record:
    """Everything about one reply that scoring again could need."""
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
        "error": failures.error(raw),
        "given_clip": doc["given_clip"],
        "media": samples.media(doc),
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


def war(values: Sequence[ScoredSample[Record]]) -> float | None:
    """`emotion_score` of a task: WAR in the strict reading."""
    return recognition.scores([value["record"] for value in values], "strict")["war"]


def aggregate(replies: Sequence[ColumnValue]) -> float | None:
    """The value of the metric that the replies belong to; None where it is undefined."""
    return columns.aggregate(replies, _value)


def _value(name: str, records: list[Record]) -> float | None:
    score, bound, reading = _COLUMNS[name]
    if bound:
        return columns.end(_intervals(records, reading)[score], bound)
    if score in _COUNTS:
        return float(recognition.counts(records)[score])
    return recognition.scores(records, reading).get(score)


def _columns() -> dict[str, Column]:
    """Metric name -> column; a count's score is its name in `recognition.counts`."""
    all_columns: dict[str, Column] = {}
    for reading in recognition.READINGS:
        with_bounds = columns.bounded({score: score for score in recognition.AVERAGES}, reading)
        all_columns |= {name: column for name, column in with_bounds.items() if reading == "strict" or not column.bound}
        all_columns |= {
            f"recall_{label}_{reading}": Column(f"recall_{label}", "", reading) for label in emotions.EMOTIONS
        }
    del all_columns["war_strict"]  # it is emotion_score
    all_columns |= columns.UNPARSED | {"errors_count": Column("errors"), "dropped_count": Column("dropped")}
    return all_columns


_COUNTS = ("unparsed_rate", "errors", "dropped")
_COLUMNS = _columns()
METRIC_LIST = columns.metric_list("emotion_score", war, _COLUMNS, aggregate)
_intervals = columns.LastResult(recognition.score_intervals)


def _concerns(name: str, record: Record) -> bool:
    """Whether a row exists for the record's data set: of a class only where it is one of its labels."""
    label = _COLUMNS[name][0].removeprefix("recall_")
    return label not in emotions.EMOTIONS or label in record["labels"]
