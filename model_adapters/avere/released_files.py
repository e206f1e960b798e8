"""Files that a conversion or an assembly needs; known without transformers."""

from pathlib import Path

from emorealm_tasks.errors import stop

BERT = "bert-base-uncased"


RELEASED = "--source is the released checkpoint, --backbones holds its towers' folders"
PARTS = "name the folder of each part as its page on the hub has it"


def require(path: Path, remedy: str = RELEASED) -> None:
    """Stop where a file is missing; `remedy` ends the line."""
    if not path.is_file():
        stop(f"{path}: no such file; {remedy}")
