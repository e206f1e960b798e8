"""The preference record, its two file layouts, and the checks that come before training.

Ours is JSON Lines, one record a line, paths relative to the file's folder (or to `root`), or absolute and below it::

    {"id": "1", "video": "videos/part_1/1.mp4", "audio": "wavs/1.wav", "prompt": "How does ...?", "modality": "video",
     "emotion": "anger", "chosen": "...", "rejected_video_relevant": "...", "rejected_emotion_relevant": "..."}

`audio` is left out where the video has its own sound; `rejected_irrelevant`, `rejected_video` and `rejected_audio` are
optional. The released layout is a JSON list of objects with `video`, `audio`, `prompt` (starting with the media tags
`<video>` and `<audio>`, which are taken off), `chosen`, `rejected`, `rejected_2`, and optional `video_l`, `audio_l`. It
does not say what a prompt is about or which emotion a clip has. Unless an item adds `modality`, the prompt is about the
one medium that a rejected one is given of, else audiovisual; unless it adds `emotion`, that is unknown. `rejected` is
read as the video-relevant response (y_l^vr), `rejected_2` as the emotion-relevant one (y_l^er).
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avem_train.data import record_table, record_warnings
from avem_train.data.bad_records import ON_BAD_RECORD, BadRecords, Faults
from avem_train.data.model_facts import ANY_MODEL, ModelFacts, wrong_texts
from avem_train.data.negatives import Negatives, changed, has, needs_clip, rejected_file, undrawable
from avem_train.data.record_table import Records
from avem_train.data.records import FURTHER_EMOTIONS, MODALITIES, SPELLINGS, Preference, Problem, unread_fields
from avem_train.data.repeats import duplicates
from emorealm_tasks import settings
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import stop

_MEDIA = {"video": "picture", "audio": "sound"}
Files = dict[str, tuple[Path, tuple[str, ...]]]
"""A record's files by field, and which of "video" and "audio" must be in each."""


@dataclass(frozen=True)
class Needs:
    """What a training needs of its records."""

    negatives: Negatives | None = None
    """How rejected media are drawn; None where the objective has none."""
    responses: Sequence[str] = ("video_relevant", "emotion_relevant")
    """The rejected responses that the objective uses (`Objective.responses`)."""
    model: ModelFacts = ANY_MODEL
    """What the model to be trained takes."""
    irrelevant: Negatives | None = None
    """How what the prompt is not about is changed; None where the objective changes it nowhere."""


NEEDS = Needs()


def read(path: Path, root: Path | None = None) -> Records:
    """All records of a file of either layout, in order; relative paths are taken from `root` (default: its folder).

    Stops at a file that cannot be read or holds an unreadable record, naming all of these.
    """
    faults = Faults()
    records, _ = _read(path, root, faults)
    if faults.records:
        stop(faults.report(path, len(records) + faults.records))
    return records


def _read(
    path: Path, root: Path | None, faults: Faults, taken: tuple[str, ...] = ("video", "audio")
) -> tuple[Records, Mapping[str, int]]:
    records, names = record_table.read(path, root or path.parent, lambda problem: faults.add([problem]), taken)
    if not records and not faults.records:
        stop(f"{path}: there is no record in it")
    return records, names


def load(path: Path, root: Path | None, bad_records: BadRecords, needs: Needs = NEEDS) -> Records:
    """The records to train on: read, checked, and every bad one listed in bad_records.jsonl.

    They stay on disk. Stops at a bad record where `bad_records` says so, and where no record is left. Also prints what
    is usable but may be a mistake (`record_warnings.notices`).
    """
    on_bad_record = bad_records.on_bad_record
    if on_bad_record not in ON_BAD_RECORD:
        stop(f"on_bad_record is {on_bad_record!r}: one of {', '.join(ON_BAD_RECORD)}")
    faults = Faults(bad_records)
    records, names = _read(path, root, faults, needs.model.media)
    count = len(records) + faults.records
    bad = np.zeros(len(records), dtype=bool)
    for number, problems in _faults(records, needs):
        faults.add(problems)
        bad[number] = True
    faults.close()
    usable = records.without(bad)
    if bad_records.prints:
        unread = unread_fields(names)
        for line in record_warnings.notices(usable, unread, needs.responses, settings.load().cache):
            print(f"{path}: {line}", file=sys.stderr)
    if not faults.records:
        return records
    continues = on_bad_record == "skip" and usable
    if not bad_records.prints:
        return usable if continues else sys.exit(2)
    message = f"{faults.report(path, count)}\nAll of them are listed in {bad_records.list}."
    if on_bad_record == "stop":
        stop(f"{message} Mend them, or go on without them with on_bad_record=skip.")
    if not continues:
        stop(f"{message} No record is left to train on.")
    print(f"{message} Going on with the other {len(usable)}.", file=sys.stderr)
    return usable


def problems(records: Sequence[Preference], needs: Needs = NEEDS) -> list[Problem]:
    """Everything that keeps records from being trained on, in the records' order."""
    found = sorted(_faults(records, needs), key=lambda one: one[0])
    return [problem for _, of_record in found for problem in of_record]


def _faults(records: Sequence[Preference], needs: Needs) -> Iterator[tuple[int, list[Problem]]]:
    """The numbers of the records that are bad, and their problems."""
    negatives = needs.negatives
    files = {str(file) for record in records for file, _ in _files(record, negatives).values()}
    probed = availability.probe_files(sorted(files), settings.load().cache)
    again = duplicates(records, lambda record: record.id)
    bad = np.zeros(len(records), dtype=bool)
    for number, record in enumerate(records):
        reasons = [
            *wrong_texts(record, needs.responses, needs.model),
            *_wrong_media(record, negatives, _files(record, negatives), probed),
        ]
        if again[number]:
            reasons.append(("duplicate id", "an earlier record has the same id"))
        if reasons:
            bad[number] = True
            yield number, [Problem(record.id, *each) for each in reasons]
    yield from _without_negative(records, bad, [one for one in (negatives, needs.irrelevant) if one])


def _without_negative(
    records: Sequence[Preference], bad: np.ndarray, all_negatives: Sequence[Negatives]
) -> Iterator[tuple[int, list[Problem]]]:
    """The records for which there is no clip to draw among the usable ones, which then are fewer.

    bad: which are known to be bad, (records,) of bool; those that are found are added.
    """
    while True:
        lacking = {number: one.kind for one in all_negatives for number in undrawable(records, one, bad)}
        if not lacking:
            return
        for number, kind in lacking.items():
            problem = "no other clip" if kind == "any_clip" else "no clip of another emotion"
            reason = "among the usable records; add some, or change negatives.kind"
            bad[number] = True
            yield number, [Problem(records[number].id, problem, reason)]


def _wrong_media(
    record: Preference, negatives: Negatives | None, files: Files, probed: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    if record.modality not in MODALITIES:
        yield "modality unknown", f"modality is {record.modality!r}: one of {', '.join(MODALITIES)}"
        return
    missing_medium = "video" if "video" in MODALITIES[record.modality] else "audio"
    if record.video is None and (missing_medium == "video" or record.audio is None):
        yield "no medium", f"the prompt is about {record.modality}, and the record has no {missing_medium}"
    elif len(record.taken) == 1 and not has(record, record.taken[0]):
        yield "no medium", f"the model takes {record.taken[0]} alone, and the record has none"
    draws = negatives is not None and negatives.kind == "other_emotion" and needs_clip(record, negatives)
    if draws and record.emotion not in SPELLINGS.values():
        known = ", ".join((*EMOTIONS, *FURTHER_EMOTIONS))
        yield "emotion unknown", f"emotion is {record.emotion!r}; to draw a clip of another one it must be of {known}"
    for name, (file, needed) in files.items():
        outcome = probed[str(file)]
        if outcome["kind"] == "missing":
            yield "missing file", f"{name}: there is no {file}"
        elif outcome["kind"]:
            yield "unreadable file", f"{name}: {outcome['reason']}"
        for medium in needed:
            if outcome[f"no_{medium}"]:
                yield "unreadable file", f"{name}: {outcome[f'no_{medium}']}"
            elif not outcome["kind"] and not outcome[medium]:
                yield f"no {_MEDIA[medium]}", f"{name}: there is no {_MEDIA[medium]} in {file}"


def _files(record: Preference, negatives: Negatives | None) -> Files:
    """The record's files."""
    sounds = "audio" in MODALITIES.get(record.modality, ()) and record.audio is None
    files: dict[str, tuple[Path | None, tuple[str, ...]]] = {
        "video": (record.video, ("video", "audio") if sounds else ("video",)),
        "audio": (record.audio, ("audio",)),
    }
    if record.modality in MODALITIES and negatives and negatives.kind == "other_emotion":
        for modality in changed(record, negatives):
            own_file = getattr(record, f"rejected_{modality}")
            name = f"rejected_{modality}" if own_file else "rejected_video"  # which brings its sound along
            needed = (*files[name][1], modality) if name in files else (modality,)
            files[name] = rejected_file(record, modality), needed
    return {record.field(name): (file, needed) for name, (file, needed) in files.items() if file}
