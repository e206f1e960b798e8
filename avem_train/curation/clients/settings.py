"""A model that stages may ask, as a recipe describes it."""

import os
from dataclasses import dataclass, field
from typing import Any

from avem_train.curation.asking.spending import Price


@dataclass(frozen=True)
class ClientSettings:
    """A model that stages may ask."""

    kind: str
    """openai (any server of its chat API), gemini, adapter (a model of this package), or mini (the embedded world's
    scripted one)."""
    model: str
    """Its name there; for an adapter, its name in `emorealm models`; for mini, any."""
    base_url: str = ""
    """The server, ending in /v1; "" = the provider's own."""
    key_env: str = ""
    """The environment variable that holds the key; "" = OPENAI_API_KEY for openai, GEMINI_API_KEY for gemini."""
    args: dict[str, Any] = field(default_factory=dict)
    """For an adapter: its --model_args; for mini: `avem_train.curation.clients.mini.Script`."""
    price_in: float = 0.0
    """Dollars for a million tokens in."""
    price_out: float = 0.0
    """Dollars for a million tokens out."""
    concurrency: int = 8
    """Requests under way at once."""
    per_minute: float = 0.0
    """Requests that may start in a minute; 0 = any number."""
    tokens_per_minute: float = 0.0
    """Tokens, in and out, of the requests of a minute; 0 = any number."""
    batch: bool = False
    """Send requests by the server's Batch API (kind openai): half the price, replies within a day. The command ends
    with status 75 while batches are under way, and collects them when it is called again; or, with --wait, it waits."""
    timeout: float = 300.0
    """Seconds to wait for a reply."""
    retries: int = 6
    """How often a request is sent again after a fault that may pass."""
    max_tokens: int = 2048
    """Length of a reply."""

    @property
    def price(self) -> Price:
        """What a reply costs that is asked for at once."""
        return Price(self.price_in, self.price_out)

    def key(self, usual: str) -> str:
        """The key, from its environment variable (`usual` where none is named); "" where that is not set."""
        return os.environ.get(self.key_env or usual, "")
