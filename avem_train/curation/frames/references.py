"""Reference descriptions of clips: a CSV file in EMER's layout, or the true cues of the embedded world."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.errors import stop
from emorealm_tasks.mini.world.cues import BY_NAME
from emorealm_tasks.untrusted import read_json


def read(path: Path) -> Mapping[str, str]:
    """Clip's name -> its description. Stops at a file of neither kind.

    path: a CSV file with the columns name and reason, or the embedded world's cues.json, whose descriptions name what
    is to be seen.
    """
    if path.suffix == ".csv":
        rows = recognition_rows.read_csv(path, ("name", "reason"), "it needs the columns name and reason")
        return {row["name"]: row["reason"] for row in rows if row["reason"]}
    if path.suffix != ".json":
        stop(f"{path}: --reference is a .csv with the columns name and reason, or the embedded world's cues.json")
    what = "it must be the cues.json of the embedded world"
    try:
        return {Path(clip["clip"]).stem: _seen(clip) for clip in read_json(path, list, what)}
    except (KeyError, TypeError, AttributeError):
        stop(f"{path}: a clip of it lacks its cues; {what}")


def _seen(clip: Mapping[str, Any]) -> str:
    """What is seen, what bears on the emotion first."""
    there = [cue for cue in clip["cues"] if cue["modality"] == "video" and cue["present"]]
    there.sort(key=lambda cue: not cue["matters"])
    return (
        f"The person shows {clip['emotion_video']}: "
        + ", ".join(BY_NAME[cue["name"]].phrases[0] for cue in there)
        + "."
    )
