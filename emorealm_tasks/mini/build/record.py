"""What a folder of the mini world says of its build, build.json: the arguments, and a hash of the questions made.

The hash is no part of the folder's name, since whoever looks for the folder knows the arguments and would have to plan
the questions first. Here it tells a folder whose questions are no longer those of its build.
"""

from pathlib import Path
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes, typed

FILE, QUESTIONS = "build.json", "emorealm_v1.json"
CHANGED = (
    "its questions are others than its build made (build.json holds their hash); build it again without --if-missing, "
    "or name another folder"
)
"""What to say of a folder whose questions have changed."""
_HASH = "questions"
_DIGITS = 12


def write(out: Path, arguments: dict[str, Any]) -> None:
    """Note what `out` was built with, and the hash of the questions that lie there."""
    files.write_json(out / FILE, arguments | {_HASH: digest(out)})


def built_with(out: Path) -> dict[str, Any]:
    """The arguments that a folder was built with, {} where its build.json does not say."""
    return {key: value for key, value in _read(out).items() if key != _HASH}


def digest(out: Path) -> str:
    """12 hexadecimal digits of the questions in a folder; "" where there are none."""
    try:
        return files.sha256(out / QUESTIONS)[:_DIGITS]
    except OSError:
        return ""


def changed(out: Path) -> bool:
    """Whether the questions of a folder are others than its build made; builds of earlier versions do not say."""
    content = _read(out)
    return _HASH in content and bool(content[_HASH] != digest(out))


def _read(out: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = typed(parse_json(read_bytes(out / FILE)), dict)
    except Unreadable:
        return {}
    return content
