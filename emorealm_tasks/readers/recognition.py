"""What the readers of emotion recognition share: how a row looks, the prompts, and the check of class counts."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import absent, stop
from emorealm_tasks.rows import Row

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
    return [{**row, "question": PROMPTS[variant].format(listed=_listed(row["labels"]))} for row in rows]


def count_note(rows: Sequence[Row], published: Mapping[str, int], what: str) -> str:
    """How the classes' counts differ from the published ones, in one line; "" where they do not."""
    found = Counter(row["answer"] for row in rows)
    differing = [
        f"{emotion} {found[emotion]} instead of {published[emotion]}"
        for emotion in published
        if found[emotion] != published[emotion]
    ]
    return f"{what}: class counts differ from the published ones: {', '.join(differing)}" if differing else ""


def first_file(root: Path, candidates: Iterable[str], what: str, remedy: str) -> Path:
    """The first of the candidate paths below `root` that is a file; stops, naming them all, where none is."""
    candidates = list(candidates)
    for candidate in candidates:
        if (root / candidate).is_file():
            return root / candidate
    absent(f"{root}: there is no {what}; looked for {', '.join(candidates)}. {remedy}")


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """A CSV file's rows, stripped of spaces. Stops where it cannot be read or lacks one of the columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        stop(f"{path}: cannot be read ({error}); download it again")
    found = list(rows[0]) if rows else []
    if not set(columns) <= set(found):
        named = ", ".join(found) or "no rows"
        stop(f"{path}: expected the columns {', '.join(columns)}, found {named}; download it again")
    for number, line in enumerate(rows, start=2):
        if any(line[column] is None for column in columns):
            stop(f"{path}, line {number}: it is cut short; download the file again")
    return [{column: line[column].strip() for column in columns} for line in rows]


def _listed(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:-1])} or {labels[-1]}"
