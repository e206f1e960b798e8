"""Patterns for the content of files that others wrote. A value is checked against its pattern before it is used.

A pattern is one of

- a type; float stands for any finite number, but not for a bool
- None
- a tuple of patterns, of which one must fit
- a list of one pattern, for all items
- a dict of key -> pattern; the key must be there, "key?" may be absent, other keys are ignored
- a dict of `str` -> pattern, for all values whatever their keys
"""

import math
from pathlib import Path
from typing import Any

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, kind_of

_NAMES: dict[Any, str] = {dict: "an object", list: "a list", str: "text", float: "a number", int: "a whole number"}


def require(path: Path, value: Any, pattern: Any, remedy: str) -> None:
    """Stop with one line that names the file and the first place where a value from it does not fit the pattern."""
    try:
        fit(value, pattern)
    except Unreadable as error:
        stop(f"{path}: {error}; {remedy}")


def fit(value: Any, pattern: Any, place: str = "") -> None:
    """Raise Unreadable unless the value fits the pattern; `place` is where it stands, as in "runs.7.seed"."""
    if isinstance(pattern, tuple):
        if not any(fits(value, one) for one in pattern):
            fit(value, pattern[0], place)  # the first is what it should be, and says what is wrong
    elif isinstance(pattern, list):
        _check_type(value, list, place)
        for number, item in enumerate(value):
            fit(item, pattern[0], f"{place}[{number}]")
    elif isinstance(pattern, dict):
        _check_type(value, dict, place)
        for key, of_key in _key_patterns(value, pattern, place).items():
            fit(value[key], of_key, f"{place}.{key}" if place else str(key))
    else:
        _check_type(value, pattern, place)


def required(kind: type) -> list[str]:
    """The fields that a TypedDict must have, in order."""
    return [name for name in kind.__annotations__ if name in vars(kind)["__required_keys__"]]


def fits(value: Any, pattern: Any) -> bool:
    """Whether the value fits the pattern."""
    try:
        fit(value, pattern)
    except Unreadable:
        return False
    return True


def _key_patterns(value: dict[str, Any], pattern: dict[Any, Any], place: str) -> dict[str, Any]:
    """The patterns of the keys that are present. Raises Unreadable where a required one is missing."""
    if str in pattern:
        return dict.fromkeys(value, pattern[str])
    missing = [key for key in pattern if not key.endswith("?") and key not in value]
    if missing:
        raise Unreadable(f"{brief(place) or 'it'} lacks {', '.join(missing)}")
    bare = {key.removesuffix("?"): of_key for key, of_key in pattern.items()}
    return {key: of_key for key, of_key in bare.items() if key in value}


def _check_type(value: Any, kind: Any, place: str) -> None:
    if kind is None:
        right = value is None
    elif kind is float:
        right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
    else:
        right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not right:
        raise Unreadable(f"{brief(place) or 'it'} is {kind_of(value)}, not {_NAMES.get(kind, 'nothing')}")
