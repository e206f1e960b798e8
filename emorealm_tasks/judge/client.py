"""The judge's server: any that speaks OpenAI's chat API.

It replaces lmms-eval's own judge package, which ignores a server's Retry-After and lacks time-outs, JSON schemas, a
cache of verdicts and the Batch API.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from emorealm_tasks.chat_client import ChatClient, RequestFailed, ServerRefuses
from emorealm_tasks.chat_reply import ChatReply
from emorealm_tasks.judge.prompt import SCHEMA
from emorealm_tasks.settings import Settings

MAX_TOKENS = 800
"""Room for four reasons of a sentence each."""
FORMATS: tuple[dict[str, Any] | None, ...] = (
    {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": SCHEMA}},
    {"type": "json_object"},
    None,
)
"""Response formats, the strictest first; where a server refuses one, the next is tried."""


class JudgeError(Exception):
    """Every request to the judge would fail: no key, a wrong address or model. The message says what to do."""


def _key(settings: Settings) -> str:
    """The judge's key; a server that ./emorealm.yaml names gets the one named beside it, or none."""
    usual = () if settings.stranger else ("EMOREALM_JUDGE_API_KEY", "OPENAI_API_KEY")
    names = (settings.judge_key,) if settings.judge_key else usual
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


class Client(ChatClient):
    """Asks one model of one server, and remembers what the server does not support. Threads may share it."""

    def __init__(self, settings: Settings) -> None:
        """Read the key from the environment. Raises JudgeError without one for OpenAI's own server."""
        key = _key(settings)
        base_url = settings.judge_base_url or os.environ.get("OPENAI_BASE_URL") or None
        if not key and base_url is None:
            raise JudgeError(
                "no key for the judge: set OPENAI_API_KEY (or EMOREALM_JUDGE_API_KEY); or name another server with "
                "EMOREALM_JUDGE_BASE_URL; or judge later with EMOREALM_JUDGE=later"
            )
        super().__init__(
            settings.judge_model,
            key,
            base_url,
            timeout=settings.judge_timeout,
            retries=settings.judge_retries,
            options={"temperature": 0, "max_tokens": MAX_TOKENS},
            formats=FORMATS,
        )
        self.last_error = ""

    def about(self) -> dict[str, Any]:
        """How the server is asked, for the record: its address, and what it was found to support; never the key."""
        return {
            "base_url": self.address,
            "structured_output": self.format["type"] if self.format else "none",
            "temperature": self.option("temperature"),
        }

    def ask(self, chat: Sequence[Mapping[str, str]]) -> ChatReply | None:
        """The judge's reply; None when the server fails beyond the retries (see `last_error`).

        Raises JudgeError when it never will answer: a wrong key, address or model.
        """
        try:
            return self.answer(chat)
        except ServerRefuses as error:
            raise JudgeError(str(error)) from None
        except RequestFailed as error:
            self.last_error = str(error)
            return None
