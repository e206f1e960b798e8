"""What comes from outside, checked once, at the door: text, JSON and YAML that others wrote.

A model's reply, a server's body, a worker's line, a file that a user names: each may hold half a character, be of
another type, be nested so deep that reading it ends the process, or be no file at all.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from emorealm_tasks.errors import stop

DEEPEST = 100
"""Levels of nesting that are read; no file or message of ours has more than ten."""
_LARGEST = 1 << 30
_LARGEST_YAML = 1 << 24
_MOST_NODES = 1_000_000
_LONGEST_EXCERPT = 200
_LONGEST_NAME = 255  # bytes, as of most file systems
_LONGEST_PATH = 4000  # bytes; systems take 4,096 at most
_USER = re.compile(r"(?<=://)[^/?#@\s]+@")
_TYPES: dict[type, str] = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}


class Unreadable(ValueError):
    """What came cannot be used; the message says why, in a few words."""


def clean(text: str) -> str:
    """The text without lone surrogates (half an emoji, say), which no file and no request can carry: U+FFFD instead.

    Two halves that belong together become their character.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def without_secrets(text: str) -> str:
    """The text without the name and password in an address, as in `https://me:secret@host/v1`."""
    return _USER.sub("***@", text)


def reply_text(value: object) -> str:
    """A reply as text, whatever its type is."""
    if isinstance(value, str):
        return clean(value)
    return "" if value is None else brief(value)


def brief(value: object) -> str:
    """What something says, short and on one line, for a message or a record."""
    text = " ".join(clean(str(value)).split())
    return text if len(text) <= _LONGEST_EXCERPT else text[:_LONGEST_EXCERPT] + "..."


def kind_of(value: object) -> str:
    """What a value from JSON or YAML is, in words."""
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else "a truth value"
    return next((words for kind, words in _TYPES.items() if isinstance(value, kind)), type(value).__name__)


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of JSON Lines that are not blank, numbered from 1; only a line feed ends one.

    A reply may hold U+2028 and others that `str.splitlines` takes for ends.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises Unreadable where it is invalid, not UTF-8, or nested too deep."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        value = json.loads(text)
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"not valid JSON ({brief(error)})") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a number of 5,000 digits, 100,000 brackets
        why = "it is nested too deep" if isinstance(error, RecursionError) else brief(error)
        raise Unreadable(why) from None
    if _deeper(value, DEEPEST):
        raise Unreadable("it is nested too deep")
    return value


def parse_yaml(text: str) -> Any:
    """The value of a YAML text. Raises Unreadable where it is invalid, nested too deep, or grows by its aliases."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(text, loader)
        return yaml.load(text, Loader=loader)
    except Unreadable:
        raise
    except Exception as error:  # its constructors raise whatever int, float and datetime do
        raise Unreadable(f"not valid YAML ({brief(error)})") from None


def read_bytes(path: Path, largest: int = _LARGEST) -> bytes:
    """A file's content. Raises Unreadable where it is missing, too large, unreadable, or anything but a plain file."""
    try:
        if not path.is_file():
            raise Unreadable("it is no file" if path.exists() else "there is no such file")
        if path.stat().st_size > largest:
            raise Unreadable(f"it is larger than {largest >> 20} MiB")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from None


def read_text(path: Path, largest: int = _LARGEST) -> str:
    """A text file's content, without a byte order mark. Raises Unreadable as `read_bytes`, and for other encodings."""
    try:
        return read_bytes(path, largest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 (byte {error.start})") from None


def read_json(path: Path, kind: type | None, remedy: str) -> Any:
    """The value in a JSON file. Stops where the file cannot be read, or its value is not of type `kind`.

    kind: dict, list, or None for any. remedy: what to do, for the error message.
    """
    try:
        return typed(parse_json(read_bytes(path)), kind)
    except Unreadable as error:
        stop(f"{path}: {error}; {remedy}")


def read_yaml(path: Path, kind: type | None, remedy: str) -> Any:
    """As `read_json`, of a YAML file; an empty file is an empty dict where `kind` is dict."""
    try:
        value = parse_yaml(read_text(path, _LARGEST_YAML))
        return typed({} if value is None and kind is dict else value, kind)
    except Unreadable as error:
        stop(f"{path}: {error}; {remedy}")


def below(folder: Path, name: object) -> Path:
    """The file that data names, relative to a folder or absolute, all links followed. Raises Unreadable elsewhere."""
    if not isinstance(name, str) or not name:
        raise Unreadable(f"a path is text, not {kind_of(name)}")
    try:
        path, root = (folder / name).resolve(), folder.resolve()
        path.exists()  # which may be refused: a name too long
    except (OSError, ValueError, RuntimeError) as error:
        raise Unreadable(f"{brief(name)!r} is no path ({brief(error)})") from None
    if not path.is_relative_to(root):
        raise Unreadable(f"{brief(name)!r} leaves the folder {folder}")
    return path


def inside(root: Path, name: str, field: str = "video") -> Path:
    """The file that a field of the data names under `root`, relative or absolute; Unreadable for any other place.

    Links below `root` are followed: they were put there by whoever keeps the clips (parts on several disks), not by
    whoever wrote the data.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    for root_form in (root.absolute(), root.resolve()):
        if pure.is_absolute() and pure.is_relative_to(root_form):
            pure = pure.relative_to(root_form)
    if "\0" in name or pure.is_absolute() or ".." in pure.parts:
        raise Unreadable(f"field {field!r}: {brief(repr(name))} leaves the data folder {root}; refused")
    if not pure.parts or any(len(part.encode(errors="replace")) > _LONGEST_NAME for part in pure.parts):
        raise Unreadable(f"field {field!r}: {brief(repr(name))} is no name of a file")
    if len(str(root.absolute() / pure).encode(errors="replace")) > _LONGEST_PATH:
        raise Unreadable(f"field {field!r}: {brief(repr(name))} is too long for the name of a file")
    return root.absolute() / pure


def plain_name(name: object) -> bool:
    """Whether a name that data gives a file is one, and not a path that leads elsewhere."""
    return isinstance(name, str) and 0 < len(name) <= 255 and name.isprintable() and Path(name).name == name


def typed(value: Any, kind: type | None) -> Any:
    """The value, if it is of the kind (None: of any). Raises Unreadable."""
    if kind is not None and not isinstance(value, kind):
        raise Unreadable(f"expected {_TYPES[kind]}, found {kind_of(value)} ({type(value).__name__})")
    return value


def _deeper(value: object, levels: int) -> bool:
    """Whether a value is nested deeper than so many levels; looked at level by level, since recursion has an end."""
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _check_events(text: str, loader: Any) -> None:
    """Raise Unreadable for YAML that is nested too deep, or whose aliases make it large."""
    sizes: dict[str, int] = {}
    stack: list[list[Any]] = [["", 0]]
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append([event.anchor, 1])
            if len(stack) > DEEPEST:
                raise Unreadable("it is nested too deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = stack.pop()
            stack[-1][1] += size
            if anchor:
                sizes[anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise Unreadable(f"its alias {brief(event.anchor)!r} stands for nothing, or for what holds it")
            stack[-1][1] += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            stack[-1][1] += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if stack[-1][1] > _MOST_NODES:
            raise Unreadable("its aliases make it too large")
