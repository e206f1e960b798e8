"""What the readers of emotion recognition share: how a row looks, the prompts, and the check of class counts."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import absent, stop
from emorealm_tasks.untrusted import Unreadable, brief, read_text

PROMPTS: dict[str, str] = {
    "one_word": "Describe the emotion of the person in the video in one word.",
    "classes": "Which emotion does the person in the video show: {listed}? Answer with one of these words.",
    "detail": "Describe the emotion of the person in the video in detail.",
}
"""Variant -> what is asked. `one_word` and `detail` are the released prompts, the paper's numbers are `one_word`'s."""


def row(
    task: str,
    name: str,
    gold: str,
    labels: Sequence[str] = EMOTIONS,
    *,
    clip: str,
    video: str,
    audio: str = "",
    silent: bool = False,
) -> Row:
    """The row of one clip; `clip` is its path below the data set's folder, `task` the data set."""
    return {
        "id": f"{task}_{name}",
        "task": task,
        "question": "",
        "choices": [],
        "answer": gold,
        "labels": list(labels),
        "emotion": gold,
        "subtask": "",
        "audio": audio,
        "silent": silent,
        "clip": clip,
        "video": video,
    }


def ask(rows: Iterable[Row], variant: str) -> list[Row]:
    """The rows with the variant's prompt as their question."""
    return [{**row, "question": PROMPTS[variant].format(listed=_in_words(row["labels"]))} for row in rows]


def count_note(rows: Sequence[Row], published: Mapping[str, int], what: str) -> str:
    """How the classes' counts differ from the published ones, in one line; "" where they do not."""
    counts = Counter(row["answer"] for row in rows)
    differences = [
        f"{emotion} {counts[emotion]} instead of {published[emotion]}"
        for emotion in published
        if counts[emotion] != published[emotion]
    ]
    return f"{what}: class counts differ from the published ones: {', '.join(differences)}" if differences else ""


def first_file(root: Path, candidates: Iterable[str], what: str, remedy: str) -> Path:
    """The first of the candidate paths below `root` that is a file; stops, naming them all, where none is."""
    candidates = list(candidates)
    for candidate in candidates:
        if (root / candidate).is_file():
            return root / candidate
    absent(f"{root}: there is no {what}; looked for {', '.join(candidates)}. {remedy}")


def read_csv(path: Path, columns: Sequence[str], remedy: str = "download it again") -> list[dict[str, str]]:
    """A CSV file's rows, as `read_numbered_csv`."""
    return [row for _, row in read_numbered_csv(path, columns, remedy)]


def read_numbered_csv(
    path: Path, columns: Sequence[str], remedy: str = "download it again"
) -> list[tuple[int, dict[str, str]]]:
    """The line at which each row of a CSV file ends, and the row, stripped of spaces.

    Stops where the file cannot be read or lacks one of the columns.

    Stops also at a line with fewer or more fields than the header, whose text would be cut, and at quotes that do not
    close. The first of `columns` names a row: lines that were swallowed by such a quote are known by that.
    """
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), skipinitialspace=True, strict=True)
        lines = [(reader.line_num, fields) for fields in reader if fields]
    except Unreadable as error:
        stop(f"{path}: {error}; {remedy}")
    except csv.Error as error:
        stop(f"{path}, line {reader.line_num}: {error}; are all quotes closed? {remedy[:1].upper()}{remedy[1:]}")
    header = [name.strip() for name in lines[0][1]] if lines else []
    if not set(columns) <= set(header) or len(lines) < 2:
        missing_columns = (
            f"; it lacks the column(s) {', '.join(sorted(set(columns) - set(header)))}" if len(lines) > 1 else ""
        )
        header_text = brief(", ".join(header)) if len(lines) > 1 else "no rows"
        stop(f"{path}: expected the columns {', '.join(columns)}, found {header_text}{missing_columns}; {remedy}")
    if twice := [name for name in columns if header.count(name) > 1]:
        stop(f"{path}: two columns are called {twice[0]!r}; {remedy}")
    rows: list[tuple[int, dict[str, str]]] = []
    for number, fields in lines[1:]:
        if len(fields) < len(header):
            stop(f"{path}, line {number}: it is cut short; {remedy}")
        if any(field.strip() for field in fields[len(header) :]):
            counts = f"{len(fields)} fields where the header names {len(header)}"
            stop(f"{path}, line {number}: {counts}; a text with commas needs quotes: mend it, or {remedy}")
        named_fields = dict(zip(header, fields, strict=False))
        rows.append((number, {column: named_fields[column].strip() for column in columns}))
    _refuse_swallowed(path, [row for _, row in rows], columns, remedy)
    return rows


def _refuse_swallowed(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str], remedy: str) -> None:
    """Stop where a text goes on with what looks like the next row: a quote that opened too early holds both."""
    shapes = {_shape(row[columns[0]]) for row in rows}
    for row in rows:
        for text in row.values():
            for line in text.split("\n")[1:]:
                name, comma, _ = line.partition(",")
                if comma and _shape(name.strip().strip('"')) in shapes:
                    stop(f"{path}: the text of {brief(row[columns[0]])!r} holds a further row; are all quotes closed? "
                         f"Mend it, or {remedy}")  # fmt: skip


def _shape(name: str) -> str:
    return re.sub(r"\d+", "0", name)


def refuse_twice(path: Path, line: int, name: str, seen_names: set[str]) -> None:
    """Stop where a clip was named before, by whatever label; else remember it."""
    if name in seen_names:
        stop(f"{path}, line {line}: {name!r} occurs twice; a clip has one label: remove one, or download it again")
    seen_names.add(name)


def _in_words(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:-1])} or {labels[-1]}"
