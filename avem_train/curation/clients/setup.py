"""From a recipe's settings to clients that can be asked."""

from avem_train.curation.asking.asker import Pace, Source
from avem_train.curation.asking.client import Client
from avem_train.curation.clients.chat import ChatServer
from avem_train.curation.clients.settings import ClientSettings
from emorealm_tasks.errors import stop

KINDS = ("openai",)


def source(settings: ClientSettings, seed: int) -> Source:
    """The client that settings describe, its price and its pace. Stops where it cannot be asked."""
    return Source(_client(settings, seed), settings.price, Pace(settings.per_minute or None))


def _client(settings: ClientSettings, seed: int) -> Client:
    if settings.kind == "openai":
        key = settings.key("OPENAI_API_KEY")
        if not key and not settings.base_url:
            stop(f"no key for {settings.model}: set {settings.key_env or 'OPENAI_API_KEY'}, or name a server: base_url")
        return ChatServer(
            settings.model,
            key,
            settings.base_url or None,
            timeout=settings.timeout,
            retries=settings.retries,
            max_tokens=settings.max_tokens,
            seed=seed,
        )
    stop(f"a client's kind is {settings.kind!r}: one of {', '.join(KINDS)}")
