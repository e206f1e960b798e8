"""What asking needs of a client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from avem_train.curation.asking.requests import Request


@dataclass(frozen=True)
class Completion:
    """What came back from a model."""

    text: str
    """Without thoughts; "" where there is none."""
    tokens_in: int = 0
    """0 where the client does not count."""
    tokens_out: int = 0
    """Tokens of the reply; 0 where the client does not count."""
    seconds: float = 0.0
    """From the request to the reply."""
    lacks: str = ""
    """Why there is no text, in words."""


class Client(Protocol):
    """One model, asked one request at a time; threads may share it.

    `complete` raises RequestFailed where a request has no answer beyond the retries, and ServerRefuses where none ever
    will have one (a wrong key, address or model): both of :mod:`emorealm_tasks.chat_client`.
    """

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that decides what it answers beside the request: model, server's kind, generation settings."""
        ...

    def complete(self, request: Request[Any], repair: Sequence[str] = ()) -> Completion:
        """The model's reply. repair: its first reply and what is wrong with it, for a second attempt."""
        ...
