"""Verdicts cached on disk, so that judging again costs nothing.

One JSON file a verdict, named by a hash of everything that makes the reply: the whole prompt, the judge's model and
which repeat it is. Several processes may use a folder at once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_tasks import files
from emorealm_tasks.errors import warn_once
from emorealm_tasks.judge.prompt import parse_verdict
from emorealm_tasks.metrics.description import Verdict
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes


def key(chat: Sequence[Mapping[str, str]], model: str, repeat: int) -> str:
    """The name of a verdict: 64 hexadecimal digits. `repeat` counts from 0."""
    return hashlib.sha256(json.dumps([list(chat), model, repeat], sort_keys=True).encode()).hexdigest()


_unwritten: dict[Path, str] = {}
"""Replies that were paid for and could not be written, by the file they belong in."""


class Cache:
    """Verdicts by key below a folder; `reply` is kept as the judge wrote it and parsed again each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reasons: dict[str, str] = {}
        """Key -> why the judge gave no verdict, of those asked in this process."""

    def get(self, name: str) -> Verdict | None:
        """The verdict of that key, None where there is none yet or its file is damaged."""
        if self._path(name) in _unwritten:
            return parse_verdict(_unwritten[self._path(name)])
        try:
            entry = parse_json(read_bytes(self._path(name)))
        except Unreadable:  # not judged yet, or cut short: asking again is all it costs
            return None
        reply = entry.get("reply") if isinstance(entry, dict) else None
        return parse_verdict(reply) if isinstance(reply, str) else None

    def put(self, name: str, reply: str, about: Mapping[str, Any]) -> None:
        """Keep a reply and what is known of it: in this process, where its folder cannot be written, with a warning."""
        try:
            files.write_json(self._path(name), {"reply": reply, **about}, indent=None)
        except OSError as error:
            _unwritten[self._path(name)] = reply
            warn_once(
                f"verdicts {self.folder}",
                f"verdicts are not kept, {self.folder}: {error.strerror}; they count now, and cost again next time",
            )

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.json"
