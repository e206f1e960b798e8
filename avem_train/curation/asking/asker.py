"""How a stage asks: the cache first, then the model; a reply that does not fit its form is sent back once."""

import dataclasses
import json
import re
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from pydantic import ValidationError

from avem_train.curation.asking import requests
from avem_train.curation.asking.mailbox import Mailbox, NoReply, Waiting
from avem_train.curation.asking.pace import Pace
from avem_train.curation.asking.protocol import Client, Completion
from avem_train.curation.asking.reply_cache import CachedReply, ReplyCache
from avem_train.curation.asking.requests import ReplyT, Request
from avem_train.curation.asking.spending import Ledger, Price
from avem_train.curation.asking.tally import Counts, Tally
from avem_train.curation.data.rows import Asked
from emorealm_tasks.chat_client import RequestFailed
from emorealm_tasks.untrusted import Unreadable, brief, parse_json

_REPAIRED = "r"  # the end of a second attempt's key, which no hexadecimal digit is
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
    waiting: Pace
    """When its next request may start; threads share it."""
    mailbox: Mailbox | None = None
    """Where its requests go by batch; None = each is sent at once."""


class Asker:
    """Asks the clients of a recipe. Threads may share it."""

    def __init__(self, sources: Mapping[str, Source], cache: ReplyCache, ledger: Ledger, seed: int) -> None:
        self.sources = sources
        self.cache = cache
        self.ledger = ledger
        self.seed = seed
        self.tally = Tally()
        self._lock = Lock()
        self._under_way: dict[str, Future[CachedReply]] = {}
        self._new: set[str] = set()  # replies of batch clients that came in this process: no cache saved these

    def taken(self) -> Tally:
        """The counts since this was last called, for whoever adds up those of several workers."""
        with self._lock:
            tally, self.tally = self.tally, Tally()
        return tally

    def ask(self, stage: str, name: str, request: Request[ReplyT]) -> tuple[ReplyT, Asked]:
        """The reply of the client of that name, in its form; and the record of it.

        Raises Rejected where the model gives none, Waiting where it comes by batch, BudgetSpent, RequestFailed and
        ServerRefuses as `Client`, and OSError where a medium cannot be read or the reply cannot be kept.
        """
        source = self.sources[name]
        identity = source.client.identity
        key = requests.key(request, identity, self.seed)
        asked = Asked(stage=stage, client=name, model=str(identity["model"]), prompt=str(request.prompt), key=key)
        first = self._reply(source, request, asked)
        try:
            return parsed(first, request.reply), asked
        except Unreadable as error:
            fault = str(error)
        again = asked.model_copy(update={"key": f"{key[:-1]}{_REPAIRED}"})  # beside the first: both are kept
        second = self._reply(source, request, again, (first, _REPAIR.format(fault=fault)))
        try:
            return parsed(second, request.reply), again
        except Unreadable as error:
            raise Rejected("no valid reply", f"{name} ({asked.model}) twice gave no valid reply: {error}") from None

    def submit(self) -> list[str]:
        """Submit what is to go by batch; the batches under way, in words. Raises OSError and ServerRefuses."""
        boxes = self._boxes()
        for box in boxes.values():
            box.submit()
        return [batch for box in boxes.values() for batch in box.under_way]

    def collect(self) -> bool:
        """Keep the replies of batches that are finished; whether any was. Raises OSError and ServerRefuses."""
        boxes = self._boxes()
        before = sum(len(box.under_way) for box in boxes.values())
        for name, box in boxes.items():
            source = self.sources[name]
            price = source.price.by_batch
            for one in box.collect():
                if self.cache.get(one.key) is None:
                    model = str(source.client.identity["model"])
                    asked = Asked(stage="", client=name, model=model, prompt=one.prompt, key=one.key)
                    self._keep(price, one.completion, asked)
                    self._new.add(one.key)
        return sum(len(box.under_way) for box in boxes.values()) < before

    def start_over(self) -> None:
        """Forget what came from the cache: the same rows are to be looked at once more."""
        with self._lock:
            self.tally = Tally(dataclasses.replace(self.tally.counts, cached=0))

    def _boxes(self) -> dict[str, Mailbox]:
        """Client -> its mailbox; of clients that share one, the first."""
        boxes: dict[str, Mailbox] = {}
        for name, source in self.sources.items():
            if source.mailbox and source.mailbox not in boxes.values():
                boxes[name] = source.mailbox
        return boxes

    def _reply(self, source: Source, request: Request[Any], asked: Asked, repair: tuple[str, ...] = ()) -> str:
        """The text of a reply. Threads that ask the same wait for one of them, and share what became of it."""
        with self._lock:
            others = self._under_way.get(asked.key)
            mine = self._under_way.setdefault(asked.key, Future())
        if others is not None:
            return self._use(asked, others.result(), True)
        try:
            cached = self.cache.get(asked.key)
            reply = cached or self._asked(source, request, asked, repair)
            mine.set_result(reply)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[asked.key]
        return self._use(asked, reply, cached is not None)

    def _asked(self, source: Source, request: Request[Any], asked: Asked, repair: tuple[str, ...]) -> CachedReply:
        """The model's reply, which is then kept. Processes that ask the same do so one after another."""
        with self.cache.locked(asked.key):
            if (reply := self.cache.get(asked.key)) is not None:  # another process was faster
                with self._lock:
                    self.tally.counts.cached += 1
                return reply
            if (box := source.mailbox) is None:
                return self._now(source, request, asked, repair)
            try:
                box.check(asked.key)
            except NoReply as error:
                raise Rejected("no reply by batch", f"{asked.client} ({asked.model}): {error}") from None
            form = request.reply.__name__
            with box.trial(form) as trial:
                if trial:
                    reply = self._now(source, request, asked, repair)
                    box.learn(form, reply.dollars)
                    self._new.add(asked.key)
                    return reply
            box.put(request, asked.key, asked.prompt, repair)
            raise Waiting

    def _now(self, source: Source, request: Request[Any], asked: Asked, repair: tuple[str, ...]) -> CachedReply:
        self.ledger.check()
        with source.waiting.turn() as turn:
            completion = source.client.complete(request, repair)
            turn.tokens = completion.tokens_in + completion.tokens_out
        if not completion.text and completion.lacks:
            raise RequestFailed(f"{asked.client}: {completion.lacks}")
        return self._keep(source.price, completion, asked)

    def _keep(self, price: Price, completion: Completion, asked: Asked) -> CachedReply:
        dollars = price.of(completion.tokens_in, completion.tokens_out)
        reply = CachedReply(
            model=asked.model,
            prompt=asked.prompt,
            text=completion.text,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
            dollars=dollars,
            seconds=completion.seconds,
        )
        self.cache.put(asked.key, reply)
        self.ledger.add(dollars)
        repaired = int(asked.key.endswith(_REPAIRED))
        with self._lock:
            self.tally.counts.add(Counts(1, 0, repaired, completion.tokens_in, completion.tokens_out, dollars))
        return reply

    def _use(self, asked: Asked, reply: CachedReply, cached: bool) -> str:
        """The reply's text, counted as one that a row was made of."""
        with self._lock:
            self.tally.use(asked.client, reply)
            self.tally.counts.cached += int(cached and asked.key not in self._new)
        return reply.text


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
