"""A description of a clip's emotion -> a record, and judged records -> the rows of lmms-eval's table.

As `emorealm_tasks.harness.multiple_choice` does for EmoReAlM: all numbers come from
`emorealm_tasks.metrics.description`, here they get names. A criterion has the rows `<criterion>_mean`,
`<criterion>_low`, `<criterion>_high` (the judge's scale of 1 to 10, and the ends of its 95% interval over clips) and,
with repeats, `<criterion>_spread`. `emer_score` is the mean over the four: it is the row that carries each sample's
record. No name contains another.

lmms-eval hands over one description at a time, so judging them together waits for the first aggregation.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emorealm_tasks.benchmarks.availability import KINDS
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.harness import media_log
from emorealm_tasks.harness.samples import FAILURES, Reply
from emorealm_tasks.judge import dispatch
from emorealm_tasks.metrics import description
from emorealm_tasks.metrics.description import CRITERIA, Record
from emorealm_tasks.settings import load

_LEFT_OUT = {**{f"clips_{kind}": kind for kind in KINDS}, "questions_left_out": "questions"}
_REMEDY = "judge them without the model: emorealm rescore RUN_DIR --judge live"
_VALUES = {"mean": "value", "low": "low", "high": "high", "spread": "spread"}


def process_results(doc: Row, results: Sequence[str]) -> dict[str, Any]:
    """Take one description in, unjudged: {metric: value}, the record being inside `emer_score`."""
    record = make_record(doc, (results[0] or "") if results else "")
    scored: dict[str, Any] = {"emer_score": {"clip": doc["clip"], "record": record}}
    repeated = load().judge_repeats > 1
    scored |= {name: _reply(name, record) for name in _PARTS if repeated or not name.endswith("spread")}
    scored |= {name: _reply(name, record) for name in _COUNTS}
    left_out = json.loads(doc["left_out"])
    if any(left_out.values()):
        counts = {name: left_out[key] for name, key in _LEFT_OUT.items()}
        scored |= {name: _reply(name, counts) for name in counts}
    return scored


def make_record(doc: Row, raw: str) -> Record:
    """Everything about one description that judging and scoring need."""
    return {
        "id": doc["id"],
        "clip": doc["clip"],
        "task": doc["task"],
        "reference": doc["answer"],
        "raw": raw,
        "error": raw if raw.startswith(FAILURES) else "",
        "truth": json.loads(doc["truth"]) if doc["truth"] else None,
        "given_clip": doc["given_clip"],
        "media": media_log.find(doc["video"], doc["audio"] or doc["video"]) or "unknown",
        "judge": "",
        "verdicts": {},
    }


def emer_score(values: Sequence[dict[str, Any]]) -> float | None:
    """`emer_score` of a task: the mean over clips and criteria."""
    records = _judged([value["record"] for value in values])
    score = _scores(records)["mean"]["value"]
    for value, record in zip(values, records, strict=True):
        clip = description.clip_scores(record, record["judge"])
        if clip and score is not None:
            value["score"] = sum(clip.values()) / len(clip)  # lmms-eval's standard errors are taken from these
    return score


def aggregate(replies: Sequence[Reply]) -> float | None:
    """The value of the metric that the replies belong to; None where it is undefined."""
    name = replies[0].metric
    if name in _LEFT_OUT:
        return float(replies[0].record[name])
    records: list[Record] = [reply.record for reply in replies]
    if name in _COUNTS:
        return float(_COUNTS[name](_judged(records)))
    criterion, value = _PARTS[name]
    return _scores(records)[criterion][value]


_PARTS = {f"{criterion}_{name}": (criterion, value) for name, value in _VALUES.items() for criterion in CRITERIA}
_COUNTS: dict[str, Callable[[Sequence[Record]], int]] = {
    "unjudged_count": lambda records: description.unjudged(records, records[0]["judge"])[0],
    "errors_count": lambda records: sum(bool(record["error"]) for record in records),
}
METRIC_LIST = [
    {"metric": "emer_score", "aggregation": emer_score, "higher_is_better": True},
    *(
        {"metric": name, "aggregation": aggregate, "higher_is_better": name.endswith(("mean", "low", "high"))}
        for name in [*_PARTS, *_COUNTS, *_LEFT_OUT]
    ),
]


def _reply(name: str, record: Mapping[str, Any]) -> Reply:
    reply = Reply(record.get(name, ""))
    reply.metric, reply.record = name, record
    return reply


_last: tuple[tuple[tuple[str, ...], ...], list[Record], dict[str, description.Score]] = ((), [], {})


def _judged(records: list[Record]) -> list[Record]:
    """The records with their verdicts: judged when the first metric asks, the same for those that ask after it."""
    global _last
    asked = tuple((record["task"], record["id"], record["raw"]) for record in records)
    if asked != _last[0]:
        settings = load()
        mode = dispatch.mode(settings, records[0]["truth"] is not None)
        if failure := dispatch.judge_records(records, settings, mode):
            task = records[0]["task"]
            dispatch.fail_at_end(f"{task}: {failure}. With --log_samples the descriptions are saved; {_REMEDY}")
        _last = asked, records, description.scores(records, records[0]["judge"])
    return _last[1]


def _scores(records: list[Record]) -> dict[str, description.Score]:
    _judged(records)
    return _last[2]
