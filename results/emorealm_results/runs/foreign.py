"""Runs whose samples lack our record, older or foreign ones, joined with the benchmark's file by id.

Of a sample only its question's id and the reply are needed; everything else comes from the file. What cannot be joined
is counted by reason and said, never guessed.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emorealm_results.runs.headers import Header, read_header
from emorealm_results.runs.samples import (
    FLOORS,
    FULL,
    Run,
    TaskRun,
    check_whole,
    newest_files,
    read_samples,
)
from emorealm_tasks.benchmarks import emorealm
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.benchmarks.suite import TASK_NAMES
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import failures
from emorealm_tasks.metrics import TASKS, Unread

_ANY_TASK = re.compile(".+")
_IDS = ("id", "question_id", "sample_id", "qid")
_REPLIES = ("filtered_resps", "resps", "prediction", "pred", "response", "output", "answer_text")
NO_ID, UNKNOWN_ID, NO_REPLY = "without an id", "whose id is not in the questions file", "without a reply"


def load(folder: Path, questions: Path) -> Run:
    """A run's samples as records, whoever wrote them; ``questions`` is the benchmark's file (emorealm_v1.json).

    Every ``*_samples_*.jsonl`` below the folder is read; of a question asked twice in the same way the newest file
    counts. The run's ``notes`` say what could not be joined, ``missing`` of a task counts the file's questions that the
    run does not answer. Stops when nothing can be joined.
    """
    rows = {row["id"]: row for row in emorealm.read_file(questions, Path(), None)}
    newest, _ = newest_files(folder, _ANY_TASK)
    files = sorted((date, name, path) for name, (date, path) in newest.items() if name not in TASK_NAMES)
    records_of: dict[tuple[str, str], dict[str, Unread]] = {}
    dates: dict[tuple[str, str], str] = {}
    unmatched: Counter[tuple[str, str]] = Counter()
    for date, name, path in files:
        for sample in _lines(path):
            record = join(sample, rows)
            if isinstance(record, str):
                unmatched[path.name, record] += 1
                continue
            key = _part(name), record["task"]
            records_of.setdefault(key, {})[record["id"]] = record
            dates[key] = date
    if not records_of:
        reasons = ", ".join(f"{count} {reason}" for (_, reason), count in unmatched.items()) or "there is none"
        stop(f"{folder}: no sample can be joined with {questions} ({reasons}); is it the file the run was asked from?")
    question_counts = Counter(row["task"] for row in rows.values())
    tasks = [
        _task_run(rows, key, list(records_of[key].values()), dates[key], question_counts)
        for key in sorted(records_of, key=_order)
    ]
    notes = tuple(
        f"{count} sample(s) of {name} {reason} could not be rescored" for (name, reason), count in unmatched.items()
    )
    parent = files[0][2].parent
    headers = {date: _header(parent / f"{date}_results.json") for date in sorted(set(dates.values()))}
    return Run(parent, tuple(tasks), headers, notes)


def _task_run(
    rows: Mapping[str, Row], key: tuple[str, str], records: list[Unread], date: str, question_counts: Mapping[str, int]
) -> TaskRun:
    part, task = key
    benchmark = "emorealm_mini" if all(identity.startswith("mini_") for identity in rows) else "emorealm"
    name = "_".join(filter(None, (benchmark, "" if part == FULL else part, task)))
    return TaskRun(name, benchmark, part, task, date, tuple(records), question_counts[task] - len(records))


def _part(name: str) -> str:
    """Which floor a task's name speaks of, else FULL."""
    return next((floor for floor in FLOORS if f"_{floor}_" in f"_{name}_"), FULL)


def _order(key: tuple[str, str]) -> tuple[int, int]:
    return (FULL, *FLOORS).index(key[0]), TASKS.index(key[1])


def join(sample: Mapping[str, Any], rows: Mapping[str, Row]) -> Unread | str:
    """A sample line as a record that can be scored, or the reason why not (NO_ID, UNKNOWN_ID, NO_REPLY).

    The id stands in our record, in the line's ``doc``, or in the line; the reply in our record, or in what lmms-eval
    saves of responses.
    """
    records = (value["record"] for value in sample.values() if isinstance(value, dict) and "record" in value)
    own_record: dict[str, Any] = next((record for record in records if isinstance(record, dict)), {})
    doc = sample.get("doc")
    places = (own_record, doc if isinstance(doc, dict) else {}, sample)
    identity = next((str(place[key]) for place in places for key in _IDS if place.get(key) is not None), None)
    if identity is None:
        return NO_ID
    row = rows.get(identity)
    if row is None:
        return UNKNOWN_ID
    raw = own_record.get("raw", next((text for key in _REPLIES if (text := _text(sample.get(key))) is not None), None))
    if raw is None:
        return NO_REPLY
    merged: Any = {
        "media": "unknown",
        **own_record,  # of any fields: other evaluations are joined too
        "id": row["id"],
        "clip": row["clip"],
        "task": row["task"],
        "subtask": row["subtask"],
        "choices": row["choices"],
        "question": row["question"],
        "gold": row["answer"],
        "raw": raw,
        "error": own_record.get("error", failures.error(raw)),
    }
    record: Unread = merged
    return record


def _text(value: Any) -> str | None:
    """The first text in nested lists of responses."""
    while isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else None


def _lines(path: Path) -> list[dict[str, Any]]:
    samples = [sample for _, sample in read_samples(path)]
    check_whole(path, samples)
    return samples


def _header(path: Path) -> Header:
    """The results file's header; other evaluations may have written none."""
    if path.is_file():
        return read_header(path)
    return {
        "date": path.name.removesuffix("_results.json"),
        "model": "unknown model",
        "model_name": "",
        "model_folder": "",
        "model_args": "",
        "limit": None,
        "seeds": {},
        "git_hash": None,
        "lmms_eval_version": None,
        "task_versions": {},
        "missing": {},
    }
