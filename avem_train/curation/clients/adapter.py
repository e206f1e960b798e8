"""A model of this package, in this process or a worker's, as a client of the stages: a local omni model as captioner.

It takes the whole clip as its adapter samples it (`args: {frames: 8}` in the recipe), so a request's own number of
frames does not count; and nothing but the prompt tells it the form of its reply.
"""

import queue
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any

from avem_train.curation.asking.protocol import Completion
from avem_train.curation.asking.requests import Picture, Request
from avem_train.curation.clients.settings import ClientSettings
from emorealm_tasks.chat_client import RequestFailed
from emorealm_tasks.errors import stop
from emorealm_tasks.harness.failures import is_failure
from emorealm_tasks.media import MediaError, as_wav
from model_adapters import catalogue

_TASK = "curation"
_Waiting = tuple[list[dict[str, str]], "Future[Completion]"]


class AdapterModel:
    """Asks a model of `emorealm models`. Requests of several threads are answered together, as a batch."""

    def __init__(self, settings: ClientSettings) -> None:
        """Stops where there is no such model."""
        if settings.model not in {model.name for model in catalogue.MODELS}:
            stop(f"a client's model is {settings.model!r}: none of `emorealm models`")
        self._settings = settings
        self._lock = Lock()
        self._model: Any = None
        self._waiting: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()

    @property
    def identity(self) -> Mapping[str, Any]:
        """Model, weights and generation settings."""
        weights = str(getattr(self._loaded(), "fingerprint", ""))
        return {
            "kind": "adapter",
            "model": self._settings.model,
            "args": dict(self._settings.args),
            "weights": weights,
            "max_tokens": self._settings.max_tokens,
        }

    def complete(self, request: Request[Any], repair: Sequence[str] = ()) -> Completion:
        """See `Client`. A second attempt is one turn too: these models answer single turns."""
        self._loaded()
        text = "\n\n".join([request.text, *repair[1:]])
        # the reply is kept, the wav is not: nobody asks for it twice
        with tempfile.TemporaryDirectory(prefix="emorealm-sound-") as folder:
            try:
                content = [_part(medium, folder) for medium in request.media]
            except MediaError as error:
                raise RequestFailed(str(error)) from None
            answer: Future[Completion] = Future()
            self._waiting.put(([*content, {"type": "text", "text": text}], answer))
            return answer.result()

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                from lmms_eval.models import get_model

                args = {"batch_size": self._settings.concurrency} | self._settings.args
                self._model = get_model(self._settings.model)(**args)
                Thread(target=self._answer_all, daemon=True, name="curation-adapter").start()
            return self._model

    def _answer_all(self) -> None:
        """Take what waits, answer it together, and so on."""
        while True:
            batch = [self._waiting.get()]
            while len(batch) < self._settings.concurrency:
                try:
                    batch.append(self._waiting.get(timeout=0.05))  # threads that follow at once join this batch
                except queue.Empty:
                    break
            try:
                texts = self._texts([content for content, _ in batch])
            except Exception as error:
                for _, answer in batch:
                    answer.set_exception(RequestFailed(f"{self._settings.model}: {error}"))
                continue
            for (_, answer), text in zip(batch, texts, strict=True):
                if is_failure(text):
                    answer.set_exception(RequestFailed(f"{self._settings.model}: {text}"))
                else:
                    answer.set_result(Completion(text))

    def _texts(self, contents: Sequence[list[dict[str, str]]]) -> list[str]:
        """The model's answers to single turns, as lmms-eval would ask them."""
        from lmms_eval.api.instance import Instance

        model = self._model
        model.task_dict[_TASK] = {"train": list(contents)}
        generation = {"max_new_tokens": self._settings.max_tokens, "temperature": 0, "do_sample": False, "until": []}
        requests = [
            Instance(
                request_type="generate_until",
                arguments=("", _messages, dict(generation), number, _TASK, "train"),
                idx=0,
                metadata={"task": _TASK, "doc_id": number, "repeats": 1},
            )
            for number in range(len(contents))
        ]
        return [str(getattr(answer, "text", answer)) for answer in model.generate_until(requests)]


def _messages(content: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def _part(medium: Any, folder: str) -> dict[str, str]:
    """A medium as an item of a message; a sound that must be extracted goes to the folder. Raises MediaError."""
    if isinstance(medium, Picture):
        return {"type": "video", "url": str(medium.path)}
    return {"type": "audio", "url": str(as_wav(medium.path, folder))}
