"""What a model is asked: a text, pictures and sounds by reference, and the form of its reply."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from avem_train.curation.prompts import Prompt
from emorealm_tasks import files

ReplyT = TypeVar("ReplyT", bound=BaseModel)


@dataclass(frozen=True)
class Picture:
    """Frames of a clip, evenly spaced over its length (B.4)."""

    path: Path
    """The clip's file."""
    frames: int
    """How many, 1 or more."""


@dataclass(frozen=True)
class Sound:
    """The sound of a clip, or a sound file, as a WAV file."""

    path: Path
    """The clip's file, or a sound file."""


Medium = Picture | Sound


@dataclass(frozen=True)
class Request(Generic[ReplyT]):
    """One question to one model. The same request always has the same cache key."""

    prompt: Prompt
    """Where its text comes from; its name, version and hash go into each row."""
    values: Mapping[str, str]
    """What is filled into the prompt."""
    reply: type[ReplyT]
    """The form of the reply."""
    media: tuple[Medium, ...] = ()
    """What is shown and played with the prompt, in this order; () = text alone."""
    repeat: int = 0
    """Counts from 0; another number asks the same anew."""

    @property
    def text(self) -> str:
        """The prompt, filled."""
        return self.prompt.filled(self.values)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the reply, in the strict form that servers ask for."""
        return strict(self.reply.model_json_schema())


def key(request: Request[Any], model: Mapping[str, Any], seed: int) -> str:
    """The name of a reply: 64 hexadecimal digits over everything that makes it, the content of the media included.

    model: how the model is asked (`Client.identity`). Raises OSError where a medium cannot be read.
    """
    media = [[type(medium).__name__, digest(medium.path), getattr(medium, "frames", 0)] for medium in request.media]
    about = [request.text, request.schema, media, dict(model), seed, request.repeat]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file's content; one of the last files, with the same size and time, is not read again."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=10_000)
def _digest(path: Path, size: int, changed: int) -> str:
    return files.sha256(path)


def strict(schema: Any) -> Any:
    """A JSON schema whose objects allow no further keys and require all that they name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tightened = {name: strict(value) for name, value in schema.items() if name not in ("default", "title")}
    if tightened.get("type") == "object" and "properties" in tightened:
        tightened |= {"additionalProperties": False, "required": list(tightened["properties"])}
    return tightened
