"""Reads what lmms-eval 0.7 leaves in an output folder: results and samples of our tasks.

A run lies in ``OUTPUT/MODEL/`` (or ``OUTPUT/`` when the model has no name) as ``DATE_results.json`` and, with
``--log_samples``, one ``DATE_samples_TASK.jsonl`` a task. In each sample line one metric's value is a dict that holds
our ``record`` (:class:`emorealm_tasks.metrics.Record`). Several invocations may share a
folder, say the tasks and later their blind floor: of each task the newest file counts.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from emorealm_results.runs import headers as run_headers
from emorealm_results.runs import unfinished
from emorealm_results.runs.headers import Header, read_header
from emorealm_tasks import files, schemas
from emorealm_tasks.answers.choices import split_choice
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import TASKS, Unread
from emorealm_tasks.metrics.description import CRITERIA
from emorealm_tasks.untrusted import (
    Unreadable,
    brief,
    lines,
    parse_json,
    read_bytes,
    read_text,
    typed,
)

BENCHMARKS = ("emorealm", "emorealm_mini")
FULL = "full"
FLOORS = ("blind", "shuffled", "swap_audio", "swap_video", "likelihood")
_SAMPLES_FILE = re.compile(r"(?P<date>.+?)_samples_(?P<task>.+)\.jsonl")
TASK_NAME = re.compile(rf"(emorealm(?:_mini)?)(?:_({'|'.join(FLOORS)}))?_({'|'.join(TASKS)})")
_JOIN = "emorealm rescore RUN_DIR --questions emorealm_v1.json --json OUT (emorealm leaderboard takes OUT)"
_VERDICT = {"scores": dict.fromkeys(CRITERIA, float), "reasons?": {str: str}}
_TRUTH = {"present": [str], "relevant": [str], "emotions": [str]}
_SHAPES: dict[str, Any] = {
    "choices": [str],
    "labels": [str],
    "verdicts": {str: [(_VERDICT, None)]},
    "truth": (_TRUTH, None),
    "unjudged?": {str: str},
    "question?": str,
}
"""Of a record's fields (`emorealm_tasks.schemas`); all others are text."""
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class TaskRun:
    """One task of one run."""

    name: str
    """Full name of the task, as lmms-eval has it."""
    benchmark: str
    """One of BENCHMARKS."""
    part: str
    """"full" or one of FLOORS."""
    task: str
    """Released name of the task."""
    date: str
    """When the run began, as its files are named."""
    records: tuple[Unread, ...]
    """One a question."""
    missing: int
    """Questions without a usable clip."""


@dataclass(frozen=True)
class Run:
    """All tasks of one model in an output folder."""

    folder: Path
    """The output folder."""
    tasks: tuple[TaskRun, ...]
    """Of each task the newest, in the order of the benchmark."""
    headers: dict[str, Header]
    """Date -> the results file without its scores."""
    notes: tuple[str, ...]
    """Sentences on what was left out, or looks odd."""


def load(folder: Path) -> Run:
    """Read the runs of one model below ``folder``.

    Ends with one line and exit code 2 (:func:`emorealm_tasks.errors.stop`) when there is no samples file of our
    tasks, when several models' runs lie there, or when a file is damaged.
    """
    newest, older = newest_files(folder, TASK_NAME)
    if not newest:
        stop(f"{folder}: no samples of emorealm tasks; run lmms-eval with --output_path {folder} --log_samples")
    parent = next(iter(newest.values()))[1].parent
    headers = {date: read_header(parent / f"{date}_results.json") for date in sorted({d for d, _ in newest.values()})}
    models = sorted({(header["model"], header["model_name"]) for header in headers.values()})
    if len(models) > 1:
        model_names = " and ".join(" ".join(filter(None, model)) for model in models)
        stop(f"{parent}: its tasks were answered by different models ({model_names}); keep one model a folder")
    tasks = [_task_run(name, date, path, headers[date]) for name, (date, path) in newest.items()]
    order = {task: position for position, task in enumerate(TASKS)}
    tasks.sort(key=lambda run: (run.benchmark, (FULL, *FLOORS).index(run.part), order[run.task]))
    notes = (f"{older} older samples file(s) of the same tasks were left aside; the newest count",) if older else ()
    return Run(parent, tuple(tasks), headers, (*notes, *unfinished.note(folder)))


def newest_files(folder: Path, task_names: re.Pattern[str]) -> tuple[dict[str, tuple[str, Path]], int]:
    """The newest samples file of each task whose whole name matches: name -> (date, path), and how many are older.

    Stops when it is no folder, or holds matching files of several models.
    """
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "no such folder"
        stop(f"{folder}: {problem}; name the --output_path of an lmms-eval run")
    found = list(_files(folder, task_names))
    parents = sorted({path.parent for _, _, path in found})
    if len(parents) > 1:
        stop(f"{folder}: holds runs of several models, name one of them: {', '.join(map(str, parents))}")
    dates = sorted({date for date, _, _ in found})
    orders = {date: _order(parents[0] / f"{date}_results.json", date) for date in dates} if len(dates) > 1 else {}
    found.sort(key=lambda item: orders.get(item[0], ""))
    newest = {task: (date, path) for date, task, path in found}
    return newest, len(found) - len(newest)


def _order(results: Path, date: str) -> str:
    return run_headers.order({"date": date, "zone": run_headers.zone(_results(results))})


def _files(folder: Path, task_names: re.Pattern[str]) -> Iterator[tuple[str, str, Path]]:
    for path in files.matching(folder, "**/*_samples_*.jsonl"):
        match = _SAMPLES_FILE.fullmatch(path.name)
        if match and task_names.fullmatch(match["task"]):
            yield match["date"], match["task"], path


def _task_run(name: str, date: str, path: Path, header: Header) -> TaskRun:
    match = TASK_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no task of EmoReAlM")
    benchmark, part, task = match.groups()
    records = read_records(path, Unread)
    return TaskRun(name, benchmark, part or FULL, task, date, tuple(records), header["missing"].get(name, 0))


def read_records(path: Path, kind: type[Kind]) -> list[Kind]:
    """The record in each line of a samples file; stops at the first that is damaged or lacks a field of its kind.

    ``kind``: the TypedDict in which the task's metrics module says what its records hold.
    """
    fields = schemas.required(kind)
    records: list[Any] = [_record(sample, fields, where) for where, sample in read_samples(path)]
    if not records:
        stop(f"{path}: empty; run the task again")
    repeated = next((name for name, times in Counter(record["id"] for record in records).items() if times > 1), None)
    if repeated is not None:
        stop(
            f"{path}: holds {repeated!r} more than once, so it was written twice; keep one copy, or run the task again"
        )
    expected = _expected_count(path)
    if expected is not None and expected != len(records):
        _refuse_count(path, len(records), expected)
    return records


def check_whole(path: Path, samples: Sequence[Mapping[str, Any]]) -> None:
    """Stop where a samples file, whoever's, holds fewer questions than the results file beside it counts.

    There may be more lines than questions: lmms-eval writes one for each filter.
    """
    doc_ids = {str(sample.get("doc_id", number)) for number, sample in enumerate(samples)}
    expected = _expected_count(path)
    if expected is not None and len(doc_ids) < expected:
        _refuse_count(path, len(doc_ids), expected)


def _refuse_count(path: Path, in_file: int, expected: int) -> NoReturn:
    stop(
        f"{path}: holds {in_file} replies where its results file counts {expected}; it was cut or changed: copy the "
        "whole file, or run the task again"
    )


def _expected_count(path: Path) -> int | None:
    """How many replies the results file beside a samples file counts; None where it does not say."""
    match = _SAMPLES_FILE.fullmatch(path.name)
    results = _results(path.with_name(f"{match['date']}_results.json")) if match else {}
    config, counts = results.get("config"), results.get("n-samples")
    limit = config.get("limit") if isinstance(config, dict) else None
    of_task = counts.get(match["task"]) if match and isinstance(counts, dict) else None
    count = of_task.get("effective") if isinstance(of_task, dict) else None
    is_count = limit is None or (isinstance(limit, int | float) and limit == int(limit))  # of a share it says nothing
    return count if is_count and isinstance(count, int) and count > 0 else None


def without_samples(folder: Path, task_names: re.Pattern[str]) -> list[str]:
    """Tasks whose scores the results files in a folder hold, and of whose replies there is no file."""
    with_scores: dict[str, None] = {}
    for path in files.matching(folder, "*_results.json"):
        results = _results(path)
        tasks, counts = results.get("results"), results.get("n-samples")
        result_tasks = tasks if isinstance(tasks, dict) else {}
        leaves = counts if isinstance(counts, dict) and counts else result_tasks
        with_scores |= dict.fromkeys(name for name in result_tasks if name in leaves and task_names.fullmatch(name))
    with_samples = {task for _, task, _ in _files(folder, task_names)}
    return [name for name in with_scores if name not in with_samples]


def _results(path: Path) -> dict[str, Any]:
    """What a results file holds; {} where it cannot be read (`read_header` says so)."""
    try:
        content: dict[str, Any] = typed(parse_json(read_bytes(path)), dict)
    except Unreadable:
        return {}
    return content


def read_samples(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The object in each line of a samples file, and where it stands; stops at the first line that is none."""
    try:
        text = read_text(path)
    except Unreadable as error:
        stop(f"{path}: {error}; run the task again")
    for number, line in lines(text):
        where = f"{path}, line {number}"
        try:
            yield where, typed(parse_json(line), dict)
        except Unreadable as error:
            stop(f"{where}: {error}; was the run cut off? Run again")


def _record(sample: dict[str, Any], fields: Sequence[str], where: str) -> dict[str, Any]:
    metrics = [value for value in sample.values() if isinstance(value, dict)]
    records = (value["record"] for value in metrics if isinstance(value.get("record"), dict))
    record: dict[str, Any] | None = next(records, None)
    if record is None:
        if "bypass" in sample:  # the only metric of --predict_only
            stop(f"{where}: --predict_only left replies without scores; run it again without")
        stop(f"{where}: holds no record; was it written by other tasks? Join it: {_JOIN}")
    if missing := [field for field in fields if field not in record]:
        stop(f"{where}: its record lacks {', '.join(missing)}; join it: {_JOIN}")
    optional = {name: of_field for name, of_field in _SHAPES.items() if name.endswith("?")}
    try:
        schemas.fit(record, {field: _SHAPES.get(field, str) for field in fields} | optional)
        _consistent(record)
    except ValueError as error:
        stop(f"{where}: in its record {brief(error)}; was the file changed? Run the task again")
    return record


def _consistent(record: dict[str, Any]) -> None:
    """Raise ValueError for choices without letters, and for a gold answer that is none of its question's."""
    letters = [split_choice(choice)[0] for choice in record.get("choices", ())] or record.get("labels", ())
    if letters and record["gold"] not in letters:
        raise ValueError(f"the gold answer {record['gold']!r} is none of {', '.join(letters)}")
