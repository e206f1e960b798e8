"""The base of chat models that live on a server: several requests at a time, failures counted, cost shown.

A request that fails is answered `[LMMS_EVAL_REQUEST_FAILED] reason`, and the run stops once more than `max_errors` of
its requests failed; a server that refuses the key, the address or the model stops it at once. What the server's own
filter blocked reads `[SAFETY_BLOCKED:REASON]`: no answer either, but no fault that a rerun would mend.
"""

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from threading import Lock
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.models.model_utils.usage_metrics import is_budget_exceeded
from loguru import logger
from tqdm import tqdm

from emorealm_tasks.chat_client import RequestFailed, ServerRefuses
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import request_settings, response_cache
from emorealm_tasks.harness.failures import OUT_OF_TOKENS
from model_adapters.base import arguments
from model_adapters.base.chat import ChatAV, ChatRequest
from model_adapters.base.failures import ErrorBudget, cut

from .cost import Answer, Cost, prices

ARGUMENTS = (
    "model",
    "system",
    "modalities",
    "fps",
    "frames",
    "max_errors",
    "concurrency",
    "timeout",
    "retries",
    "price",
    "key",
    "batch_size",
    "device",
)


class ServedChat(ChatAV):
    """See `ChatAV` for system, modalities, fps, frames and max_errors.

    model: its name on the server.
    concurrency: the most requests under way at once.
    timeout: seconds to wait for an answer. retries: how often a request is sent again after a fault that may pass.
    price: dollars for a million tokens, IN;OUT or IN;OUT;SOUND, for the cost shown at the end.
    key: the name of the environment variable that holds the key.
    batch_size: must be 1 (see concurrency). device: taken for lmms-eval's sake; the model is elsewhere.
    """

    def __init__(
        self,
        model: str,
        concurrency: int = 8,
        timeout: float = 300.0,
        retries: int = 6,
        price: str | None = None,
        batch_size: int | str = 1,
        device: str | None = None,
        **about_clips: Any,
    ) -> None:
        super().__init__(**about_clips)
        if arguments.batch_size(batch_size, self.name) != 1:
            stop(f"{self.name}: batch_size={batch_size}: requests are sent one by one; say concurrency=N instead")
        self.device = arguments.choose_device(device, self.name)  # where lmms-eval exchanges counts between ranks
        self.concurrency = int(arguments.number("concurrency", concurrency, 1, 1000, self.name))
        self.timeout = arguments.number("timeout", timeout, 0.1, 1e6, self.name)
        self.retries = int(arguments.number("retries", retries, 0, 100, self.name))
        self.cost = Cost(model, prices(price, self.name))
        self.fingerprint = model

    @abstractmethod
    def answer(self, request: ChatRequest) -> Answer:
        """Ask the server. Raises RequestFailed or MediaError, and ServerRefuses where nothing can be asked."""

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """An answer to each request; requests about one clip follow one another."""
        request_settings.note(self.ways())
        chats = [self.read_request(request) for request in requests]
        answers: list[GenerationResult | None] = [None] * len(chats)
        budget = ErrorBudget(self.name, self.max_errors, len(chats), self._reported, "")
        with ThreadPoolExecutor(self.concurrency) as pool:
            order = sorted(range(len(chats)), key=lambda number: str(chats[number].clip))
            under_way = {pool.submit(self._try, chats[number]): number for number in order}
            try:
                for done in tqdm(as_completed(under_way), total=len(chats), disable=self.rank != 0, desc=self.name):
                    number = under_way[done]
                    answers[number] = self._result(done.result(), chats[number], budget)
                    response_cache.keep(requests[number], answers[number])
            except ServerRefuses as error:
                pool.shutdown(wait=False, cancel_futures=True)
                stop(f"{self.name}: {error}")
            except BaseException:  # also Ctrl-C: what waits is dropped
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        logger.info(f"{self.name}: {self.cost}")
        return answers

    def read_request(self, instance: Instance) -> ChatRequest:
        """As `ChatAV.read_request`; stops where a task wants beams, which servers do not offer."""
        request = super().read_request(instance)
        if request.generation["num_beams"] > 1:
            stop(f"{self.name}: task {request.task} asks for beams; servers decode greedily or sample (num_beams=1)")
        return request

    def _try(self, request: ChatRequest) -> Answer | Exception | None:
        """None beyond lmms-eval's budget of tokens."""
        if is_budget_exceeded():
            return None
        try:
            return self.answer(request)
        except ServerRefuses:
            raise
        except Exception as error:  # counted and reported by the caller
            return error

    def _result(self, answer: Answer | Exception | None, request: ChatRequest, budget: ErrorBudget) -> GenerationResult:
        if answer is None:
            return GenerationResult(OUT_OF_TOKENS)
        if isinstance(answer, Exception):
            return GenerationResult(budget.spend(self.said(answer)))
        self.cost.add(answer, request.task)
        shown = answer.tokens_out - answer.tokens_thought
        return GenerationResult(
            cut(answer.text, request.until), TokenCounts(answer.tokens_in, shown, answer.tokens_thought)
        )

    @staticmethod
    def said(error: Exception) -> str:
        """What went wrong with a request, on one line."""
        return arguments.first_line(error) if isinstance(error, RequestFailed) else ChatAV.said(error)


def read_key(variables: Sequence[str]) -> str:
    """The first of the environment variables that is set; "" where none is."""
    return next((os.environ[name] for name in variables if os.environ.get(name)), "")


class Once:
    """`make(key)`, called once for each key however many threads ask; what it raised is raised again.

    keep: the most values held, the oldest dropped first; None = all.
    """

    def __init__(self, make: Callable[[Any], Any], keep: int | None = None) -> None:
        self._make = make
        self._keep = keep
        self._lock = Lock()
        self.made: dict[Any, Future[Any]] = {}

    def __call__(self, key: Any) -> Any:
        """The value for the key."""
        with self._lock:
            first = key not in self.made
            made = self.made.setdefault(key, Future())
            if self._keep and len(self.made) > self._keep:
                del self.made[next(iter(self.made))]
        if first:
            try:
                made.set_result(self._make(key))
            except Exception as error:
                made.set_exception(error)
        return made.result()
