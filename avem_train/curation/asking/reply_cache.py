"""Replies kept on disk, so that asking again costs nothing: one JSON file a reply, named by its request's key.

Several processes, on several machines, may use a folder at once.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ValidationError

from emorealm_tasks import files
from emorealm_tasks.untrusted import Unreadable, read_text


class CachedReply(BaseModel):
    """A reply as the model wrote it, and what it took."""

    model: str
    """The model's name at its client."""
    prompt: str
    """Name, version and hash of the prompt."""
    text: str
    """The reply, word for word."""
    tokens_in: int
    """Tokens of the request."""
    tokens_out: int
    """Tokens of the reply."""
    dollars: float
    """What it cost, in US dollars."""
    seconds: float
    """From the request to the reply."""


class ReplyCache:
    """Replies by key below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> CachedReply | None:
        """The reply of that key; None where there is none yet, or where its file is damaged."""
        try:
            return CachedReply.model_validate_json(read_text(self._path(key)))
        except (Unreadable, ValidationError):
            return None

    def put(self, key: str, reply: CachedReply) -> None:
        """Keep a reply. Raises OSError: a reply that is paid for and lost would be paid for twice."""
        files.write(self._path(key), reply.model_dump_json() + "\n")

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Nobody else, of whatever process or thread, locks that key meanwhile. Raises OSError.

        Keys share 4,096 files, so a key may wait for another now and then. A process that is killed holds nothing.
        """
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / key[:3]):
            yield

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"
