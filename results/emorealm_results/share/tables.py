"""Saved runs -> two tidy tables: one row a question and run, one row a score and run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from emorealm_results.compare import pairs
from emorealm_results.leaderboard import rows
from emorealm_results.paper.layouts import GROUP
from emorealm_results.rescore import report as rescore_run
from emorealm_results.rescore.scores import reread
from emorealm_results.runs import descriptions, folders, saved
from emorealm_results.runs.headers import Header, order, weights_of, when
from emorealm_results.share.columns import SAMPLES, SCORES, Kind, Table
from emorealm_tasks.harness import recognition
from emorealm_tasks.metrics import description
from emorealm_tasks.untrusted import clean

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_DTYPES: dict[Kind, Any] = {
    "text": "string",
    "truth": "boolean",
    "whole": "Int64",
    "number": "float64",
    "texts": "object",
}
_ACCEPTED: dict[Kind, Any] = {"text": str, "truth": bool, "whole": int, "number": int | float}
_READINGS = ("strict", "official", "official_lenient")


class Named(NamedTuple):
    """A run, and the name its rows bear."""

    name: str
    """Unique among the runs that are shared together."""
    run: saved.Saved
    """The samples."""
    report: Mapping[str, Any]
    """The scores, as `emorealm rescore --json` writes them."""


def read(places: Sequence[Path]) -> list[Named]:
    """The runs at some places: each a run's folder, or a folder of such. Their names are the folders'.

    Stops (status 2) where a place holds no samples of our tasks, or a damaged file.
    """
    runs = ((name, rescore_run.read(folder)) for name, folder in folders.named(places))
    return [Named(name, run, rescore_run.report(run)) for name, run in runs]


def samples(runs: Sequence[Named]) -> list[dict[str, Any]]:
    """The rows of SAMPLES; a column that says nothing of a row's kind is None in it."""
    return [_complete_row(SAMPLES, row) for one in runs for row in _sample_rows(one)]


def scores(runs: Sequence[Named]) -> list[dict[str, Any]]:
    """The rows of SCORES: all that `emorealm rescore` makes of the samples."""
    score_rows = []
    for one in runs:
        about = {"run": one.name} | _about(next(headers(one.run)))
        score_rows += [_complete_row(SCORES, about | row) for row in rows.report_rows(one.report)]
    return score_rows


def frame(table: Table, content: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """Rows as a pandas data frame with the table's columns and types."""
    import pandas as pd

    columns = {
        name: pd.Series([row[name] for row in content], dtype=_DTYPES[column.kind]) for name, column in table.items()
    }
    return pd.DataFrame(columns)


def arrow(table: Table, content: Sequence[Mapping[str, Any]]) -> "pa.Table":
    """Rows as an Arrow table whose fields are described by what the columns hold."""
    import pyarrow as pa

    types: dict[Kind, Any] = {
        "text": pa.string(),
        "truth": pa.bool_(),
        "whole": pa.int64(),
        "number": pa.float64(),
        "texts": pa.list_(pa.string()),
    }
    fields = [pa.field(name, types[one.kind], metadata={"description": one.holds}) for name, one in table.items()]
    return pa.Table.from_pylist([dict(row) for row in content], schema=pa.schema(fields))


def headers(run: saved.Saved) -> Iterator[Header]:
    """What the results files say of the run, the newest first."""
    all_headers = [*run.replies.headers.values(), *run.descriptions.headers.values()]
    all_headers += run.questions.headers.values() if run.questions else ()
    yield from sorted(all_headers, key=order, reverse=True)


def _about(header: Mapping[str, Any]) -> dict[str, Any]:
    return {"date": when(header), "model": header["model"], "checkpoint": weights_of(header)}


def _sample_rows(one: Named) -> Iterator[dict[str, Any]]:
    run = one.run
    headers_of = run.questions.headers if run.questions else {}
    for task in run.questions.tasks if run.questions else ():
        header = headers_of[task.date]
        mini = task.benchmark.endswith(rows.MINI)
        shared = {"run": one.name, "kind": "choice", "benchmark": GROUP, "mini": mini, "task": task.task}
        shared |= {"part": task.part} | _about(header)
        yield from (shared | _request_cells(record) | _answer_cells(reread(record)) for record in task.records)
    for name, replies in run.replies.records.items():
        shared = {"run": one.name, "kind": "recognition"} | rows.suite_task(name) | _about(run.replies.headers[name])
        yield from (shared | _request_cells(record) | _answer_cells(recognition.read(record)) for record in replies)
    for name, described in run.descriptions.records.items():
        shared = {"run": one.name, "kind": "description"} | rows.suite_task(name)
        shared |= _about(run.descriptions.headers[name])
        judge = descriptions.counting(described)
        yield from (shared | _request_cells(record) | _judge_cells(record, judge) for record in described)


def _request_cells(record: Mapping[str, Any]) -> dict[str, Any]:
    """Of a question and its reply what every kind has, as far as the record holds it."""
    media = record.get("media")
    media_facts = media if isinstance(media, Mapping) else {}
    copied_keys = ("id", "clip", "given_clip", "subtask", "question", "choices", "gold", "reference", "error")
    cells = {name: record.get(name) for name in copied_keys} | {"reply": record["raw"]}
    return cells | {name: media_facts.get(name) for name in ("frames", "audio_seconds")}


def _answer_cells(record: Mapping[str, Any]) -> dict[str, Any]:
    readings = [name for name in _READINGS if name in record]
    return {"answer": record["strict"]} | {f"{name}_right": pairs.right(record, name) for name in readings}


def _judge_cells(record: description.Record, judge: str) -> dict[str, Any]:
    return {"judge": judge} | (description.clip_scores(record, judge) or {})


def _complete_row(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of all columns, in their order, whose texts any file can carry."""
    return {name: _cell(column.kind, row.get(name)) for name, column in table.items()}


def _cell(kind: Kind, value: Any) -> Any:
    """A value of its column's kind; None where it is none, as an unchecked part of a record may be."""
    if kind == "texts":
        return [clean(text) for text in value if isinstance(text, str)] if isinstance(value, list) else None
    if not isinstance(value, _ACCEPTED[kind]) or (isinstance(value, bool) and kind != "truth"):
        return None
    return clean(value) if isinstance(value, str) else value
