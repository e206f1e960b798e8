"""Writes what a verb was told to write."""

from pathlib import Path

from emorealm_tasks.errors import stop


def write(path: Path, text: str) -> None:
    """Write a text file, with its folder; ends with status 2 where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        stop(f"{path}: cannot be written ({error.strerror}); name another place")
