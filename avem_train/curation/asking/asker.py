"""How a stage asks: the cache first, then the model; a reply that does not fit its form is sent back once."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any, Protocol

from pydantic import ValidationError

from avem_train.curation.asking import requests
from avem_train.curation.asking.client import Client, Completion
from avem_train.curation.asking.reply_cache import CachedReply, ReplyCache
from avem_train.curation.asking.requests import ReplyT, Request
from avem_train.curation.asking.spending import Ledger, Price
from avem_train.curation.data.rows import Asked
from emorealm_tasks.chat_client import RequestFailed
from emorealm_tasks.untrusted import Unreadable, brief, parse_json

_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_REPAIR = "That reply cannot be used: {fault}. Answer again with one JSON object of the form asked for, nothing else."


class Rejected(Exception):
    """A row that cannot go on. kind: a short name of the reason; the message says it in words."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Ask(Protocol):
    """What a stage is given: asks the client that has this name in the recipe."""

    def __call__(self, client: str, request: Request[ReplyT]) -> ReplyT:
        """The reply in its form. Raises Rejected where the model gives none."""
        ...


@dataclass(frozen=True)
class Source:
    """A client as the recipe sets it up."""

    client: Client
    """What is asked."""
    price: Price
    """What its tokens cost."""
    waiting: "Pace"
    """When its next request may start; threads share it."""


class Pace:
    """Lets at most `per_minute` requests start in a minute, evenly spaced; threads share it."""

    def __init__(self, per_minute: float | None) -> None:
        self._apart = 60 / per_minute if per_minute else 0.0
        self._lock = Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next request may start."""
        if self._apart:
            with self._lock:
                now = time.monotonic()
                start = max(now, self._next)
                self._next = start + self._apart
            time.sleep(start - now)


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
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(more, one.name))


class Asker:
    """Asks the clients of a recipe. Threads may share it."""

    def __init__(self, sources: Mapping[str, Source], cache: ReplyCache, ledger: Ledger, seed: int) -> None:
        self.sources = sources
        self.cache = cache
        self.ledger = ledger
        self.seed = seed
        self.counts = Counts()
        self._lock = Lock()
        self._under_way: dict[str, Lock] = {}

    def taken(self) -> Counts:
        """The counts since this was last called, for whoever adds up those of several workers."""
        with self._lock:
            counts, self.counts = self.counts, Counts()
        return counts

    def ask(self, stage: str, name: str, request: Request[ReplyT]) -> tuple[ReplyT, Asked]:
        """The reply of the client of that name, in its form; and the record of it.

        Raises Rejected where the model gives none, BudgetSpent, RequestFailed and ServerRefuses as `Client`, and
        OSError where a medium cannot be read or the reply cannot be kept.
        """
        source = self.sources[name]
        identity = source.client.identity
        key = requests.key(request, identity, self.seed)
        asked = Asked(stage=stage, client=name, model=str(identity["model"]), prompt=str(request.prompt), key=key)
        first = self._reply(source, request, key, asked)
        try:
            return parsed(first, request.reply), asked
        except Unreadable as error:
            fault = str(error)
        again = f"{key[:-1]}{'r'}"  # beside the first: both are kept
        repair = (first, _REPAIR.format(fault=fault))
        second = self._reply(source, request, again, asked, repair)
        try:
            return parsed(second, request.reply), asked.model_copy(update={"key": again})
        except Unreadable as error:
            raise Rejected("no valid reply", f"{name} ({asked.model}) twice gave no valid reply: {error}") from None

    def _reply(
        self, source: Source, request: Request[Any], key: str, asked: Asked, repair: tuple[str, ...] = ()
    ) -> str:
        """The text of a reply, from the cache or from the model; then kept. Threads that ask the same wait for one."""
        with self._lock:
            same = self._under_way.setdefault(key, Lock())
        try:
            with same:
                return self._reply_of_one(source, request, key, asked, repair)
        finally:
            with self._lock:
                self._under_way.pop(key, None)

    def _reply_of_one(
        self, source: Source, request: Request[Any], key: str, asked: Asked, repair: tuple[str, ...]
    ) -> str:
        if (cached := self.cache.get(key)) is not None:
            with self._lock:
                self.counts.cached += 1
            return cached.text
        self.ledger.check()
        source.waiting.wait()
        completion = source.client.complete(request, repair)
        if not completion.text and completion.lacks:
            raise RequestFailed(f"{asked.client}: {completion.lacks}")
        self._keep(source, completion, key, asked, bool(repair))
        return completion.text

    def _keep(self, source: Source, completion: Completion, key: str, asked: Asked, repair: bool) -> None:
        dollars = source.price.of(completion.tokens_in, completion.tokens_out)
        reply = CachedReply(
            model=asked.model,
            prompt=asked.prompt,
            text=completion.text,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
            dollars=dollars,
            seconds=completion.seconds,
        )
        self.cache.put(key, reply)
        self.ledger.add(dollars)
        with self._lock:
            self.counts.add(Counts(1, 0, int(repair), completion.tokens_in, completion.tokens_out, dollars))


def parsed(text: str, form: type[ReplyT]) -> ReplyT:
    """The reply in a text, whatever stands around its JSON object. Raises Unreadable, which says what does not fit."""
    found = _OBJECT.search(text)
    if found is None:
        raise Unreadable(f"it holds no JSON object ({brief(text) or 'it is empty'})")
    value = parse_json(found[0])
    try:
        return form.model_validate_json(json.dumps(value))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "it"
        raise Unreadable(f"{place}: {brief(fault['msg'])}") from None
