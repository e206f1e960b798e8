"""A worker that is restarted after a fault, and gets the question again."""

from collections.abc import Callable
from typing import Any

from loguru import logger

from .process import Fault, Hello, WorkerProcess


class Client:
    """Asks one worker, restarting it up to `retries` times for one question."""

    def __init__(self, start: Callable[[], WorkerProcess], timeout: float, retries: int) -> None:
        """start: starts a worker, here and again after a fault. timeout: seconds. Raises Fault or WorkerRefused."""
        self._start = start
        self._timeout = timeout
        self._retries = retries
        started = start()
        self._process: WorkerProcess | None = started
        self.hello: Hello = started.hello
        self.faults = 0
        self._number = 0

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The reply to {video, audio, prompt, generation}; {"error": MESSAGE} where no attempt brought one.

        Raises Fault or WorkerRefused where the worker does not start again.
        """
        self._number += 1
        request = {"id": self._number, **question}
        fault: Fault | None = None
        for _ in range(self._retries + 1):
            if self._process is None:
                self._process = self._start()
            try:
                return self._process.ask(request, self._timeout)
            except Fault as error:
                self._process, fault = None, error
                self.faults += 1
                logger.warning(f"external_worker: {error}")
        return {"error": f"the worker failed on it {self._retries + 1} times: {fault}"}

    def close(self) -> None:
        """End the worker; idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()
