"""Chat requests by the Batch API (files and batches, as OpenAI has them): submitted, collected later, half the price.

Each batch is noted in a folder as `MARK.json` before it is submitted: after a kill it is found on the server by the
mark in its metadata, so that nothing is paid twice. Until its id is known its requests lie beside it.
"""

import json
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from emorealm_tasks import chat_reply, files
from emorealm_tasks.chat_client import ChatClient
from emorealm_tasks.chat_reply import ChatReply, ErrorBody
from emorealm_tasks.untrusted import Unreadable, brief, parse_json, read_bytes

PRICE = 0.5
"""What a request costs by batch, as a share of its usual price."""
WINDOW: Final = "24h"
"""The longest that a batch may take."""
MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000
"""Of one batch; what is more goes into further ones."""
UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")
_ENDPOINT: Final = "/v1/chat/completions"
_METADATA = "emorealm"
_BASE = {"id": str, "submitted": str, "done": bool}


@dataclass(frozen=True)
class Batch:
    """A batch, as it is noted."""

    path: Path
    """Of the note."""
    about: Mapping[str, Any]
    """What the submitter noted with it."""
    id: str = ""
    """The server's name of it; "" = not known yet, for want of an answer."""
    submitted: str = ""
    """When, in UTC."""
    done: bool = False
    """Whether it was collected."""

    @property
    def requests(self) -> Path:
        """The file of its requests, which is there until the id is known."""
        return self.path.with_suffix(".jsonl")


@dataclass
class Answers:
    """What came of a batch."""

    status: str
    """The server's word for how it ended."""
    why: str = ""
    """Why the whole batch was refused, in words."""
    replies: dict[str, ChatReply] = field(default_factory=dict)
    """Key -> reply."""
    faults: dict[str, str] = field(default_factory=dict)
    """Key -> why it has no reply, of those that the server names."""


def line(key: str, body: Mapping[str, Any]) -> bytes:
    """A request's line in the file of a batch."""
    return json.dumps({"custom_id": key, "method": "POST", "url": _ENDPOINT, "body": body}).encode() + b"\n"


def full(requests: int, size: int, more: int) -> bool:
    """Whether a batch of so many requests and bytes is full before a request of `more` bytes."""
    return requests >= MOST_REQUESTS or (requests > 0 and size + more > MOST_BYTES)


def fresh(folder: Path) -> Path:
    """Where a new batch is to be noted; its requests are to lie beside it, see `Batch.requests`."""
    return folder / f"{secrets.token_hex(16)}.json"


def note(batch: Batch) -> None:
    """Write down what is known of a batch. Raises OSError."""
    known = {"id": batch.id, "submitted": batch.submitted, "done": batch.done}
    files.write_json(batch.path, {**batch.about, **known}, indent=None)


def noted(folder: Path, about: Mapping[str, type]) -> list[Batch]:
    """The batches noted in a folder, the oldest first. about: what must be noted with each, and of which type."""
    found = []
    for path in files.matching(folder, "*.json"):
        try:
            content = parse_json(read_bytes(path))
            if not all(isinstance(content[name], kind) for name, kind in {**_BASE, **about}.items()):
                raise Unreadable("it is not what was written there")
        except (Unreadable, KeyError, TypeError) as error:
            print(f"emorealm: {path}: passed over, {brief(error)}; its batch is asked again", file=sys.stderr)
            continue
        base = {name: content.pop(name) for name in _BASE}
        found.append(Batch(path, content, **base))
    return sorted(found, key=lambda batch: batch.submitted)


def submit(client: ChatClient, batch: Batch) -> Batch:
    """Note a batch whose requests lie beside its note, and submit it. Raises OSError and openai's errors.

    After an error it stays noted without an id: `recover` finds out whether the server has it.
    """
    batch = replace(batch, submitted=datetime.now(UTC).isoformat())
    note(batch)
    return _send(client, batch)


def submit_all(
    client: ChatClient, folder: Path, bodies: Mapping[str, Mapping[str, Any]], about: Callable[[Sequence[str]], Any]
) -> None:
    """Submit requests, in as many batches as they take. about: keys of a batch -> what to note with it.

    Raises as `submit`.
    """
    for part in _parts((key, line(key, body)) for key, body in bodies.items()):
        batch = Batch(fresh(folder), about(list(part)))
        files.write_bytes(batch.requests, b"".join(part.values()))
        submit(client, batch)


def recover(client: ChatClient, batch: Batch) -> Batch | None:
    """A batch with its id; where that is not known, found on the server, else submitted again.

    None, and no note any longer, where neither is possible: then nothing was asked. Raises as `submit`.
    """
    if batch.id:
        return batch
    mark = batch.path.stem
    for one in client.openai.batches.list(limit=100):
        if (one.metadata or {}).get(_METADATA) == mark:
            return _known(batch, one.id)
    if batch.requests.exists():
        return _send(client, batch)
    batch.path.unlink()
    return None


def collect(client: ChatClient, batch: Batch) -> Answers | None:
    """What came of a batch; None while it is under way. Raises openai's errors."""
    now = client.openai.batches.retrieve(batch.id)
    if now.status in UNDER_WAY:
        return None
    answers = Answers(now.status)
    if now.status == "failed":
        faults = (now.errors.data if now.errors else None) or []
        answers.why = client.without_key(brief("; ".join(str(one.message or one.code) for one in faults)))
    for file in (now.output_file_id, getattr(now, "error_file_id", None)):
        for text in _lines(client, file) if file else ():
            _read(client, text, answers)
    return answers


def _send(client: ChatClient, batch: Batch) -> Batch:
    with batch.requests.open("rb") as content:
        file = client.openai.files.create(file=(batch.requests.name, content), purpose="batch")
    once = client.openai.with_options(max_retries=0)  # sent again after a cut connection it might be made twice
    made = once.batches.create(
        input_file_id=file.id,
        endpoint=_ENDPOINT,
        completion_window=WINDOW,
        metadata={_METADATA: batch.path.stem},
    )
    return _known(batch, made.id)


def _known(batch: Batch, identity: str) -> Batch:
    batch = replace(batch, id=identity)
    note(batch)
    batch.requests.unlink(missing_ok=True)
    return batch


def _parts(lines: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    part: dict[str, bytes] = {}
    size = 0
    for key, text in lines:
        if full(len(part), size, len(text)):
            yield part
            part, size = {}, 0
        part[key] = text
        size += len(text)
    if part:
        yield part


def _lines(client: ChatClient, file: str) -> Iterator[bytes]:
    """The lines of a file on the server, as they come; only a line feed ends one."""
    rest = b""
    with client.openai.files.with_streaming_response.content(file) as response:
        for chunk in response.iter_bytes():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
    yield rest


def _read(client: ChatClient, text: bytes, answers: Answers) -> None:
    """Take in a line of a batch's output; one that cannot be read answers nothing."""
    try:
        found = parse_json(text)
        key, response, error = str(found["custom_id"]), found.get("response"), found.get("error")
        if response is None:
            message = error.get("message") if isinstance(error, dict) else error
            answers.faults[key] = client.without_key(brief(message or "it has no response"))
            return
        body = response["body"]
    except (Unreadable, KeyError, TypeError, AttributeError):
        return
    try:
        answers.replies[key] = chat_reply.read(body)
    except ErrorBody as fault:
        answers.faults[key] = client.without_key(str(fault))
