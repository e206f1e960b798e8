"""A model's reply -> a record, and records -> the rows of lmms-eval's table.

lmms-eval calls `process_results` for each question and one aggregation for each metric and task. All numbers come
from `emorealm_tasks.metrics` and `emorealm_tasks.metrics.intervals`; here they only get names. The rows are few: the
accuracy of the official reading (`emorealm_score`, the row that carries each sample's record) with the ends of its 95%
interval over clips, that of the strict reading, what did not parse or failed, and what groups average. Everything else
is made from the records (`emorealm rescore`).
"""

import math
import re
from collections.abc import Sequence

from emorealm_tasks import answers, metrics
from emorealm_tasks.answers import choices
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.harness import columns, failures, samples
from emorealm_tasks.harness.columns import Column
from emorealm_tasks.harness.samples import ColumnValue, ScoredSample
from emorealm_tasks.metrics import Record, intervals

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)\b", re.IGNORECASE)
_TABLE5 = {  # columns of the paper's Table 5 (Section D.5): which tasks, which of their scores
    "table5_basic": ("basic", "accuracy"),
    "table5_agree": ("agreement", "f1"),
    "table5_stress": ("stress", "f1"),
}


def process_results(doc: Row, results: Sequence[str]) -> dict[str, ScoredSample[Record] | ColumnValue]:
    """Score one reply in all readings: {metric: value}, the record being inside `emorealm_score`."""
    return _values(doc, samples.reply_text(results))


def process_likelihoods(
    doc: Row, results: Sequence[tuple[float, bool] | str]
) -> dict[str, ScoredSample[Record] | ColumnValue]:
    """Score the most likely option as if the model had answered with its letter.

    `results` holds (likelihood, is greedy) per option, or its text: lmms-eval 0.7.3 turns every response that is no
    text into one. Its own adapters return a loss (>= 0), others a log-probability (<= 0); in both the value nearest
    zero is the likeliest.
    """
    values = [_likelihood(result) for result in results]
    if len(values) != len(doc["choices"]) or not all(map(math.isfinite, values)):
        return _values(doc, failures.FAILED.format(f"likelihoods: {', '.join(map(str, results))}"))
    likeliest = min(range(len(values)), key=lambda option: abs(values[option]))
    return _values(doc, choices.split_choice(doc["choices"][likeliest])[0])


def _likelihood(result: tuple[float, bool] | str) -> float:
    """The number in (number, flag) or in its text, such as "(np.float64(-0.5), True)"; NaN without one."""
    match = _NUMBER.search(str(result))
    return float(match[0]) if match else math.nan


def make_record(doc: Row, raw: str) -> Record:
    """Everything about one reply that scoring again could need.

    A request that failed has an `error` and counts as no answer in every reading, whatever letters its message holds.
    """
    error = failures.error(raw)
    text = "" if error else raw
    record: Record = {
        "id": doc["id"],
        "clip": doc["clip"],
        "task": doc["task"],
        "subtask": doc["subtask"],
        "gold": doc["answer"],
        "choices": list(doc["choices"]),
        "question": doc["question"],
        "raw": raw,
        "official": False,
        "official_lenient": False,
        "strict": "",
        "error": error,
        "given_clip": doc["given_clip"],
        "media": samples.media(doc),
    }
    try:
        record["official"] = answers.is_correct(text, doc["answer"], doc["choices"], "official")
        record["official_lenient"] = answers.is_correct(text, doc["answer"], doc["choices"], "official_lenient")
        record["strict"] = answers.choose_option(text, doc["choices"], "strict") or ""
    except Exception as fault:  # lmms-eval would repeat the call for 20 minutes, then lose the run
        record["error"] = f"could not be scored: {fault!r}"
    return record


def accuracy(values: Sequence[ScoredSample[Record]]) -> float | None:
    """`emorealm_score` of a task: percent right in the official reading."""
    return metrics.accuracy([value["record"]["official"] for value in values])


def aggregate(replies: Sequence[ColumnValue]) -> float | None:
    """The value of the metric that the replies belong to; None where it is undefined."""
    return columns.aggregate(replies, _value)


def _value(name: str, records: list[Record]) -> float | None:
    score, bound, reading = _COLUMNS[name]
    if bound:
        return columns.end(_intervals(records, reading)[score], bound)
    return metrics.task_scores(records, reading)[score]


def unweighted_mean(values: Sequence[float | None], sizes: Sequence[int], weight_by_size: bool) -> float | None:
    """A group's value: the plain mean over its tasks; None when one of them is undefined."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if len(defined) == len(values) else None


def _columns() -> dict[str, Column]:
    """Metric name -> column; a sub-task's score is accuracy."""
    all_columns = columns.bounded({"accuracy": "accuracy"}, "official")
    del all_columns["accuracy_official"]  # it is emorealm_score
    all_columns |= {"accuracy_strict": Column("accuracy")}
    all_columns |= {
        f"sub_{kind}_official": Column("accuracy", "", "official") for kind in ("spurious", "hallucination")
    }
    all_columns |= {name: Column(score, "", "official") for name, (_, score) in _TABLE5.items()}
    return all_columns | columns.UNPARSED | {"errors_count": Column("errors")}


_COLUMNS = _columns()
METRIC_LIST = columns.metric_list("emorealm_score", accuracy, _COLUMNS, aggregate)
_intervals = columns.LastResult(intervals.score_intervals)


def _values(doc: Row, raw: str) -> dict[str, ScoredSample[Record] | ColumnValue]:
    record = make_record(doc, raw)
    replies = {name: samples.reply(name, record) for name in _COLUMNS if _concerns(name, doc)}
    return {"emorealm_score": samples.read(doc, record, record["official"]), **replies, **samples.left_out(doc)}


def _concerns(name: str, doc: Row) -> bool:
    """Whether a question counts towards a metric."""
    if name in _TABLE5:
        return _TABLE5[name][0] in doc["task"]
    return not name.startswith("sub_") or (bool(doc["subtask"]) and name.startswith(f"sub_{doc['subtask']}_"))
