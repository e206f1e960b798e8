"""Atomic writes of files, and folders that belong to the command that fills them.

A file is written under a temporary name and renamed, so that a full disk or a kill leaves the old one as it was. A
command claims a folder before it fills it: an empty one gets a mark with the command's name, and a folder that holds
anything else is refused.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, clean, parse_json

MARK = ".emorealm.json"
"""The mark in a folder: a JSON object, whose `made_by` names the command that fills the folder."""
LOCK = ".emorealm.lock"
"""Held by who is writing a folder that only one may write at a time; its text says who that is."""
_LITTER = {LOCK, ".DS_Store", "Thumbs.db", "desktop.ini", "lost+found", ".ipynb_checkpoints"}
_DRAFT = re.compile(r"\..+\.[0-9a-f]{12}\.new(\.\w+)?")
_HIDDEN = re.compile(r"\.(?!.*__)")
"""How hidden folders begin; `.__model` and `.models__mine` are what lmms-eval makes of ./model and .models/mine."""


def is_direct(path: Path) -> bool:
    """Whether a path is a pipe or a device: it is written to directly, and nothing is put beside it."""
    return (path.exists() and not path.is_file()) or path.is_relative_to("/dev") or path.is_relative_to("/proc")


@contextlib.contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to; it takes that place when the block ends well, and is gone when it does not.

    Its name ends as the path's does. Pipes and devices such as /dev/stdout are written to directly.
    """
    if is_direct(path):
        yield path
        return
    target = path.resolve()  # behind a link: the link stays one
    start = target.name.encode(errors="surrogateescape")[:100].decode(errors="ignore")  # of names bytes are counted
    beside = target.with_name(f".{start}.{secrets.token_hex(6)}.new{target.suffix}")
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        yield beside
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; its folder is made. Raises OSError."""
    write_bytes(path, clean(text).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """As `write`, of any content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft(path) as beside:
        beside.write_bytes(content)


def write_json(path: Path, content: object, indent: int | None = 1, **options: Any) -> None:
    """As `write`: a JSON file that ends in a newline."""
    write(path, json.dumps(content, indent=indent, **options) + "\n")


def readable(folder: Path) -> None:
    """Give the files in a folder the permissions that new files have here; safetensors leaves them to the owner."""
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~mask)


def claim(folder: Path, maker: str, option: str, earlier: Callable[[Path], bool] = lambda folder: False) -> None:
    """Make a folder the maker's own, or stop where it holds what another made.

    option: what names the folder on the command line. earlier: whether a folder without a mark is one that an earlier
    version of the maker left.
    """
    try:
        check(folder, maker, option, earlier)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / MARK).exists():
            mark(folder, maker)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        why = getattr(error, "strerror", None) or error
        stop(f"{folder}: cannot be written ({why}); name another folder with {option}")


def check(folder: Path, maker: str, option: str, earlier: Callable[[Path], bool] = lambda folder: False) -> None:
    """As `claim`, but nothing is written."""
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            stop(f"{folder}: is no folder; name another place with {option}")
        first_entry = next(entries(folder), None)
    except (OSError, ValueError) as error:
        stop(f"{folder}: cannot be used ({getattr(error, 'strerror', None) or error}); name another with {option}")
    if first_entry is None or marked(folder).get("made_by") == maker or (not marked(folder) and earlier(folder)):
        return
    refuse(folder, first_entry.name, maker, option)


@contextlib.contextmanager
def locked(folder: Path, option: str) -> Iterator[None]:
    """A folder, made if need be, that no other process locks meanwhile, on this machine or another that sees it.

    Stops where one does, or where the folder cannot be written. Where the file system knows no locks nothing is kept
    out. A folder to which nothing else was written is removed again.
    """
    import fcntl  # which not every system has, and everything else here runs there

    lock = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = lock.open("a+", encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        why = getattr(error, "strerror", None) or error
        stop(f"{folder}: cannot be written ({why}); name another folder with {option}")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                file.seek(0)
                stop(
                    f"{folder}: is being written by {brief(file.read())}; wait for that, or name another with {option}"
                )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            if [entry.name for entry in folder.iterdir()] == [LOCK]:  # whoever stops before work leaves no trace
                lock.unlink()
                with contextlib.suppress(OSError):
                    folder.rmdir()


def refuse(folder: Path, entry: str, maker: str, option: str) -> NoReturn:
    """Stop because a folder holds something that the maker did not make."""
    stop(
        f"{folder}: holds {entry!r}, which `{maker}` did not make and would not spare; "
        f"name a new or empty folder with {option}"
    )


def entries(folder: Path) -> Iterator[Path]:
    """What lies in a folder, in order, without what is no content: drafts of files, and what desktops leave."""
    for path in sorted(folder.iterdir()):
        if path.name not in _LITTER and not path.name.startswith("._") and not _DRAFT.fullmatch(path.name):
            yield path


def matching(folder: Path, *patterns: str) -> list[Path]:
    """What matches one of the patterns of `Path.glob`, in order, without what is hidden, or below what is.

    Patterns match hidden names too: drafts of files that a killed process was writing (`draft`), what systems put
    beside files (`._clip.mp4`), whose endings say what they are not, and what was thrown away (`.Trash-0/`).
    """
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    seen = (path for path in found if not path.name.startswith("."))
    return sorted(path for path in seen if not any(map(_HIDDEN.match, path.relative_to(folder).parts)))


def copy(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all, unless what is there has its size and time of change. Raises OSError."""
    told, there = source.stat(), target.stat() if target.is_file() else None
    if there is not None and (there.st_size, there.st_mtime_ns) == (told.st_size, told.st_mtime_ns):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with draft(target) as beside:
        shutil.copyfile(source, beside)
        os.utime(beside, ns=(told.st_atime_ns, told.st_mtime_ns))


def sha256(path: Path) -> str:
    """Of a file's content, 64 hexadecimal digits; it is read piece by piece. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Path) -> None:
    """Remove the drafts that killed processes left in a folder, which this process has locked."""
    for path in folder.iterdir():
        if _DRAFT.fullmatch(path.name):
            path.unlink(missing_ok=True)


def mark(folder: Path, maker: str, **more: Any) -> None:
    """Leave the mark of a maker, with what else it wants to find there. Raises OSError."""
    write_json(folder / MARK, {"made_by": maker} | more, indent=None)


def marked(folder: Path) -> Mapping[str, Any]:
    """The mark in a folder; {} where there is none, or one that cannot be read."""
    try:
        mark = parse_json((folder / MARK).read_bytes())
    except (OSError, Unreadable):
        return {}
    return mark if isinstance(mark, dict) else {}
