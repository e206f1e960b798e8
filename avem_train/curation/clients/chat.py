"""Any server that speaks OpenAI's chat API (vLLM, Ollama, OpenAI itself) as a client of the stages."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from threading import Lock
from typing import Any

from avem_train.curation.asking.protocol import Completion
from avem_train.curation.asking.requests import Medium, Picture, Request
from emorealm_tasks.chat_client import ChatClient, RequestFailed
from emorealm_tasks.media import MediaError, as_wav, read_frames
from model_adapters.engines import payloads


class ChatServer:
    """Asks one model. Structured output is asked for by JSON schema, else as any JSON, else in words alone."""

    def __init__(
        self, model: str, key: str, base_url: str | None, *, timeout: float, retries: int, max_tokens: int, seed: int
    ) -> None:
        self._model = model
        self._options = {"temperature": 0, "seed": seed, "max_tokens": max_tokens}
        self._open = partial(ChatClient, model, key, base_url, timeout=timeout, retries=retries, options=self._options)
        self._clients: dict[str, ChatClient] = {}
        self._lock = Lock()

    @property
    def identity(self) -> Mapping[str, Any]:
        """Model and generation settings; not the address: the same model on another machine answers the same."""
        return {"kind": "openai", "model": self._model, **self._options}

    def complete(self, request: Request[Any], repair: Sequence[str] = ()) -> Completion:
        """See `Client`."""
        reply = self._client(request).answer(_chat(request, repair))
        return Completion(reply.text, reply.tokens_in, reply.tokens_out, reply.seconds, reply.no_text_reason)

    @cached_property
    def server(self) -> ChatClient:
        """See `BatchClient`."""
        return self._open()

    def body(self, request: Request[Any], repair: Sequence[str] = ()) -> Mapping[str, Any]:
        """See `BatchClient`: in the form that a request with the same form of reply was answered in."""
        return self._client(request).body(_chat(request, repair))

    def _client(self, request: Request[Any]) -> ChatClient:
        """The client for replies of that form: what a server supports is found out once for each."""
        form = json.dumps(request.schema)  # not its name: forms of one name may be narrowed to different texts
        with self._lock:
            if form not in self._clients:
                schema = {"name": request.reply.__name__, "strict": True, "schema": request.schema}
                formats = ({"type": "json_schema", "json_schema": schema}, {"type": "json_object"}, None)
                self._clients[form] = self._open(formats=formats)
            return self._clients[form]


def _chat(request: Request[Any], repair: Sequence[str]) -> list[dict[str, Any]]:
    """The request as messages. Raises RequestFailed where a medium cannot be read."""
    try:
        media = [part for medium in request.media for part in _parts(medium)]
    except MediaError as error:
        raise RequestFailed(str(error)) from None
    text = {"type": "text", "text": request.text}
    chat: list[dict[str, Any]] = [{"role": "user", "content": [*media, text] if media else request.text}]
    for role, words in zip(("assistant", "user"), repair, strict=False):
        chat.append({"role": role, "content": words})
    return chat


def _parts(medium: Medium) -> list[dict[str, Any]]:
    """A medium as parts of a chat message: JPEG frames, or a wav. Raises MediaError."""
    if isinstance(medium, Picture):
        frames, _ = read_frames(medium.path, medium.frames)
        uris = [payloads.data_uri("image/jpeg", payloads.jpeg(frame)) for frame in frames]
        return [{"type": "image_url", "image_url": {"url": uri}} for uri in uris]
    with tempfile.TemporaryDirectory(prefix="emorealm-sound-") as folder:  # asked once: the reply is kept, not the wav
        sound = payloads.base64(as_wav(medium.path, folder).read_bytes())
    return [{"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}}]
