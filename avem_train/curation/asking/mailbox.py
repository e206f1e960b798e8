"""Requests that go by batch: gathered over a stage's rows, submitted together, their replies collected later.

What was submitted is noted in the folder `batches` of the output folder, which one process uses at a time.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from avem_train.curation.asking.protocol import Client, Completion
from avem_train.curation.asking.requests import Request
from avem_train.curation.asking.spending import Ledger
from emorealm_tasks import chat_batches
from emorealm_tasks.chat_batches import Answers, Batch
from emorealm_tasks.chat_client import ChatClient, ServerRefuses

ATTEMPTS = 2
"""Batches that a request goes into before it counts as one without a reply."""
_ABOUT = {"owner": str, "prompts": dict, "failed": dict, "dollars": float, "again": bool}


class Waiting(Exception):
    """The reply comes by batch: the row is to be looked at again later."""


class NoReply(Exception):
    """A request that went into as many batches as it may, without a reply; the message has the last reason."""


class BatchClient(Client, Protocol):
    """A client whose server takes batches."""

    @property
    def server(self) -> ChatClient:
        """Where batches go."""
        ...

    def body(self, request: Request[Any], repair: Sequence[str] = ()) -> Mapping[str, Any]:
        """The request as it is to be sent. Raises RequestFailed where a medium cannot be read."""
        ...


@dataclass(frozen=True)
class Collected:
    """A reply that came by batch."""

    key: str
    """Of the request, in the cache of replies."""
    prompt: str
    """Name of its prompt."""
    completion: Completion
    """What the model wrote."""


@dataclass
class _Draft:
    """Requests that are not submitted yet: a batch whose file grows."""

    path: Path
    prompts: dict[str, str] = field(default_factory=dict)
    size: int = 0
    dollars: float = 0.0

    def add(self, key: str, prompt: str, line: bytes, dollars: float) -> None:
        with self.path.with_suffix(".jsonl").open("ab") as file:
            file.write(line)
        self.prompts[key] = prompt
        self.size += len(line)
        self.dollars += dollars


class Mailbox:
    """The batches of one client. Threads may share it."""

    def __init__(self, client: BatchClient, folder: Path, owner: str, ledger: Ledger) -> None:
        """owner: who submits and collects here; batches of others in the folder are left alone."""
        self._client, self._folder, self._owner, self._ledger = client, folder, owner, ledger
        self._lock = Lock()
        self._trials: dict[str, Lock] = {}
        self._typical: dict[str, float] = {}
        self._draft: _Draft | None = None
        self._failures: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._again = False
        notes = [batch for batch in chat_batches.noted(folder, _ABOUT) if batch.about["owner"] == owner]
        self._batches = {batch.path: batch for batch in notes if not batch.done}
        for batch in notes:
            self._note_failed(batch.about["failed"])
        for batch in self._batches.values():
            ledger.reserve(batch.about["dollars"])
        self._under_way = {key for batch in self._batches.values() for key in batch.about["prompts"]}
        for file in folder.glob("*.jsonl"):
            if not file.with_suffix(".json").exists():  # of a process that was killed before it submitted this
                file.unlink()

    @property
    def under_way(self) -> list[str]:
        """The batches that are not collected, in words."""
        return [f"{one.id or one.path.stem} ({len(one.about['prompts'])} requests)" for one in self._batches.values()]

    def check(self, key: str) -> None:
        """Raise Waiting where that request is under way, NoReply where it is given up."""
        with self._lock:
            if key in self._under_way:
                raise Waiting
            if self._failures[key] >= ATTEMPTS:
                raise NoReply(f"no reply in {ATTEMPTS} batches; the last: {self._reasons[key]}")

    @contextlib.contextmanager
    def trial(self, form: str) -> Iterator[bool]:
        """Whether to send a request of that form at once: only that shows what the server supports, and what it costs.

        So it is while none was answered in this process; meanwhile other threads wait.
        """
        with self._lock:
            trial = self._trials.setdefault(form, Lock())
        with trial:
            yield form not in self._typical

    def learn(self, form: str, dollars: float) -> None:
        """A request of that form was answered at once, for so much."""
        self._typical[form] = dollars * chat_batches.PRICE

    def put(self, request: Request[Any], key: str, prompt: str, repair: Sequence[str]) -> None:
        """Have a request go out by batch.

        Raises Waiting where the budget may be used up by what is under way, BudgetSpent where it is used up,
        RequestFailed where a medium cannot be read, OSError, and ServerRefuses where a full batch cannot be submitted.
        """
        line = chat_batches.line(key, self._client.body(request, repair))
        dollars = self._typical.get(request.reply.__name__, 0.0)
        with self._lock:
            if (self._batches or self._draft) and self._ledger.left() < max(dollars, 1e-9):
                raise Waiting
            self._ledger.check(dollars)
            if self._draft and chat_batches.full(len(self._draft.prompts), self._draft.size, len(line)):
                self._submit(self._draft)
            if self._draft is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._draft = _Draft(chat_batches.fresh(self._folder))
            self._draft.add(key, prompt, line, dollars)
            self._ledger.reserve(dollars)
            self._under_way.add(key)

    def submit(self) -> None:
        """Submit what was put in. Raises OSError and ServerRefuses."""
        with self._lock:
            if self._draft:
                self._submit(self._draft)

    def collect(self) -> Iterator[Collected]:
        """The replies of batches that are finished; once all are taken, such a batch is done with.

        Raises OSError, and ServerRefuses: also where the server refused a whole batch for the second time.
        """
        for batch in list(self._batches.values()):
            with self._refusals():
                known = chat_batches.recover(self._client.server, batch)
                answers = chat_batches.collect(self._client.server, known) if known else None
            if known and answers is None:
                self._batches[batch.path] = known
                continue
            faults: dict[str, str] = {}
            if known and answers and not answers.why:
                for key, prompt in known.about["prompts"].items():
                    reply = answers.replies.get(key)
                    if reply and reply.text:
                        yield Collected(key, prompt, Completion(reply.text, reply.tokens_in, reply.tokens_out))
                    else:
                        faults[key] = _fault(key, answers)
            self._close(batch, known, answers.why if answers else "", faults)

    def _close(self, batch: Batch, known: Batch | None, refused: str, faults: Mapping[str, str]) -> None:
        """A batch is over; what it asks for without an answer may be put in again."""
        if known:
            chat_batches.note(
                replace(known, done=True, about=dict(known.about) | {"prompts": {}, "failed": dict(faults)})
            )
        del self._batches[batch.path]
        self._ledger.reserve(-batch.about["dollars"])
        self._under_way -= set(batch.about["prompts"])
        self._note_failed(faults)
        if refused and batch.about["again"]:
            raise ServerRefuses(
                f"the server refused batch {batch.id} again: {refused}; the same command submits it anew"
            )
        self._again = self._again or bool(refused)

    def _submit(self, draft: _Draft) -> None:
        self._draft = None
        about = {"owner": self._owner, "prompts": draft.prompts, "failed": {}, "dollars": draft.dollars}
        with self._refusals():
            batch = chat_batches.submit(self._client.server, Batch(draft.path, about | {"again": self._again}))
        self._batches[batch.path] = batch

    def _note_failed(self, faults: Mapping[str, str]) -> None:
        self._failures.update(faults.keys())
        self._reasons.update(faults)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """What the batch API says no to, as ServerRefuses."""
        import openai

        server = self._client.server
        try:
            yield
        except openai.OpenAIError as error:
            why = f"batches at {server.address}: {server.redacted(error)}; the same command goes on"
            raise ServerRefuses(why) from None


def _fault(key: str, answers: Answers) -> str:
    """Why a request of a batch has no reply."""
    if key in answers.replies:
        return answers.replies[key].no_text_reason
    return answers.faults.get(key, f"the batch ended as {answers.status} without it")
