"""A model on a server that speaks OpenAI's chat API, asked through the `openai` client.

The client does the waiting and sending again (it honours Retry-After); here is what servers do differently, and the
key, which is never shown.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openai


class ServerRefuses(Exception):
    """The server never will answer: a wrong key, address or model; the message says what to do."""


class RequestFailed(Exception):
    """A request that has no answer, beyond the retries; the message says why."""


@dataclass(frozen=True)
class Reply:
    """What came back: the text, tokens in and out (0 where the server does not count), seconds it took."""

    text: str
    tokens_in: int
    tokens_out: int
    seconds: float
    finish: str = ""
    """Why the text ends where it does, in the server's word; `refusal` where the model refuses."""
    tokens_sound: int = 0
    """Of the tokens in, those of sound."""
    tokens_thought: int = 0
    """Of the tokens out, those not shown."""


class ChatClient:
    """Asks one model of one server, and remembers what the server does not support. Threads may share it.

    `options` go with every request; `formats` are ways to ask for structured output, the strictest first: a server
    that refuses one is asked the next way. Without a `base_url` the server is OpenAI's own.
    """

    def __init__(
        self,
        model: str,
        key: str,
        base_url: str | None,
        *,
        timeout: float,
        retries: int,
        options: Mapping[str, Any],
        formats: Sequence[Mapping[str, Any] | None] = (None,),
    ) -> None:
        import openai

        self.model = model
        self.openai = openai.OpenAI(api_key=key or "none", base_url=base_url, timeout=timeout, max_retries=retries)
        self._key = key
        self._works = False
        self._formats = formats
        self._format = 0
        self._options = dict(options)
        self._limit = "max_tokens"
        self._refused: set[str] = set()

    @property
    def address(self) -> str:
        """The server's address, without what may be secret in it."""
        return str(self.openai.base_url.copy_with(username=None, password=None, query=None))

    @property
    def format(self) -> Mapping[str, Any] | None:
        """The structured output that is asked for now."""
        return self._formats[self._format]

    def option(self, name: str) -> Any:
        """What is sent under that name with every request; None where the server refuses it."""
        return None if name in self._refused else self._options.get(name)

    def body(self, chat: Sequence[Mapping[str, Any]], **options: Any) -> dict[str, Any]:
        """The request, as it is to be sent to this server; `options` for this request alone."""
        told = {name: value for name, value in (self._options | options).items() if name not in self._refused}
        if "max_tokens" in told:
            told[self._limit] = told.pop("max_tokens")
        form = {"response_format": self.format} if self.format else {}
        return {"model": self.model, "messages": list(chat), **told, **form}

    def answer(self, chat: Sequence[Mapping[str, Any]], **options: Any) -> Reply:
        """The model's reply. Raises RequestFailed, and ServerRefuses at a wrong key, address or model."""
        import openai

        while True:
            body, start = self.body(chat, **options), time.monotonic()
            try:
                answer = self.openai.chat.completions.create(**body)
            except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
                where = f"model {self.model!r} at {self.address}"
                raise ServerRefuses(f"{where} refuses: {self.redacted(error)}; check key, address and model") from None
            except (openai.OpenAIError, ValueError) as error:  # ValueError: a body that is no JSON
                if not self._adapt(body, error):
                    raise RequestFailed(self.redacted(error)) from None
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
            self._limit = "max_completion_tokens"
            return True
        if "temperature" in body and "temperature" in str(error):
            self._refused.add("temperature")
            return True
        if "response_format" not in body:
            self._format = 0  # it was not the format
            return False
        self._format = max(self._format, self._formats.index(body["response_format"]) + 1)
        return True


def _reply(answer: "openai.types.chat.ChatCompletion", seconds: float) -> Reply:
    """A server may answer 200 with something else altogether: that is a reply without text."""
    choices, usage = getattr(answer, "choices", None), getattr(answer, "usage", None)
    message = choices[0].message if choices else None
    refused = "refusal" if getattr(message, "refusal", None) else None
    return Reply(
        text=(message.content if message else None) or "",
        tokens_in=getattr(usage, "prompt_tokens", 0) or 0,
        tokens_out=getattr(usage, "completion_tokens", 0) or 0,
        seconds=seconds,
        finish=refused or (choices[0].finish_reason if choices else None) or "",
        tokens_sound=_detail(usage, "prompt_tokens_details", "audio_tokens"),
        tokens_thought=_detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _detail(usage: object, kind: str, name: str) -> int:
    return getattr(getattr(usage, kind, None), name, 0) or 0
