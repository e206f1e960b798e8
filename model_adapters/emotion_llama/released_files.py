"""Files that a conversion needs; known without transformers."""

from pathlib import Path

from emorealm_tasks.errors import stop


def require(path: Path) -> None:
    """Stop where a file is missing."""
    if not path.is_file():
        stop(f"{path}: no such file; download it as the official README says")
