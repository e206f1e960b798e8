"""A model's reply -> a record, and records -> the rows of lmms-eval's table.

lmms-eval calls `process_results` for each question and one aggregation for each metric and task. All numbers come
from `emorealm_tasks.metrics` and `emorealm_tasks.metrics.intervals`; here they only get names. A score has the rows
`<score>_<reading>`, `<score>_low_<reading>`, `<score>_high_<reading>` (percent, and the ends of its 95% interval over
clips). The accuracy of the official reading is called `emorealm_score`: it is the row that carries each sample's
record. No name contains another, because lmms-eval's groups pick metrics by substring.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from emorealm_tasks import answers, metrics
from emorealm_tasks.answers import choices
from emorealm_tasks.benchmarks.availability import KINDS
from emorealm_tasks.benchmarks.emorealm import SUBTASKS, YES_NO_TASKS
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.harness import media_log
from emorealm_tasks.harness.samples import FAILURES, Reply
from emorealm_tasks.metrics import Record, intervals
from emorealm_tasks.metrics.types import Given

READINGS = ("official", "strict")
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)\b", re.IGNORECASE)
_BOUNDS = ("", "low", "high")
_LEFT_OUT = {**{f"clips_{kind}": kind for kind in KINDS}, "questions_left_out": "questions"}
_TABLE5 = {  # columns of the paper's Table 5 (Section D.5) that are no other row: which tasks, which of their scores
    "table5_basic": ("basic", "accuracy"),
    "table5_agree": ("agreement", "f1"),
    "table5_stress": ("stress", "f1"),
}


def process_results(doc: Row, results: Sequence[str]) -> dict[str, Any]:
    """Score one reply in all readings: {metric: value}, the record being inside `emorealm_score`."""
    return _scored(doc, (results[0] or "") if results else "")


def process_likelihoods(doc: Row, results: Sequence[tuple[float, bool] | str]) -> dict[str, Any]:
    """Score the most likely option as if the model had answered with its letter.

    `results` holds (likelihood, is greedy) per option, or its text: lmms-eval 0.7.3 turns every response that is no
    text into one. Its own adapters return a loss (>= 0), others a log-probability (<= 0); in both the value nearest
    zero is the likeliest.
    """
    values = [_likelihood(result) for result in results]
    if len(values) != len(doc["choices"]) or not all(map(math.isfinite, values)):
        return _scored(doc, f"{FAILURES[0]}] likelihoods: {', '.join(map(str, results))}")
    likeliest = min(range(len(values)), key=lambda option: abs(values[option]))
    return _scored(doc, choices.split_choice(doc["choices"][likeliest])[0])


def _likelihood(result: tuple[float, bool] | str) -> float:
    """The number in (number, flag) or in its text, such as "(np.float64(-0.5), True)"; NaN without one."""
    found = _NUMBER.search(str(result))
    return float(found[0]) if found else math.nan


def make_record(doc: Row, raw: str) -> Record:
    """Everything about one reply that scoring again could need.

    A request that failed has an `error` and counts as no answer in every reading, whatever letters its message holds.
    """
    failed = raw.startswith(FAILURES)
    said = "" if failed else raw
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
        "error": raw if failed else "",
        "given_clip": doc["given_clip"],
        "media": _media(doc),
    }
    try:
        record["official"] = answers.is_correct(said, doc["answer"], doc["choices"], "official")
        record["official_lenient"] = answers.is_correct(said, doc["answer"], doc["choices"], "official_lenient")
        record["strict"] = answers.choose_option(said, doc["choices"], "strict") or ""
    except Exception as error:  # lmms-eval would repeat the call for 20 minutes, then lose the run
        record["error"] = f"could not be scored: {error!r}"
    return record


def accuracy(values: Sequence[Mapping[str, Any]]) -> float | None:
    """`emorealm_score` of a task: percent right in the official reading."""
    return metrics.accuracy([value["record"]["official"] for value in values])


def aggregate(replies: Sequence[Reply]) -> float | None:
    """The value of the metric that the replies belong to; None where it is undefined."""
    name = replies[0].metric
    if name in _LEFT_OUT:
        return float(replies[0].record[name])
    records: list[Record] = [reply.record for reply in replies]
    score, bound, reading = _PARTS[name]
    if bound:
        return _intervals(records, reading)[score][_BOUNDS.index(bound) - 1]
    return metrics.task_scores(records, reading)[score]


def unweighted_mean(values: Sequence[float | None], sizes: Sequence[int], weight_by_size: bool) -> float | None:
    """A group's value: the plain mean over its tasks; None when one of them is undefined."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _rows() -> dict[str, tuple[str, str, str]]:
    """Metric name -> (score of `metrics.task_scores`, "", "low" or "high", reading); a sub-task's score is accuracy."""
    rows = {}
    named = {"accuracy": "accuracy", **{score: score for score in metrics.YES_NO_SCORES}}
    named |= {f"sub_{subtask}": "accuracy" for subtask in SUBTASKS}
    for reading in READINGS:
        for name, score in named.items():
            for bound in _BOUNDS:
                rows["_".join(filter(None, (name, bound, reading)))] = score, bound, reading
    del rows["accuracy_official"]  # it is emorealm_score
    rows |= {name: (score, "", "official") for name, (_, score) in _TABLE5.items()}
    rows |= {f"unparsed_{bound or 'rate'}": ("unparsed_rate", bound, "strict") for bound in _BOUNDS}
    return rows | {"errors_count": ("errors", "", "strict")}


def _better(name: str) -> bool | None:
    if name.startswith("yes_rate"):
        return None  # half is right
    return not name.startswith(("unparsed", "errors", *_LEFT_OUT))


_PARTS = _rows()
METRIC_LIST = [
    {"metric": "emorealm_score", "aggregation": accuracy, "higher_is_better": True},
    *({"metric": name, "aggregation": aggregate, "higher_is_better": _better(name)} for name in [*_PARTS, *_LEFT_OUT]),
]


def _scored(doc: Row, raw: str) -> dict[str, Any]:
    record = make_record(doc, raw)
    right = int(record["official"])
    scored: dict[str, Any] = {
        "emorealm_score": {
            "score": right,
            "points": 100 * right,  # so that the table's standard errors are in percent as its values are
            "clip": doc["clip"],
            "pred_answer": record["strict"] or "none",
            "answer": doc["answer"],
            "record": record,
        }
    }
    scored |= {name: _reply(name, record) for name in _PARTS if _concerns(name, doc)}
    left_out = json.loads(doc["left_out"])
    if any(left_out.values()):
        counts = {name: left_out[key] for name, key in _LEFT_OUT.items()}
        scored |= {name: _reply(name, counts) for name in counts}
    return scored


def _concerns(name: str, doc: Row) -> bool:
    """Whether a question counts towards a metric."""
    if name in _TABLE5:
        return _TABLE5[name][0] in doc["task"]
    if name.startswith("sub_"):
        return bool(doc["subtask"]) and name.startswith(f"sub_{doc['subtask']}_")
    return _PARTS[name][0] not in metrics.YES_NO_SCORES or doc["task"] in YES_NO_TASKS


def _reply(name: str, record: Mapping[str, Any]) -> Reply:
    reply = Reply(record.get("strict", record.get(name, "")))
    reply.metric, reply.record = name, record
    return reply


def _media(doc: Row) -> Given | str:
    """What the model was given of the clip: "none" where nothing was to be, "unknown" if its adapter does not say."""
    if not doc["video"]:
        return "none"
    return media_log.find(doc["video"], doc["audio"] or doc["video"]) or "unknown"


_last: tuple[str, list[Record], dict[str, intervals.Interval]] = ("", [], {})


def _intervals(records: list[Record], reading: str) -> dict[str, intervals.Interval]:
    """All intervals of a task, computed once for the metrics that ask one after the other."""
    global _last
    if (reading, records) != _last[:2]:
        _last = reading, records, intervals.score_intervals(records, reading)
    return _last[2]
