"""A description of a clip's emotion -> a record, and judged records -> the rows of lmms-eval's table.

As `emorealm_tasks.harness.multiple_choice` does for EmoReAlM: all numbers come from
`emorealm_tasks.metrics.description`, here they get names. A criterion has the rows `<criterion>_mean`,
`<criterion>_low`, `<criterion>_high` (the judge's scale of 1 to 10, and the ends of its 95% interval over clips) and,
with repeats, `<criterion>_spread`. `emer_score` is the mean over the four: it is the row that carries each sample's
record.

lmms-eval hands over one description at a time, so judging them together waits for the first aggregation.
"""

import json
from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import fail_at_end
from emorealm_tasks.harness import columns, failures, samples
from emorealm_tasks.harness.samples import ColumnValue
from emorealm_tasks.judge import dispatch
from emorealm_tasks.metrics import description
from emorealm_tasks.metrics.description import CRITERIA, Record
from emorealm_tasks.settings import load

_REMEDY = "judge them without the model: emorealm rescore RUN_DIR --judge live"
_VALUES = {"mean": "value", "low": "low", "high": "high", "spread": "spread"}


class Described(TypedDict):
    """What one sample adds to `emer_score`."""

    clip: str
    """The clip described, the unit of resampling."""
    record: Record
    """The description with its verdicts."""
    score: NotRequired[float]
    """Its mean over the criteria, once judged."""


def process_results(doc: Row, results: Sequence[str]) -> dict[str, Described | ColumnValue]:
    """Take one description in, unjudged: {metric: value}, the record being inside `emer_score`."""
    record = make_record(doc, samples.reply_text(results))
    main: Described = {"clip": doc["clip"], "record": record}
    repeated = load().judge_repeats > 1
    names = [name for name in _COLUMNS if repeated or not name.endswith("spread")]
    replies = {name: samples.reply(name, record) for name in [*names, *_COUNTS]}
    return {"emer_score": main, **replies, **samples.left_out(doc)}


def make_record(doc: Row, raw: str) -> Record:
    """Everything about one description that judging and scoring need."""
    return {
        "id": doc["id"],
        "clip": doc["clip"],
        "task": doc["task"],
        "reference": doc["answer"],
        "raw": raw,
        "error": failures.error(raw),
        "truth": json.loads(doc["truth"]) if doc["truth"] else None,
        "given_clip": doc["given_clip"],
        "media": samples.media(doc),
        "judge": "",
        "verdicts": {},
    }


def emer_score(values: Sequence[Described]) -> float | None:
    """`emer_score` of a task: the mean over clips and criteria."""
    records, scores = _judge_once([value["record"] for value in values])
    score = scores["mean"]["value"]
    for value, record in zip(values, records, strict=True):
        clip = description.clip_scores(record, record["judge"])
        if clip and score is not None:
            value["score"] = sum(clip.values()) / len(clip)  # lmms-eval's standard errors are taken from these
    return score


def aggregate(replies: Sequence[ColumnValue]) -> float | None:
    """The value of the metric that the replies belong to; None where it is undefined."""
    return columns.aggregate(replies, _value)


def _value(name: str, records: list[Record]) -> float | None:
    records, scores = _judge_once(records)
    if name in _COUNTS:
        return float(_COUNTS[name](records))
    criterion, value = _COLUMNS[name]
    return scores[criterion][value]


def _judge(records: list[Record]) -> tuple[list[Record], dict[str, description.Score]]:
    """The records with their verdicts, and their scores."""
    settings = load()
    mode = dispatch.mode(settings, records[0]["truth"] is not None)
    if failure := dispatch.judge_records(records, settings, mode):
        task = records[0]["task"]
        fail_at_end(f"{task}: {failure}. With --log_samples the descriptions are saved; {_REMEDY}")
    return records, description.scores(records, records[0]["judge"])


_COLUMNS = {f"{criterion}_{name}": (criterion, value) for name, value in _VALUES.items() for criterion in CRITERIA}
_COUNTS: dict[str, Callable[[Sequence[Record]], int]] = {
    "unjudged_count": lambda records: description.unjudged(records, records[0]["judge"])[0],
    "errors_count": lambda records: sum(bool(record["error"]) for record in records),
}
METRIC_LIST = columns.metric_list("emer_score", emer_score, [*_COLUMNS, *_COUNTS], aggregate)
# judged when the first metric asks, and the same for those that ask after it
_judge_once = columns.LastResult(
    _judge, lambda records: [(record["task"], record["id"], record["raw"]) for record in records]
)
