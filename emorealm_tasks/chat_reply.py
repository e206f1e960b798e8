"""What a server of the chat API answered -> a reply, or why there is none; whatever the body is.

Servers differ: content as text or as a list of parts, thoughts in the text, errors with status 200, null anywhere.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emorealm_tasks.answers import thinking
from emorealm_tasks.untrusted import brief, reply_text

_PASSING_CODES = (408, 409, 425, 429)
_PASSING_WORDS = re.compile(
    r"rate.?limit|too.many.requests|overload|time.?out|server.?error|unavailable", re.IGNORECASE
)
_TEXT_PARTS = ("text", "output_text", "", None)


class ErrorBody(Exception):
    """The body says that something went wrong, whatever its status; the message is the server's own.

    code: as HTTP's, 0 where there is none. passes: whether it may be gone the next time.
    """

    def __init__(self, message: str, code: int, passes: bool) -> None:
        super().__init__(message)
        self.code = code
        self.passes = passes


@dataclass(frozen=True)
class ChatReply:
    """What a server answered."""

    text: str
    """The text, without the thoughts."""
    tokens_in: int
    """Tokens of the request, 0 where the server does not count."""
    tokens_out: int
    """Tokens of the answer, 0 where the server does not count."""
    seconds: float
    """How long it took."""
    finish: str = ""
    """Why the text ends where it does, in the server's word; `refusal` where the model refuses."""
    tokens_sound: int = 0
    """Of the tokens in, those of sound."""
    tokens_thought: int = 0
    """Of the tokens out, those not shown."""
    written: str = ""
    """The text with the thoughts in it, where there were any."""
    no_text_reason: str = ""
    """Why there is no text, in words; "" where there is one."""


def read(body: Any, seconds: float = 0.0) -> ChatReply:
    """The reply in the body of an answer, thoughts taken out of its text. Raises ErrorBody."""
    answer = _object(body)
    choice = _object(_first(answer.get("choices")))
    message = _object(choice.get("message"))
    content = message.get("content")
    if content is None:
        content = choice.get("text")  # the older API's
    written = _text(content)
    text = thinking.without(written).strip()
    refusal = message.get("refusal") or next((part["refusal"] for part in _parts(content) if part.get("refusal")), None)
    if not text and not refusal and (error := _error(body, answer, choice)):
        raise error
    usage = _object(answer.get("usage"))
    finish = choice.get("finish_reason")
    finish = "refusal" if refusal else finish if isinstance(finish, str) else ""
    return ChatReply(
        text=text,
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        seconds=seconds,
        finish=brief(finish),
        tokens_sound=_count(_object(usage.get("prompt_tokens_details")).get("audio_tokens")),
        tokens_thought=_count(_object(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        written=written,
        no_text_reason="" if text else _why_no_text(message, written, finish),
    )


def _error(body: Any, answer: Mapping[str, Any], choice: Mapping[str, Any]) -> ErrorBody | None:
    """What a body without a text says of an error."""
    error: Any = answer.get("error") or choice.get("error") or answer.get("detail")
    if not error and not isinstance(body, dict):
        return ErrorBody(f"the server answered {brief(body)!r}, which is no answer of the chat API", 0, False)
    if not error and (answer.get("object") == "error" or "choices" not in answer) and answer.get("message"):
        error = answer
    if not error:
        return None
    about = _object(error)
    codes = [about.get("code"), about.get("status"), answer.get("code"), answer.get("status")]
    code = next((int(str(one)) for one in codes if re.fullmatch(r"\d{3}", str(one))), 0)
    words = " ".join(brief(about.get(name)) for name in ("type", "code", "status") if about.get(name))
    passes = code in _PASSING_CODES or code >= 500 or (not code and bool(_PASSING_WORDS.search(words)))
    message = brief(about.get("message") or error)
    return ErrorBody(f"the server answered with an error: {message}{f' ({words})' if words else ''}", code, passes)


def _why_no_text(message: Mapping[str, Any], written: str, finish: str) -> str:
    tool_call = message.get("tool_calls") or message.get("function_call")
    if tool_call:
        tool_name = _object(_object(_first(tool_call)).get("function") or tool_call).get("name")
        return f"it called the tool {brief(tool_name)!r} instead of answering"
    thought = written or message.get("reasoning_content") or message.get("reasoning")
    ended = f"finish_reason={finish or 'none'}"
    if thought:
        return f"it thought and did not answer ({ended})"
    return f"the server answered without a text ({ended})"


def _text(content: Any) -> str:
    """Content as text: a list's parts joined, without those that are no part of the answer."""
    if isinstance(content, list | dict):
        return "".join(reply_text(part.get("text")) for part in _parts(content) if part.get("type", "") in _TEXT_PARTS)
    return reply_text(content)


def _parts(content: Any) -> Iterator[Mapping[str, Any]]:
    """The parts of a content; a text among them is one too."""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield {"text": part}
        elif isinstance(part, dict):
            text = part.get("text")
            yield part | {"text": text.get("value")} if isinstance(text, dict) else part


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else 0
