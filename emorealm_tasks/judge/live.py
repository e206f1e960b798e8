"""The four scores of an emotion description, asked of a language model (Section D.1 of the paper, Table 2's EMER).

Verdicts come from the disk first (:mod:`emorealm_tasks.judge.cache`), then from the server, several requests at a time.
One request goes ahead of the rest: it finds out what the server supports, and its time and tokens make the estimate.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from emorealm_tasks.chat_reply import ChatReply
from emorealm_tasks.errors import stop
from emorealm_tasks.judge import cache as judge_cache
from emorealm_tasks.judge import prompt
from emorealm_tasks.judge.cache import Cache
from emorealm_tasks.judge.client import Client, JudgeError
from emorealm_tasks.judge.prompt import PROMPT_VERSION, parse_verdict
from emorealm_tasks.metrics.description import CRITERIA, HIGHEST, LOWEST, Verdict
from emorealm_tasks.settings import Settings
from emorealm_tasks.threads import as_completed

NOTHING_SAID = Verdict(
    dict.fromkeys(CRITERIA, LOWEST) | {"halluc": HIGHEST}, dict.fromkeys(CRITERIA, "nothing was said")
)
"""Verdict on an empty description, given without a judge.

Hallucination is HIGHEST by the prompt's own scale ("10: nothing is invented"), as the embedded world's judge has it.
"""
GIVE_UP = 12
"""Failed requests in a row after which a server counts as gone; each has been sent again before it counts."""
_CHARACTERS_A_TOKEN, _TOKENS_OUT = 4, 200  # for the estimate before anything was asked
_LARGE, _AHEAD = 20, 3
Chat = list[dict[str, str]]


@dataclass(frozen=True)
class Item:
    """What a judge compares."""

    reference: str
    """The description of the data set."""
    description: str
    """The model's, which is judged."""


def name(model: str) -> str:
    """What a judge is called in results: its model and the version of the prompt."""
    return f"{model}/prompt-{PROMPT_VERSION}"


def folder(settings: Settings) -> Path:
    """The folder of the cached verdicts and of the batches' state."""
    return settings.cache / "judge"


def questions(items: Sequence[Item], model: str, repeats: int) -> list[dict[str, Chat]]:
    """For each item its chats by key, one per repeat; {} for an empty description."""
    chats_by_key = []
    for item in items:
        chat = prompt.messages(item.reference, item.description) if item.description.strip() else []
        chats_by_key.append({judge_cache.key(chat, model, n): chat for n in range(repeats)} if chat else {})
    return chats_by_key


def cached(items: Sequence[Item], settings: Settings) -> list[list[Verdict | None]]:
    """The cached verdicts: for each item one per repeat, None where it is missing. Sends no request."""
    cache, repeats = Cache(folder(settings)), settings.judge_repeats
    item_chats = questions(items, settings.judge_model, repeats)
    return [[cache.get(key) for key in keys] if keys else [NOTHING_SAID] * repeats for keys in item_chats]


def judge(
    items: Sequence[Item], settings: Settings, reasons: dict[int, str] | None = None
) -> list[list[Verdict | None]]:
    """Verdicts for each item, one per repeat; None where the judge gave none in two attempts.

    reasons: filled with item number -> why a verdict is missing, where that is known. Raises JudgeError when the judge
    cannot be reached, or fails GIVE_UP times in a row; the verdicts until then stay in the cache.
    """
    missing = unanswered(items, settings)
    if missing:
        client, cache = Client(settings), Cache(folder(settings))
        print(f"emorealm: {estimate(missing, settings)}", file=sys.stderr, flush=True)
        try:
            _ask_all(client, cache, missing, settings)
        finally:
            item_chats = questions(items, settings.judge_model, settings.judge_repeats) if reasons is not None else []
            for number, keys in enumerate(item_chats):
                why = next((cache.reasons[key] for key in keys if key in cache.reasons), "")
                if why and reasons is not None:
                    reasons[number] = why
    return cached(items, settings)


def unanswered(items: Sequence[Item], settings: Settings) -> dict[str, Chat]:
    """The chats without a cached verdict, by key; equal chats have the same key."""
    cache = Cache(folder(settings))
    item_chats = questions(items, settings.judge_model, settings.judge_repeats)
    return {key: chat for keys in item_chats for key, chat in keys.items() if cache.get(key) is None}


def estimate(missing: Mapping[str, Chat], settings: Settings, reply: ChatReply | None = None) -> str:
    """What asking will take: requests and tokens, dollars where the price is known, and time once there is a reply.

    Before the first reply a token counts as four characters, and a verdict as 200 tokens.
    """
    characters = sum(len(message["content"]) for chat in missing.values() for message in chat)
    tokens_in = characters / _CHARACTERS_A_TOKEN
    tokens_out = len(missing) * (reply.tokens_out if reply and reply.tokens_out else _TOKENS_OUT)
    parts = [
        f"judging with {settings.judge_model}: {len(missing)} requests, about {_thousands(tokens_in)} tokens in and "
        f"{_thousands(tokens_out)} out"
    ]
    if settings.judge_price:
        dollars_in, dollars_out = price(settings.judge_price)
        parts.append(f"about ${(tokens_in * dollars_in + tokens_out * dollars_out) / 1e6:.2f}")
    if reply:
        seconds = reply.seconds * len(missing) / settings.judge_concurrency
        parts.append(f"about {seconds / 60:.0f} min" if seconds > 90 else f"about {seconds:.0f} s")
    return ", ".join(parts)


def price(text: str) -> tuple[float, float]:
    """Dollars for a million tokens in and out, from "2.5,10"; stops at anything else."""
    try:
        dollars_in, dollars_out = map(float, text.split(","))
    except ValueError:
        stop(f'EMOREALM_JUDGE_PRICE is {text!r}; give dollars for a million tokens in and out, as "2.5,10"')
    return dollars_in, dollars_out


def ask_and_keep(client: Client, cache: Cache, key: str, chat: Chat) -> ChatReply | None:
    """The judge's reply, whose verdict is cached; None when the server fails. Without a verdict the chat is sent again.

    The reason of a missing verdict is noted in `cache.reasons`. Raises JudgeError as `Client.ask` does.
    """
    reply = client.ask(chat)
    if reply and parse_verdict(reply.written) is None:
        reply = client.ask(prompt.asked_again(chat, reply.text or reply.no_text_reason)) or reply
    if reply is None:
        cache.reasons[key] = client.last_error
    elif parse_verdict(reply.written) is None:
        no_verdict = f"its reply holds no verdict (finish_reason={reply.finish or 'none'})"
        cache.reasons[key] = reply.no_text_reason or no_verdict
    if reply and parse_verdict(reply.written):
        about = {"model": client.model, "prompt": PROMPT_VERSION, **client.about()}
        cache.put(key, reply.written, about | {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out})
    return reply


def _ask_all(client: Client, cache: Cache, missing: Mapping[str, Chat], settings: Settings) -> None:
    def one(key: str) -> ChatReply | None:
        return ask_and_keep(client, cache, key, missing[key])

    remaining = iter(missing)
    first = next(filter(None, map(one, islice(remaining, _AHEAD))), None)  # the first may be at fault, not the server
    if first is None:
        raise JudgeError(f"no answer from {client.about()['base_url']}; {client.last_error}")
    if len(missing) >= _LARGE:
        print(f"emorealm: {estimate(missing, settings, first)}", file=sys.stderr, flush=True)
    in_a_row, rest = 0, list(remaining)

    def counted(key: str) -> ChatReply | None:
        """Counts where it is asked, so that nothing more is asked while the failures wait to be looked at."""
        nonlocal in_a_row
        if in_a_row >= GIVE_UP:
            return None
        reply = one(key)
        in_a_row = 0 if reply and in_a_row < GIVE_UP else in_a_row + 1
        return reply

    with closing(as_completed(counted, rest, settings.judge_concurrency)) as replies:
        for _ in tqdm(replies, total=len(rest), desc="judging", unit="description"):
            if in_a_row >= GIVE_UP:
                raise JudgeError(f"{GIVE_UP} requests in a row failed, the last with {client.last_error}")


def _thousands(tokens: float) -> str:
    return f"{tokens / 1000:.0f}k" if tokens >= 1000 else f"{tokens:.0f}"
