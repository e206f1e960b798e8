"""Can every clip that is about to be asked about be seen and heard? Looked at before any inference.

Files are probed by several threads, and what was found is kept under the cache folder by path, size and time of
change, so that looking at thousands of clips again costs only their `stat`.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorealm_tasks import media
from emorealm_tasks.rows import Row

KINDS = ("missing", "unreadable", "soundless")
_SHOWN = 5  # problems spelled out in a report
_THREADS = 8  # opening a container waits for the disk more than for the processor


@dataclass(frozen=True)
class Problem:
    """Why a clip cannot be used."""

    kind: str
    """One of KINDS."""
    file: str
    reason: str


def find_problems(rows: Sequence[Row], cache: Path) -> dict[str, Problem]:
    """Problems of the clips that `rows` name (keys clip, video, audio), by clip; empty when all can be used.

    A row without `video` needs sound only, one with `silent` picture only.
    """
    clips = {row["clip"]: (row["video"], row["audio"], bool(row.get("silent"))) for row in rows}
    files = sorted({file for video, audio, _ in clips.values() for file in (video, audio) if file})
    found = held(files, cache)
    judged = {clip: _judge(*asked, found) for clip, asked in clips.items()}
    return {clip: problem for clip, problem in judged.items() if problem is not None}


def report(problems: Mapping[str, Problem], clips: int, looked: str, remedy: str) -> str:
    """The one report: how many of `clips` and of which kind, the first few, where it looked, how to get them."""
    counted = count(problems.values())
    kinds = ", ".join(f"{counted[kind]} {kind}" for kind in KINDS if counted[kind])
    lines = [f"{len(problems)} of {clips} clips cannot be used: {kinds}."]
    shown = [problem for _, problem in sorted(problems.items())][:_SHOWN]
    lines += [f"  {problem.kind}: {problem.reason}" for problem in shown]
    if len(problems) > _SHOWN:
        lines.append(f"  ... and {len(problems) - _SHOWN} more")
    return "\n".join([*lines, f"Looked under {looked}.", remedy])


def count(problems: Iterable[Problem]) -> dict[str, int]:
    """How many problems there are of each of KINDS."""
    counted = Counter(problem.kind for problem in problems)
    return {kind: counted[kind] for kind in KINDS}


def stamp(file: str | Path) -> list[int] | None:
    """Size and time of change (ns) of a file, which tell it from a later one of its name; None where there is none."""
    try:
        state = os.stat(file)
    except OSError:
        return None
    return [state.st_size, state.st_mtime_ns]


def _judge(video: str, audio: str, silent: bool, found: Mapping[str, dict[str, Any]]) -> Problem | None:
    if video and found[video]["kind"]:
        return Problem(found[video]["kind"], video, found[video]["reason"])
    if video and not found[video]["video"]:
        return Problem("unreadable", video, f"{video}: there is no picture in it")
    if silent:
        return None
    if audio and found[audio]["kind"]:
        return Problem(found[audio]["kind"], audio, found[audio]["reason"])
    if not found[audio or video]["audio"]:
        return Problem("soundless", audio or video, f"{audio or video}: there is no sound in it")
    return None


def held(files: Sequence[str], cache: Path) -> dict[str, dict[str, Any]]:
    """What each file holds: {"kind": "", "missing" or "unreadable", "reason", "video": bool, "audio": bool}."""
    kept_in = cache / "probes.json"
    kept = _read(kept_in)
    stamps = {file: stamp(file) for file in files}
    known = {file: kept[file] for file in files if file in kept and kept[file]["stamp"] == stamps[file] is not None}
    fresh = [file for file in files if file not in known]
    if fresh:
        with ThreadPoolExecutor(_THREADS) as pool:
            probed = zip(fresh, pool.map(_probe, fresh), strict=True)
            known |= {file: {"stamp": stamps[file], **what} for file, what in probed}
        _write(kept_in, kept | {file: known[file] for file in fresh if stamps[file] is not None})
    return known


def _probe(file: str) -> dict[str, Any]:
    if not os.path.isfile(file):
        return {"kind": "missing", "reason": file, "video": False, "audio": False}
    try:
        info = media.probe(file)
    except media.MediaError as error:
        return {"kind": "unreadable", "reason": str(error), "video": False, "audio": False}
    return {"kind": "", "reason": "", "video": info.has_video, "audio": info.has_audio}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        kept: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never written, or cut short: probing again is all it costs
        return {}
    return kept


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".json")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(draft, path)
