"""The judge's server: any that speaks OpenAI's chat API, through the `openai` client.

lmms-eval's own judge package does not suffice: it waits a fixed time instead of what a server's Retry-After says,
gives its client no time-out, knows no JSON schema, keeps no verdicts and has no Batch API. The `openai` client does
the waiting and sending again; here is what servers do differently, and the key, which is never shown.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emorealm_tasks.judge_prompt import SCHEMA
from emorealm_tasks.settings import Settings

if TYPE_CHECKING:
    import openai

MAX_TOKENS = 800
"""Room for four reasons of a sentence each."""
FORMATS: tuple[dict[str, Any] | None, ...] = (
    {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": SCHEMA}},
    {"type": "json_object"},
    None,
)
"""Ways to ask for structured output, the strictest first; a server that refuses one is asked the next way."""


class JudgeError(Exception):
    """The judge cannot be asked at all: no key, a wrong address or model; the message says what to do."""


@dataclass(frozen=True)
class Reply:
    """What came back: the text, tokens in and out (0 where the server does not count), seconds it took."""

    text: str
    tokens_in: int
    tokens_out: int
    seconds: float


class Client:
    """Asks one model of one server, and remembers what the server does not support. Threads may share it."""

    def __init__(self, settings: Settings) -> None:
        """Read the key from the environment. Raises JudgeError without one for OpenAI's own server."""
        import openai

        self._key = os.environ.get("EMOREALM_JUDGE_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""
        base_url = settings.judge_base_url or os.environ.get("OPENAI_BASE_URL") or None
        if not self._key and base_url is None:
            raise JudgeError(
                "no key for the judge: set OPENAI_API_KEY (or EMOREALM_JUDGE_API_KEY); or name another server with "
                "EMOREALM_JUDGE_BASE_URL; or judge later with EMOREALM_JUDGE=later"
            )
        self.model = settings.judge_model
        self.openai = openai.OpenAI(
            api_key=self._key or "none",
            base_url=base_url,
            timeout=settings.judge_timeout,
            max_retries=settings.judge_retries,
        )
        self.last_error = ""
        self._works = False
        self._format = 0
        self._options: dict[str, Any] = {"temperature": 0, "max_tokens": MAX_TOKENS}

    def about(self) -> dict[str, Any]:
        """How the server is asked, for the record: its address, and what it was found to support; never the key."""
        form = FORMATS[self._format]
        return {
            "base_url": str(self.openai.base_url.copy_with(username=None, password=None, query=None)),
            "structured_output": form["type"] if form else "none",
            "temperature": self._options.get("temperature"),
        }

    def body(self, chat: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """The request, as it is to be sent to this server."""
        form = FORMATS[self._format]
        return {"model": self.model, "messages": list(chat), **self._options} | (
            {"response_format": form} if form else {}
        )

    def ask(self, chat: Sequence[Mapping[str, str]]) -> Reply | None:
        """The judge's reply; None when the server fails beyond the retries (see `last_error`).

        Raises JudgeError when it never will answer: a wrong key, address or model.
        """
        import openai

        while True:
            body, start = self.body(chat), time.monotonic()
            try:
                answer = self.openai.chat.completions.create(**body)
            except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
                where = f"model {self.model!r} at {self.about()['base_url']}"
                raise JudgeError(f"{where} refuses: {self.redacted(error)}; check key, address and model") from None
            except (openai.OpenAIError, ValueError) as error:  # ValueError: a body that is no JSON
                if not self._adapt(body, error):
                    self.last_error = self.redacted(error)
                    return None
            else:
                self._works = True
                return _reply(answer, time.monotonic() - start)

    def redacted(self, error: Exception) -> str:
        """What the error says, shortened, with the key blotted out: servers quote it."""
        said = f"{type(error).__name__}: {error}"
        return (said.replace(self._key, "***") if self._key else said)[:300]

    def _adapt(self, body: Mapping[str, Any], error: Exception) -> bool:
        """Whether the request is worth sending in another form, which is then remembered.

        A server that has answered once supports the form, whatever is wrong with this request. Another thread may
        have changed the form since `body` was built: then that is all.
        """
        import openai

        if self._works or not isinstance(
            error, openai.BadRequestError | openai.UnprocessableEntityError | openai.InternalServerError
        ):
            return False
        if "max_tokens" in body and "max_completion_tokens" in str(error):
            self._options.pop("max_tokens", None)
            self._options["max_completion_tokens"] = MAX_TOKENS
            return True
        if "temperature" in body and "temperature" in str(error):
            self._options.pop("temperature", None)
            return True
        if "response_format" not in body:
            self._format = 0  # it was not the format
            return False
        self._format = max(self._format, FORMATS.index(body["response_format"]) + 1)
        return True


def _reply(answer: "openai.types.chat.ChatCompletion", seconds: float) -> Reply:
    """A server may answer 200 with something else altogether: that is a reply without text."""
    choices, usage = getattr(answer, "choices", None), getattr(answer, "usage", None)
    text = choices[0].message.content if choices and choices[0].message else None
    counts = (getattr(usage, name, 0) or 0 for name in ("prompt_tokens", "completion_tokens"))
    return Reply(text or "", *counts, seconds)
