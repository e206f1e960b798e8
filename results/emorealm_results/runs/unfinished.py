"""A trace of an evaluation that did not finish, in a folder that holds results of an earlier one.

Without it the earlier results would pass for those of the last evaluation.
"""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from emorealm_tasks import files
from emorealm_tasks.untrusted import Unreadable, brief, read_text

_FILE = "unfinished_evaluation.txt"


def leave(folder: Path) -> None:
    """Leave the trace, where the folder holds results; one that cannot be written is left out."""
    with contextlib.suppress(OSError, ValueError):
        if folder.is_dir() and files.matching(folder, "**/*_results.json"):
            files.write(folder / _FILE, datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC\n"))


def clear(folder: Path) -> None:
    """Remove the trace of an earlier evaluation, where there is one."""
    with contextlib.suppress(OSError, ValueError):
        (folder / _FILE).unlink(missing_ok=True)


def note(folder: Path) -> list[str]:
    """A sentence on the trace, for those who read the results; none where there is no trace."""
    try:
        ended = read_text(folder / _FILE).strip()
    except Unreadable:
        return []
    return [f"the last evaluation into this folder, of {brief(ended)}, has no results; these are of an earlier one"]
