"""What was asked and what came of it, in numbers."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from avem_train.curation.asking.reply_cache import CachedReply


@dataclass
class Counts:
    """Requests of a stage."""

    asked: int = 0
    """Answered by a model."""
    cached: int = 0
    """Answered from the cache."""
    repaired: int = 0
    """Of those asked, second attempts."""
    tokens_in: int = 0
    """Tokens of the prompts that were sent."""
    tokens_out: int = 0
    """Tokens of the replies."""
    dollars: float = 0.0
    """What both cost, in US dollars."""

    def add(self, more: "Counts") -> None:
        """Take in another's counts."""
        _add(self, more)


@dataclass
class Used:
    """Replies of one client that rows were made of, whether they were asked for now or lay in the cache."""

    replies: int = 0
    """How many."""
    tokens_in: int = 0
    """Tokens of their prompts."""
    tokens_out: int = 0
    """Tokens of the replies."""
    timed: int = 0
    """Of the replies, those whose seconds are known; those by batch are not among them."""
    seconds: float = 0.0
    """Of those, from request to reply."""

    def add(self, more: "Used") -> None:
        """Take in another's numbers."""
        _add(self, more)


@dataclass
class Tally:
    """What a stage asked for, and what it used."""

    counts: Counts = field(default_factory=Counts)
    """What was asked for."""
    used: dict[str, Used] = field(default_factory=dict)
    """Client -> its replies."""

    def use(self, client: str, reply: CachedReply) -> None:
        """Count a reply that a row is made of."""
        one = Used(1, reply.tokens_in, reply.tokens_out, int(reply.seconds > 0), reply.seconds)
        self.used.setdefault(client, Used()).add(one)

    def add(self, more: "Tally") -> None:
        """Take in another's numbers."""
        self.counts.add(more.counts)
        for client, used in more.used.items():
            self.used.setdefault(client, Used()).add(used)

    def as_json(self) -> dict[str, Any]:
        """As plain values, for another process."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Tally":
        """What `as_json` gave."""
        return cls(Counts(**values["counts"]), {name: Used(**used) for name, used in values["used"].items()})


def _add(mine: Any, more: Any) -> None:
    for one in fields(mine):
        setattr(mine, one.name, getattr(mine, one.name) + getattr(more, one.name))
