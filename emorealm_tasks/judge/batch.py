"""Judging by OpenAI's Batch API: submit, leave, and collect later, at half the price.

Collecting a batch writes its verdicts to the cache on disk, from which scores are computed. The state of each batch is
in `<cache>/judge/batches/ID.json`: its model, its chats by key, its round, and whether it was collected. Chats without
a verdict after the first round are sent once more in a second.
"""

import hashlib
import io
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from emorealm_tasks import chat_reply, files
from emorealm_tasks.chat_reply import ErrorBody
from emorealm_tasks.errors import warn_once
from emorealm_tasks.judge import live
from emorealm_tasks.judge.cache import Cache
from emorealm_tasks.judge.client import Client, JudgeError
from emorealm_tasks.judge.live import Chat, Item
from emorealm_tasks.judge.prompt import PROMPT_VERSION, asked_again, parse_verdict
from emorealm_tasks.metrics.description import Verdict
from emorealm_tasks.settings import Settings
from emorealm_tasks.untrusted import Unreadable, brief, clean, lines, parse_json, read_bytes

_ENDPOINT: Final = "/v1/chat/completions"
_WINDOW: Final = "24h"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_STATE = {"id": str, "model": str, "round": int, "submitted": str, "done": bool, "chats": dict}
_UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")


class Pending(Exception):
    """Batches are under way; the message says how far, and how to collect them."""


def judge_by_batch(items: Sequence[Item], settings: Settings) -> list[list[Verdict | None]]:
    """Verdicts as `judge.judge` gives them, once the batches that ask for them are finished.

    Submits chats that are in no batch yet. Raises Pending while a batch is under way, and JudgeError when the server
    refuses.
    """
    missing = live.unanswered(items, settings)
    if missing:
        client, cache = Client(settings), Cache(live.folder(settings))
        try:
            _collect(client, cache, missing)
            _submit_new(client, cache, missing)
        except OSError as error:
            raise JudgeError(
                f"batches cannot be noted in {cache.folder}: {error.strerror}; set EMOREALM_CACHE"
            ) from None
        except _openai_error() as error:
            raise JudgeError(f"batches at {client.about()['base_url']}: {client.redacted(error)}") from None
        under_way = [state for state in _states(cache.folder, client.model) if not state["done"]]
        unanswered = live.unanswered(items, settings)
        if any(key in unanswered for state in under_way for key in state["chats"]):
            batch_names = ", ".join(f"{state['id']} ({len(state['chats'])} requests)" for state in under_way)
            raise Pending(f"under way: {batch_names}; finished within {_WINDOW}. Run the same again to collect")
    return live.cached(items, settings)


def _submit_new(client: Client, cache: Cache, missing: Mapping[str, Chat]) -> None:
    """Submit a batch with the chats that are in no batch yet.

    One of them is sent as a live request first: only that shows what the server supports.
    """
    submitted = {key for state in _states(cache.folder, client.model) for key in state["chats"]}
    unsubmitted = {key: chat for key, chat in missing.items() if key not in submitted and cache.get(key) is None}
    if unsubmitted:
        _check_writable(cache.folder)
        first = next(iter(unsubmitted))
        if live.ask_and_keep(client, cache, first, unsubmitted[first]) is None:
            raise JudgeError(f"no answer from {client.about()['base_url']}; {client.last_error}")
        _submit(client, cache.folder, {key: chat for key, chat in unsubmitted.items() if cache.get(key) is None}, 1)


def _submit(client: Client, folder: Path, chats: Mapping[str, Chat], number: int) -> None:
    if not chats:
        return
    requests = [
        json.dumps({"custom_id": key, "method": "POST", "url": _ENDPOINT, "body": client.body(chat)})
        for key, chat in chats.items()
    ]
    _check_writable(folder)
    upload = ("verdicts.jsonl", io.BytesIO("\n".join(requests).encode()))
    file = client.openai.files.create(file=upload, purpose="batch")
    batch = client.openai.batches.create(input_file_id=file.id, endpoint=_ENDPOINT, completion_window=_WINDOW)
    about = {"model": client.model, "prompt": PROMPT_VERSION, "round": number, "submitted": time.strftime("%FT%TZ")}
    _write(folder, {"id": batch.id, **about, "done": False, "chats": dict(chats)})


def _collect(client: Client, cache: Cache, missing: Mapping[str, Chat]) -> None:
    """Keep the verdicts of finished batches that ask about what is missing; a second round follows a first."""
    for state in _states(cache.folder, client.model):
        if state["done"] or not any(key in missing for key in state["chats"]):
            continue
        batch = client.openai.batches.retrieve(state["id"])
        if batch.status in _UNDER_WAY:
            continue
        replies = _replies(client, batch.output_file_id)
        for key, reply in replies.items():
            if parse_verdict(reply):
                cache.put(key, reply, {"model": client.model, "prompt": PROMPT_VERSION, "batch": batch.id})
        unanswered = {key: chat for key, chat in state["chats"].items() if cache.get(key) is None}
        if state["round"] == 1:
            second_chats = {
                key: asked_again(chat, replies[key]) if replies.get(key) else chat for key, chat in unanswered.items()
            }
            _submit(client, cache.folder, second_chats, 2)
        try:
            _write(cache.folder, state | {"done": True})
        except OSError as error:
            warn_once("batches", f"{cache.folder}: {error.strerror}; batch {state['id']} is fetched again next time")


def _replies(client: Client, file: str | None) -> dict[str, str]:
    """Key -> reply of a batch's output; failed requests are left out, and the output may be empty."""
    if file is None:
        return {}
    replies = {}
    for _, line in lines(clean(client.openai.files.content(file).text)):
        try:
            answer = parse_json(line)
            key, body = answer["custom_id"], answer["response"]["body"]
            replies[str(key)] = chat_reply.read(body).written
        except (Unreadable, ErrorBody, KeyError, TypeError):
            continue  # no reply in this line: its key stays without a verdict
    return replies


def _states(folder: Path, model: str) -> list[dict[str, Any]]:
    """What is known of this model's batches, the oldest first."""
    states = []
    for path in sorted((folder / "batches").glob("*.json")):
        try:
            state = parse_json(read_bytes(path))
            if not all(isinstance(state[name], kind) for name, kind in _STATE.items()):
                raise Unreadable("it is not what was written there")
        except (Unreadable, KeyError, TypeError) as error:
            print(f"emorealm: {path}: passed over, {brief(error)}; its batch is asked again", file=sys.stderr)
            continue
        if state["model"] == model:
            states.append(state)
    return sorted(states, key=lambda state: state["submitted"])


def _check_writable(folder: Path) -> None:
    """Before anything costs: a batch that is not noted would be paid twice. Raises OSError."""
    files.write_json(folder / "batches" / ".writable", {})


def _write(folder: Path, state: Mapping[str, Any]) -> None:
    """Note what is known of a batch. Its id comes from a server, and names the file only where it is a plain name."""
    identity = str(state["id"])
    name = identity if _PLAIN.fullmatch(identity) else hashlib.sha256(clean(identity).encode()).hexdigest()
    files.write_json(folder / "batches" / f"{name}.json", state, indent=None)


def _openai_error() -> type[Exception]:
    import openai

    return openai.OpenAIError
