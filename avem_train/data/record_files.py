"""Files of records, read one record at a time: JSON Lines or a JSON list, either also as .gz.

Preference records and conversations are read by this alone. No more than one record, and a piece of the file, is in
memory at once, so that a file may be of any length.
"""

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, parse_json

_PIECE = 1 << 20
_LONGEST = 1 << 26
"""Characters of a piece of a file that is read at once, and of a record at most."""
_SPACE = " \t\r\n\ufeff"
_DECODER = json.JSONDecoder()


class Line(str):
    """A line's text, which is not parsed yet: a bad one is that record's fault, not the file's."""

    __slots__ = ()


def items(path: Path) -> Iterator[tuple[str, Any]]:
    """Where each record stands ("line 7", "item 7"), and the record: a line's text, or a list's member.

    Blank lines are left out; only a line feed ends one. Stops where the file cannot be read.
    """
    try:
        with _opened(path) as file:
            is_list = _first(file) == "["
        with _opened(path) as file:
            found = _members(file) if is_list else _lines(file)
            yield from ((f"{'item' if is_list else 'line'} {number}", item) for number, item in found)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, Unreadable) as error:
        why = getattr(error, "strerror", None) or brief(error)
        stop(f"{path}: not readable as JSON Lines or as a JSON list ({why})")


def content(item: Any) -> Any:
    """The value of what `items` gave: that of a line's text, or a list's member itself. Raises Unreadable."""
    return parse_json(item) if isinstance(item, Line) else item


def _opened(path: Path) -> IO[str]:
    if not path.is_file():
        raise Unreadable("it is no file" if path.exists() else "there is no such file")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def _first(file: IO[str]) -> str:
    """The first character that is no space, "" where there is none; the file stands behind it."""
    while (character := file.read(1)) and character in _SPACE:
        pass
    return character


def _lines(file: IO[str]) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, numbered from 1. Raises Unreadable."""
    for number in itertools.count(1):
        line = file.readline(_LONGEST)
        if len(line) == _LONGEST:
            raise Unreadable(f"line {number} has {_LONGEST >> 20} Mi characters or more")
        if not line:
            return
        if text := line.strip(_SPACE):
            yield number, Line(text)


def _members(file: IO[str]) -> Iterator[tuple[int, Any]]:
    """The members of a JSON list, numbered from 1. Raises Unreadable."""
    _first(file)  # the bracket
    window = _Window(file)
    for number in itertools.count(1):
        if window.next_is("]"):
            if not window.is_used_up():
                raise Unreadable("not valid JSON (something follows the list)")
            return
        if number > 1 and not window.next_is(","):
            raise Unreadable(f"not valid JSON (after item {number - 1} comes neither a comma nor the list's end)")
        yield number, window.value()


class _Window:
    """The part of a file that is being read: what was read of it and not yet used."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._text, self._at, self._ended = file, "", 0, False

    def next_is(self, mark: str) -> bool:
        """Whether the next character that is no space is `mark`, which then is used."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                found = self._text[self._at] == mark
                self._at += found
                return found
            if self._ended:
                raise Unreadable("not valid JSON (the list does not end)")
            self._read_on()

    def is_used_up(self) -> bool:
        """Whether nothing but space is left of the file."""
        return not self._text[self._at :].strip(_SPACE) and not _first(self._file)

    def value(self) -> Any:
        """The value that comes next. Raises Unreadable."""
        self.next_is("")  # skips spaces
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:  # else more digits of a number may come
                    text, self._at = self._text[self._at : end], end
                    return parse_json(text)
            except RecursionError:
                raise Unreadable("it is nested too deep") from None
            except json.JSONDecodeError as error:
                if self._ended or len(self._text) - self._at > _LONGEST:
                    raise Unreadable(f"not valid JSON ({brief(error)})") from None
            self._read_on()

    def _read_on(self) -> None:
        rest = self._text[self._at :]
        piece = self._file.read(max(_PIECE, len(rest)))
        self._text, self._at, self._ended = rest + piece, 0, not piece
