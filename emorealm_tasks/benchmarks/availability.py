"""Can every clip that is about to be asked about be seen and heard? Looked at before any inference.

Every file is decoded once, in processes of their own (`emorealm_tasks.media.guard`), so that a file that crashes the
decoder costs itself and not the run. The findings are cached in the cache folder by path, size and time of change, so
that looking at thousands of clips again costs only their `stat`.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorealm_tasks import files as writing
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import warn_once
from emorealm_tasks.media import guard
from emorealm_tasks.schemas import fits
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes

KINDS = ("missing", "unreadable", "soundless")
_MOST_LISTED = 5  # problems spelled out in a report
PROBES = "probes-2.json"  # under the cache folder; the first kind of file knew less
_WORDS = dict.fromkeys(("kind", "reason", "no_video", "no_audio"), str)
_FINDING = {"stamp": [int], "video": bool, "audio": bool, **_WORDS}
_FINDING |= {"damaged_packets?": int, "decoded?": float, "cut_short?": bool}
"""What PROBES holds of a file (`emorealm_tasks.schemas`)."""


@dataclass(frozen=True)
class Problem:
    """Why a clip cannot be used."""

    kind: str
    """One of KINDS."""
    file: str
    """Path of the file at fault."""
    reason: str
    """What is wrong and what to do, in one line."""


def find_problems(rows: Sequence[Row], cache: Path) -> dict[str, Problem]:
    """Problems of the clips that `rows` name (keys clip, video, audio), by clip; empty when all can be used.

    A row without `video` needs sound only, one with `silent` picture only.
    """
    clips = {row["clip"]: (row["video"], row["audio"], bool(row.get("silent"))) for row in rows}
    files = sorted({file for video, audio, _ in clips.values() for file in (video, audio) if file})
    outcomes = probe_files(files, cache)
    problems = {clip: _judge(*requirement, outcomes) for clip, requirement in clips.items()}
    return {clip: problem for clip, problem in problems.items() if problem is not None}


def report(problems: Mapping[str, Problem], clips: int, location: str, remedy: str) -> str:
    """The one report: how many of `clips` and of which kind, the first few, where it looked, how to get them."""
    counts = count(problems.values())
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    lines = [f"{len(problems)} of {clips} clips cannot be used: {kinds}."]
    first_problems = [problem for _, problem in sorted(problems.items())][:_MOST_LISTED]
    lines += [f"  {problem.kind}: {problem.reason}" for problem in first_problems]
    if len(problems) > _MOST_LISTED:
        lines.append(f"  ... and {len(problems) - _MOST_LISTED} more")
    return "\n".join([*lines, f"Looked under {location}.", remedy])


def count(problems: Iterable[Problem]) -> dict[str, int]:
    """How many problems there are of each of KINDS."""
    counts = Counter(problem.kind for problem in problems)
    return {kind: counts[kind] for kind in KINDS}


def stamp(file: str | Path) -> list[int] | None:
    """Size and time of change (ns) of a file, which tell it from a later one of its name; None where there is none."""
    try:
        state = os.stat(file)
    except OSError:
        return None
    return [state.st_size, state.st_mtime_ns]


def _judge(video: str, audio: str, silent: bool, outcomes: Mapping[str, dict[str, Any]]) -> Problem | None:
    if video and (problem := _unusable(video, outcomes[video], "video")):
        return problem
    return None if silent else _unusable(audio or video, outcomes[audio or video], "audio")


def _unusable(file: str, what: Mapping[str, Any], modality: str) -> Problem | None:
    """Why the `video` or `audio` of a file cannot be used; None where it can."""
    if what["kind"]:
        return Problem(what["kind"], file, what["reason"])
    if what[modality]:
        return None
    if what[f"no_{modality}"]:
        return Problem("unreadable", file, what[f"no_{modality}"])
    if modality == "video":
        return Problem("unreadable", file, f"{file}: there is no picture in it")
    return Problem("soundless", file, f"{file}: there is no sound in it")


def probe_files(files: Sequence[str], cache: Path) -> dict[str, dict[str, Any]]:
    """What each file holds: {"kind": "", "missing" or "unreadable", "reason"}, and as `media.guard.examine_all`.

    A file that was never looked at is decoded from end to end, in a process of its own.
    """
    path = cache / PROBES
    cached = _read(path)
    stamps = {file: stamp(file) for file in files}
    outcomes = {
        file: cached[file]
        for file in files
        if stamps[file] is not None and fits(cached.get(file), _FINDING) and cached[file]["stamp"] == stamps[file]
    }
    uncached = [file for file in files if file not in outcomes]
    existing = [file for file in uncached if stamps[file] is not None and os.path.isfile(file)]
    facts_of = guard.examine_all(existing)
    for file in uncached:
        outcomes[file] = {"stamp": stamps[file], **_outcome(file, facts_of.get(file))}
    if existing and (path.is_file() or not path.exists()):  # a pipe there would be waited for
        _write(path, cached | {file: outcomes[file] for file in existing})
    return outcomes


def _outcome(file: str, facts: dict[str, Any] | None) -> dict[str, Any]:
    if facts is None:
        return {"kind": "missing", "reason": file, **guard.unreadable("")}
    reason = facts["unreadable"]
    return {"kind": "unreadable" if reason else "", "reason": reason, **facts}


def incomplete(files: Iterable[str], cache: Path) -> list[str]:
    """A line for each readable file that does not decode from end to end: which share does, and what is wrong."""
    outcomes = probe_files(sorted(set(files)), cache)
    lines = []
    for file, what in outcomes.items():
        if what["video"] or what["audio"]:
            faults = [f"{what['damaged_packets']} damaged packets"] if what.get("damaged_packets") else []
            faults += ["cut short"] if what.get("cut_short") else []
            if faults and "decoded" in what:
                lines.append(f"{file}: {100 * what['decoded']:.1f}% decodes ({', '.join(faults)})")
    return lines


def _read(path: Path) -> dict[str, Any]:
    """What is kept of all clips ever looked at; only what is used is checked, since it may be of tens of thousands."""
    try:
        cached = parse_json(read_bytes(path))
    except Unreadable:  # never written, cut short or changed: probing again is all it costs
        return {}
    return cached if isinstance(cached, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        writing.write_json(path, content, indent=None)
    except OSError as error:
        warn_once("probes", f"{path}: cannot be kept ({error.strerror}), so clips are looked at again next time")
