"""Judging by OpenAI's Batch API: submit, leave, and collect later, at half the price.

Collecting a batch writes its verdicts to the cache on disk, from which scores are computed. What is known of each batch
is in `<cache>/judge/batches`: its model, its chats by key, its round, and whether it was collected. Chats without a
verdict after the first round are sent once more in a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emorealm_tasks import chat_batches, files
from emorealm_tasks.chat_batches import Batch
from emorealm_tasks.errors import warn_once
from emorealm_tasks.judge import live
from emorealm_tasks.judge.cache import Cache
from emorealm_tasks.judge.client import Client, JudgeError
from emorealm_tasks.judge.live import Chat, Item
from emorealm_tasks.judge.prompt import PROMPT_VERSION, asked_again, parse_verdict
from emorealm_tasks.metrics.description import Verdict
from emorealm_tasks.settings import Settings

_ABOUT = {"model": str, "round": int, "chats": dict}


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
        under_way = [batch for batch in _batches(cache.folder, client.model) if not batch.done]
        unanswered = live.unanswered(items, settings)
        if any(key in unanswered for batch in under_way for key in batch.about["chats"]):
            names = ", ".join(f"{batch.id} ({len(batch.about['chats'])} requests)" for batch in under_way)
            window = chat_batches.WINDOW
            raise Pending(f"under way: {names}; finished within {window}. Run the same again to collect")
    return live.cached(items, settings)


def _submit_new(client: Client, cache: Cache, missing: Mapping[str, Chat]) -> None:
    """Submit a batch with the chats that are in no batch yet.

    One of them is sent as a live request first: only that shows what the server supports.
    """
    submitted = {key for batch in _batches(cache.folder, client.model) for key in batch.about["chats"]}
    unsubmitted = {key: chat for key, chat in missing.items() if key not in submitted and cache.get(key) is None}
    if unsubmitted:
        _check_writable(cache.folder)
        first = next(iter(unsubmitted))
        if live.ask_and_keep(client, cache, first, unsubmitted[first]) is None:
            raise JudgeError(f"no answer from {client.about()['base_url']}; {client.last_error}")
        _submit(client, cache.folder, {key: chat for key, chat in unsubmitted.items() if cache.get(key) is None}, 1)


def _submit(client: Client, folder: Path, chats: Mapping[str, Chat], number: int) -> None:
    def about(keys: Sequence[str]) -> dict[str, Any]:
        of_batch = {key: chats[key] for key in keys}
        return {"model": client.model, "prompt": PROMPT_VERSION, "round": number, "chats": of_batch}

    bodies = {key: client.body(chat) for key, chat in chats.items()}
    chat_batches.submit_all(client, folder / "batches", bodies, about)


def _collect(client: Client, cache: Cache, missing: Mapping[str, Chat]) -> None:
    """Keep the verdicts of finished batches that ask about what is missing; a second round follows a first."""
    for noted in _batches(cache.folder, client.model):
        chats = noted.about["chats"]
        if noted.done or not any(key in missing for key in chats):
            continue
        batch = chat_batches.recover(client, noted)
        answers = chat_batches.collect(client, batch) if batch else None
        if batch is None or answers is None:
            continue
        for key, reply in answers.replies.items():
            if parse_verdict(reply.written):
                cache.put(key, reply.written, {"model": client.model, "prompt": PROMPT_VERSION, "batch": batch.id})
        if batch.about["round"] == 1:
            unanswered = {key: chat for key, chat in chats.items() if cache.get(key) is None}
            said = {key: reply.written for key, reply in answers.replies.items()}
            second = {key: asked_again(chat, said[key]) if said.get(key) else chat for key, chat in unanswered.items()}
            _submit(client, cache.folder, second, 2)
        try:
            chat_batches.note(replace(batch, done=True))
        except OSError as error:
            warn_once("batches", f"{cache.folder}: {error.strerror}; batch {batch.id} is fetched again next time")


def _batches(folder: Path, model: str) -> list[Batch]:
    """What is known of this model's batches, the oldest first."""
    batches = chat_batches.noted(folder / "batches", _ABOUT)
    return [batch for batch in batches if batch.about["model"] == model]


def _check_writable(folder: Path) -> None:
    """Before anything costs: a batch that is not noted would be paid twice. Raises OSError."""
    files.write_json(folder / "batches" / ".writable", {})


def _openai_error() -> type[Exception]:
    import openai

    return openai.OpenAIError
