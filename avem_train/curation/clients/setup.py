"""From a recipe's settings to clients that can be asked."""

from avem_train.curation.asking.asker import Source
from avem_train.curation.asking.pace import Pace
from avem_train.curation.asking.protocol import Client
from avem_train.curation.clients.chat import ChatServer
from avem_train.curation.clients.settings import ClientSettings
from emorealm_tasks.errors import stop

GEMINI = "https://generativelanguage.googleapis.com/v1beta/openai/"
"""Where Gemini speaks the chat API."""
_KEYS = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY"}
KINDS = (*_KEYS, "adapter", "mini")


def source(settings: ClientSettings, seed: int) -> Source:
    """The client that settings describe, its price and its pace. Stops where it cannot be asked."""
    pace = Pace(settings.per_minute or None, settings.tokens_per_minute or None)
    return Source(_client(settings, seed), settings.price, pace)


def _client(settings: ClientSettings, seed: int) -> Client:
    if settings.kind in _KEYS:
        return _server(settings, seed)
    if settings.kind == "adapter":
        from avem_train.curation.clients.adapter import AdapterModel

        return AdapterModel(settings)
    if settings.kind == "mini":
        from avem_train.curation.clients.mini import MiniModel

        return MiniModel(settings, seed)
    stop(f"a client's kind is {settings.kind!r}: one of {', '.join(KINDS)}")


def _server(settings: ClientSettings, seed: int) -> ChatServer:
    usual = _KEYS[settings.kind]
    key = settings.key(usual)
    if not key and not settings.base_url:
        own = "a server of your own with clients.NAME.base_url="
        stop(f"no key for {settings.model}: set {settings.key_env or usual}, or name {own}")
    return ChatServer(
        settings.model,
        key,
        settings.base_url or (GEMINI if settings.kind == "gemini" else None),
        timeout=settings.timeout,
        retries=settings.retries,
        max_tokens=settings.max_tokens,
        seed=seed,
    )
