"""Writes what a verb was told to write."""

from pathlib import Path

from emorealm_tasks import files
from emorealm_tasks.errors import stop


def write(path: Path, text: str) -> None:
    """Write a text file, with its folder, whole or not at all; ends with status 2 where that cannot be."""
    try:
        files.write(path, text)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        stop(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}); name another place")
