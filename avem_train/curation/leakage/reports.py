"""The reports of searches for leaks, kept in the recipe's folder for the data card."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes

FILE, PRINTS = "leaks.json", "fingerprints"
"""In a recipe's folder: the reports, and the folder of fingerprints."""


def add(out: Path, found: Mapping[str, Any]) -> None:
    """Add reports, name of the other dataset -> `search`'s, to those there; a newer one takes an older one's place."""
    files.write_json(out / FILE, {**_read(out), **found}, ensure_ascii=False)


def of_released(out: Path, clips: Set[str], questions: Set[str]) -> dict[str, Any]:
    """The reports, with what was found of those clips and questions only; {} where none was made."""
    wanted = {"name": clips, "picture": clips, "sound": clips, "text": questions}
    return {
        name: {
            **report,
            "found": {
                kind: [one for one in report["found"][kind] if one["mine"] in some] for kind, some in wanted.items()
            },
        }
        for name, report in _read(out).items()
    }


def _read(out: Path) -> dict[str, Any]:
    path = out / FILE
    if not path.exists():
        return {}
    try:
        value = parse_json(read_bytes(path))
        if isinstance(value, dict) and all(set(one) >= {"found", "limits", "clips"} for one in value.values()):
            return value
        why = "it holds no reports"
    except Unreadable as error:
        why = str(error)
    stop(f"{path}: {why}; remove it and run `emorealm curate leaks` again")
