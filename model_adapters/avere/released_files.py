"""Files of a released checkpoint that a conversion needs; known without transformers."""

from pathlib import Path

from emorealm_tasks.errors import stop

BERT = "bert-base-uncased"


def require(path: Path) -> None:
    """Stop where a file is missing."""
    if not path.is_file():
        stop(f"{path}: no such file; --source is the released checkpoint, --backbones holds its towers' folders")
