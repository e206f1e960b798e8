"""Everything that our tasks left of a run: questions of EmoReAlM, emotions recognised, descriptions judged."""

import dataclasses
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from emorealm_results.runs import descriptions as judged
from emorealm_results.runs import foreign, samples
from emorealm_results.runs import recognition as recognised
from emorealm_results.runs.samples import newest_files
from emorealm_tasks import metrics
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import description, recognition

Record = metrics.Unread | recognition.Unread | description.Record
_TASK_NAME = re.compile(
    "|".join(tasks.pattern for tasks in (samples.TASK_NAME, recognised.TASK_NAME, judged.TASK_NAME))
)


@dataclass(frozen=True)
class Saved:
    """A run's samples by their sort."""

    folder: Path
    """Where its files lie."""
    questions: samples.Run | None
    """EmoReAlM's; None where they were not asked."""
    replies: recognised.Recognised
    """Of recognition; empty where it was not asked."""
    descriptions: judged.Descriptions
    """Of clips' emotions; empty where they were not asked for."""


def any_in(folder: Path) -> bool:
    """Whether there are samples of our tasks; stops where they are of several models."""
    return bool(newest_files(folder, _TASK_NAME)[0])


def load(folder: Path, questions: Path | None = None) -> Saved:
    """Read the samples of one model below a folder; ``questions`` joins a foreign run's with the benchmark's file.

    Stops where there are none, where they are of several models, and at the first damaged file.
    """
    newest, _ = newest_files(folder, _TASK_NAME)
    if not newest and not questions:
        stop(f"{folder}: no samples of these tasks; run lmms-eval with --output_path {folder} --log_samples")
    questions_run = None
    if questions:
        questions_run = foreign.load(folder, questions)
    elif any(samples.TASK_NAME.fullmatch(name) for name in newest):
        questions_run = samples.load(folder)
    run_folder = next((path.parent for _, path in newest.values()), folder)
    if without_samples := samples.without_samples(run_folder, _TASK_NAME):
        why = f"its results hold scores of {', '.join(without_samples)}, whose samples file is missing"
        print(
            f"emorealm: {run_folder}: {why}; they are left out here. Copy the files, or run these again",
            file=sys.stderr,
        )
        questions_run = questions_run and dataclasses.replace(questions_run, notes=(*questions_run.notes, why))
    return Saved(run_folder, questions_run, recognised.load(folder), judged.load(folder, required=False))


def modality(run: Saved) -> str:
    """What the model was given of the clips, as the paper's tables say it: "A,V", "A" or "V"; "" where unknown."""
    media = [record.get("media") for record in _records(run)]
    known_media = [of_clip for of_clip in media if isinstance(of_clip, Mapping)]
    field_of = {"A": "audio_seconds", "V": "frames"}
    return ",".join(letter for letter, key in field_of.items() if any(of_clip.get(key) for of_clip in known_media))


def _records(run: Saved) -> Iterator[Record]:
    """The records of everything that was asked in full."""
    for task in run.questions.tasks if run.questions else ():
        yield from task.records if task.part == samples.FULL else ()
    for replies in run.replies.records.values():
        yield from replies
    for descriptions in run.descriptions.records.values():
        yield from descriptions
