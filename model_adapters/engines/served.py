"""The base of chat models that live on a server: several requests at a time, failures counted, cost shown.

A request that fails is answered `[LMMS_EVAL_REQUEST_FAILED] reason`, and the run stops once more than `max_errors` of
its requests failed; a server that refuses the key, the address or the model stops it at once. What the server's own
filter blocked reads `[SAFETY_BLOCKED:REASON]`: no answer either, but no fault that a rerun would mend.
"""

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
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
from emorealm_tasks.threads import as_completed
from model_adapters.base import arguments
from model_adapters.base.chat import ChatArguments, ChatAV, ChatRequest
from model_adapters.base.failures import ErrorBudget, cut

from .cost import Answer, Cost, prices


@dataclass(frozen=True)
class ServerArguments(ChatArguments):
    """The `--model_args` of every model on a server, beside those of `ChatArguments`."""

    model: str | None = None
    """Its name on the server."""
    concurrency: int = 8
    """The most requests under way at once."""
    timeout: float = 300.0
    """Seconds to wait for an answer."""
    retries: int = 6
    """How often a request is sent again after a fault that may pass."""
    price: str | None = None
    """Dollars for a million tokens, IN;OUT or IN;OUT;SOUND, for the cost shown at the end."""
    key: str | None = None
    """The name of the environment variable that holds the key."""
    batch_size: int | str = 1
    """Must be 1: requests are sent one by one, several at a time (`concurrency`)."""
    device: str | None = None
    """For lmms-eval, which exchanges counts between processes there; the model is elsewhere."""


class ServedChat(ChatAV):
    """A chat model on a server. See `ServerArguments` for its arguments."""

    def __init__(self, model: str, chosen: ServerArguments) -> None:
        super().__init__(chosen)
        if arguments.batch_size(chosen.batch_size, self.name) != 1:
            stop(
                f"{self.name}: batch_size={chosen.batch_size}: requests are sent one by one; say concurrency=N instead"
            )
        self.device = arguments.choose_device(chosen.device, self.name)
        self.concurrency = int(arguments.number("concurrency", chosen.concurrency, 1, 1000, self.name))
        self.timeout = arguments.number("timeout", chosen.timeout, 0.1, 1e6, self.name)
        self.retries = int(arguments.number("retries", chosen.retries, 0, 100, self.name))
        self.cost = Cost(model, prices(chosen.price, self.name))
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
        order = sorted(range(len(chats)), key=lambda number: str(chats[number].clip))
        tried = as_completed(lambda number: self._try(chats[number]), order, self.concurrency)
        try:
            with closing(tried), tqdm(tried, total=len(chats), disable=self.rank != 0, desc=self.name) as bar:
                for number, answer in bar:
                    answers[number] = self._result(answer, chats[number], budget)
                    response_cache.keep(requests[number], answers[number])
        except ServerRefuses as error:
            stop(f"{self.name}: {error}")
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
            return GenerationResult(budget.spend(self.failure_text(answer)))
        self.cost.add(answer, request.task)
        answer_tokens = answer.tokens_out - answer.tokens_thought
        return GenerationResult(
            cut(answer.text, request.until), TokenCounts(answer.tokens_in, answer_tokens, answer.tokens_thought)
        )

    @staticmethod
    def failure_text(error: Exception) -> str:
        """What went wrong with a request, on one line."""
        return arguments.first_line(error) if isinstance(error, RequestFailed) else ChatAV.failure_text(error)


def read_key(variables: Sequence[str]) -> str:
    """The first of the environment variables that is set; "" where none is."""
    return next((os.environ[name] for name in variables if os.environ.get(name)), "")


class OncePerKey:
    """`compute(key)`, called once for each key however many threads ask; an exception is raised again.

    limit: the most values in memory, the oldest dropped first; None = all.
    """

    def __init__(self, compute: Callable[[Any], Any], limit: int | None = None) -> None:
        self._compute = compute
        self._limit = limit
        self._lock = Lock()
        self.futures: dict[Any, Future[Any]] = {}

    def __call__(self, key: Any) -> Any:
        """The value for the key."""
        with self._lock:
            first = key not in self.futures
            future = self.futures.setdefault(key, Future())
            if self._limit and len(self.futures) > self._limit:
                del self.futures[next(iter(self.futures))]
        if first:
            try:
                future.set_result(self._compute(key))
            except Exception as error:
                future.set_exception(error)
        return future.result()
