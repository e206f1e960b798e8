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

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from avem_train.data import record_warnings
from avem_train.data.model_facts import ANY_MODEL, ModelFacts, wrong_texts
from avem_train.data.negatives import Negatives, changed, has, needs_clip, rejected_file, undrawable
from avem_train.data.records import _SPELLINGS, FURTHER_EMOTIONS, MODALITIES, Preference, Problem, _scan
from emorealm_tasks import files, settings
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import stop

BAD_RECORDS = "bad_records.jsonl"
ON_BAD_RECORD = ("stop", "skip")
_MOST_LISTED = 10  # records of each kind of fault spelled out in a report
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


@dataclass(frozen=True)
class BadRecords:
    """What is done about records that cannot be trained on."""

    out: Path
    """The folder of the list of them, bad_records.jsonl."""
    on_bad_record: str = "stop"
    """"stop" prints the report and stops if any record is bad; "skip" prints it and leaves them out."""
    prints: bool = True
    """Whether this process prints the report; of several that read the same records one does."""

    def of_held_out(self) -> "BadRecords":
        """The same for held-out records: listed in a folder of their own, and any bad one stops."""
        return replace(self, out=self.out / "held_out", on_bad_record="stop")


def read(path: Path, root: Path | None = None) -> list[Preference]:
    """All records of a file of either layout, in order; relative paths are taken from `root` (default: its folder).

    Stops at a file that cannot be read or holds an unreadable record, naming all of these.
    """
    records, unreadable, _ = _scan(path, root or path.parent)
    if unreadable:
        stop(report(path, len(records) + len(unreadable), unreadable))
    return records


def load(path: Path, root: Path | None, bad_records: BadRecords, needs: Needs = NEEDS) -> list[Preference]:
    """The records to train on: read, checked, and every bad one listed in bad_records.jsonl.

    Stops at a bad record where `bad_records` says so, and where no record is left. Also prints what is usable but
    may be a mistake (`record_warnings.notices`).
    """
    on_bad_record = bad_records.on_bad_record
    if on_bad_record not in ON_BAD_RECORD:
        stop(f"on_bad_record is {on_bad_record!r}: one of {', '.join(ON_BAD_RECORD)}")
    records, unreadable, unknown = _scan(path, root or path.parent, needs.model.media)
    faults = _faults(records, needs)
    all_problems = [*unreadable, *(problem for faulty in faults for problem in faulty)]
    listed_in = bad_records.out / BAD_RECORDS
    listed_in.unlink(missing_ok=True)
    usable = [record for record, faulty in zip(records, faults, strict=True) if not faulty]
    if bad_records.prints:
        for line in record_warnings.notices(usable, unknown, needs.responses, settings.load().cache):
            print(f"{path}: {line}", file=sys.stderr)
    if not all_problems:
        return records
    files.write(listed_in, "".join(json.dumps(asdict(problem)) + "\n" for problem in all_problems))
    continues = on_bad_record == "skip" and usable
    if not bad_records.prints:
        return usable if continues else sys.exit(2)
    message = f"{report(path, len(records) + len(unreadable), all_problems)}\nAll of them are listed in {listed_in}."
    if on_bad_record == "stop":
        stop(f"{message} Mend them, or go on without them with on_bad_record=skip.")
    if not continues:
        stop(f"{message} No record is left to train on.")
    print(f"{message} Going on with the other {len(usable)}.", file=sys.stderr)
    return usable


def problems(records: Sequence[Preference], needs: Needs = NEEDS) -> list[Problem]:
    """Everything that keeps records from being trained on, in the records' order."""
    return [problem for faulty in _faults(records, needs) for problem in faulty]


def report(path: Path, count: int, all_problems: Sequence[Problem]) -> str:
    """The one report: how many of `count` records are bad, and of each kind of fault how often and the first ones."""
    kinds = Counter(problem.kind for problem in all_problems)
    bad = len({problem.id for problem in all_problems})
    report_lines = [f"{path}: {bad} of {count} records cannot be trained on."]
    for kind, times in kinds.most_common():
        report_lines.append(f"  {kind}: {times}")
        of_kind = [problem for problem in all_problems if problem.kind == kind]
        report_lines += [f"    {problem.id}: {problem.reason}" for problem in of_kind[:_MOST_LISTED]]
        if times > _MOST_LISTED:
            report_lines.append(f"    ... and {times - _MOST_LISTED} more")
    return "\n".join(report_lines)


def _faults(records: Sequence[Preference], needs: Needs) -> list[list[Problem]]:
    """The problems of each record."""
    negatives = needs.negatives
    seen_ids: set[str] = set()
    files = [_files(record, negatives) for record in records]
    probed = availability.probe_files(
        sorted({str(file) for record_files in files for file, _ in record_files.values()}), settings.load().cache
    )
    faults = []
    for record, record_files in zip(records, files, strict=True):
        reasons = [
            *wrong_texts(record, needs.responses, needs.model),
            *_wrong_media(record, negatives, record_files, probed),
        ]
        if record.id in seen_ids:
            reasons.append(("duplicate id", "an earlier record has the same id"))
        seen_ids.add(record.id)
        faults.append([Problem(record.id, *each) for each in reasons])
    _without_negative(records, faults, [one for one in (negatives, needs.irrelevant) if one])
    return faults


def _without_negative(
    records: Sequence[Preference], faults: Sequence[list[Problem]], all_negatives: Sequence[Negatives]
) -> None:
    """Add the problems of records for which there is no clip to draw among the usable ones, which then are fewer."""
    while True:
        usable = [record for record, faulty in zip(records, faults, strict=True) if not faulty]
        lacking = {id(record): one.kind for one in all_negatives for record in undrawable(usable, one)}
        if not lacking:
            return
        for record, faulty in zip(records, faults, strict=True):
            if kind := lacking.get(id(record)):
                problem = "no other clip" if kind == "any_clip" else "no clip of another emotion"
                reason = "among the usable records; add some, or change negatives.kind"
                faulty.append(Problem(record.id, problem, reason))


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
    if draws and record.emotion not in _SPELLINGS.values():
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
