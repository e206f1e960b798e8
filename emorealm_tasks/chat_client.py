"""A model on a server that speaks OpenAI's chat API, asked through the `openai` client.

The client does the waiting and sending again (it honours Retry-After); here is what servers do differently, and the
key, which is never shown.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from emorealm_tasks import chat_reply
from emorealm_tasks.chat_reply import ChatReply, ErrorBody
from emorealm_tasks.untrusted import Unreadable, brief, clean, parse_json, without_secrets

_LARGEST = 16 << 20
"""Bytes of an answer; what is larger is none."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds before a request is sent again; each wait is twice the last
_REFUSALS = (401, 403, 404)
_OPTIONAL = ("temperature", "seed")  # options that an answer can do without


class ServerRefuses(Exception):
    """The server never will answer: a wrong key, address or model; the message says what to do."""


class RequestFailed(Exception):
    """A request that has no answer, beyond the retries; the message says why."""


class _Broken(Exception):
    """An answer that did not come to its end. passes: whether it is worth asking again."""

    def __init__(self, message: str, passes: bool) -> None:
        super().__init__(message)
        self.passes = passes


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
        self._seconds = timeout
        self._retries = retries
        self._works = False
        self._formats = formats
        self._format = 0
        self._options = dict(options)
        self._limit = "max_tokens"
        self._refused_options: set[str] = set()

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
        return None if name in self._refused_options else self._options.get(name)

    def body(self, chat: Sequence[Mapping[str, Any]], **options: Any) -> dict[str, Any]:
        """The request, as it is to be sent to this server; `options` for this request alone."""
        parameters = {
            name: value for name, value in (self._options | options).items() if name not in self._refused_options
        }
        if "max_tokens" in parameters:
            parameters[self._limit] = parameters.pop("max_tokens")
        form = {"response_format": self.format} if self.format else {}
        return {"model": self.model, "messages": list(chat), **parameters, **form}

    def answer(self, chat: Sequence[Mapping[str, Any]], **options: Any) -> ChatReply:
        """The model's reply. Raises RequestFailed, and ServerRefuses at a wrong key, address or model."""
        import openai

        retries_left, wait = self._retries, _FIRST_WAIT
        while True:
            body = self.body(chat, **options)
            try:
                reply = self._send(body)
            except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
                raise ServerRefuses(self._refusal(error)) from None
            except (ErrorBody, _Broken) as error:  # the client, which sends other faults again, took it for an answer
                if isinstance(error, ErrorBody) and error.code in _REFUSALS and not self._works:
                    raise ServerRefuses(self._refusal(error)) from None
                if not (error.passes and retries_left):
                    raise RequestFailed(self.without_key(error)) from None
                retries_left, wait = retries_left - 1, min(2 * wait, _LONGEST_WAIT)
                time.sleep(wait / 2)
            except Unreadable as error:
                raise RequestFailed(f"the server's answer cannot be used: {error}") from None
            except openai.APIConnectionError as error:  # refused, cut or late: it says not where
                raise RequestFailed(f"{self.address}: {self.redacted(error)} Is the server up?") from None
            except (openai.OpenAIError, ValueError) as error:  # ValueError: an address that is none
                if not self._adapt(body, error):
                    raise RequestFailed(self.redacted(error)) from None
            else:
                self._works = True
                return reply

    def _send(self, body: Mapping[str, Any]) -> ChatReply:
        """The answer to one request, read within its time and size.

        Raises openai's errors, _Broken, Unreadable and ErrorBody.
        """
        start = time.monotonic()
        with self.openai.chat.completions.with_streaming_response.create(**body) as response:
            content, latest = bytearray(), time.monotonic() + self._seconds
            try:
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > _LARGEST:
                        raise _Broken(f"the answer is larger than {_LARGEST >> 20} MiB", passes=False)
                    if time.monotonic() > latest:
                        raise _Broken(f"the answer did not end within {self._seconds:g} s", passes=False)
            except _Broken:
                raise
            except Exception as error:  # of whichever HTTP library the client uses
                raise _Broken(f"the answer broke off: {brief(error) or type(error).__name__}", passes=True) from None
        return chat_reply.read(parse_json(bytes(content)), time.monotonic() - start)

    def _refusal(self, error: Exception) -> str:
        where = f"model {self.model!r} at {self.address}"
        return f"{where} refuses: {self.redacted(error)}; check key, address and model"

    def redacted(self, error: Exception) -> str:
        """What the error says, shortened, with the key blotted out: servers quote it."""
        return self.without_key(f"{type(error).__name__}: {error}")

    def without_key(self, text: object) -> str:
        """The text, shortened, with the key and other secrets blotted out."""
        redacted = without_secrets(str(text))
        return clean(redacted.replace(self._key, "***") if self._key else redacted)[:300]

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
        if refused := next((name for name in _OPTIONAL if name in body and name in str(error)), ""):
            self._refused_options.add(refused)
            return True
        if "response_format" not in body:
            self._format = 0  # it was not the format
            return False
        self._format = max(self._format, self._formats.index(body["response_format"]) + 1)
        return True
