"""One worker process: started, greeted, asked one question at a time, stopped; every way it can fail is a `Fault`.

What passes over the pipes is stated in model_adapters/workers/protocol.py. A watchdog kills a process that is late, so
that no read or write here can hang.
"""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROTOCOL = 1
_LONGEST_LINE = 1 << 26  # bytes; what is longer is no answer
_SHOWN = 80  # characters of an unreadable line
_GRACE = 10.0  # seconds that a worker has to end by itself


class Fault(Exception):
    """The process is late, gone or not speaking the protocol; a fresh one may answer."""


class Refused(Exception):
    """The worker said that it cannot serve; a fresh one would say the same."""


@dataclass(frozen=True)
class Hello:
    """How a worker introduces itself."""

    model: str
    versions: dict[str, str | None]
    modalities: tuple[str, ...]
    """The combinations it takes, of "video", "audio", "video+audio" and "text"."""


class WorkerProcess:
    """A running worker; `hello` is what it said of itself."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, seconds: float) -> None:
        """Start `command` and wait up to `seconds` for its hello; its stderr is appended to `log`.

        Raises Refused or Fault, and then the process is gone.
        """
        self._log = log
        with log.open("ab") as errors:
            self._log_start = errors.tell()
            self._process = subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # a group of its own: it can be killed whole, and ctrl-c is ours to handle
            )
        assert self._process.stdin is not None  # both were asked for
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        try:
            with self._deadline(seconds, "load its model"):
                self.hello = _read_hello(self._read())
        except BaseException:
            self.kill()
            raise

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The reply to one request, within `seconds`. Raises Fault, and then the process is gone."""
        try:
            with self._deadline(seconds, "answer"):
                self._write(request)
                return _check_reply(self._read(), request["id"])
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Let the worker end by itself, kill it where it does not."""
        self._requests.close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.kill()

    def kill(self) -> None:
        """End the process and what it started, at once."""
        _kill_group(self._process)
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with suppress(BrokenPipeError):  # what was not read of our last line
                pipe.close()

    @contextmanager
    def _deadline(self, seconds: float, what: str) -> Iterator[None]:
        late = threading.Event()

        def expire() -> None:
            late.set()
            _kill_group(self._process)

        watchdog = threading.Timer(seconds, expire)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        except (Fault, OSError) as error:
            if late.is_set():
                raise Fault(f"it did not {what} within {seconds:g} s{self._last_words()}") from error
            raise Fault(f"{error}{self._last_words()}") from error
        finally:
            watchdog.cancel()

    def _write(self, message: Mapping[str, Any]) -> None:
        self._requests.write(json.dumps(message).encode() + b"\n")
        self._requests.flush()

    def _read(self) -> dict[str, Any]:
        """The next line as a JSON object. Raises Fault."""
        line = self._replies.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            if len(line) == _LONGEST_LINE:
                raise Fault(f"it wrote a line of more than {_LONGEST_LINE >> 20} MiB")
            self._process.wait()
            raise Fault(f"it ended{' in the middle of a line' if line else ''} with status {self._process.returncode}")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            shown = line.decode(errors="replace").strip()[:_SHOWN]
            raise Fault(f"it wrote {shown!r} on its stdout, which is for the protocol alone; print to stderr there")
        return message

    def _last_words(self) -> str:
        """The last line of its stderr, as the end of a message."""
        with self._log.open("rb") as file:
            file.seek(max(self._log_start, os.path.getsize(self._log) - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
        return f"; its last words: {lines[-1].strip()}" if lines else ""


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it ended between the two lines
            os.killpg(process.pid, signal.SIGKILL)


def _read_hello(message: dict[str, Any]) -> Hello:
    """A hello line as a Hello. Raises Refused where the worker says that it cannot serve, Fault where it is none."""
    if message.get("error"):
        raise Refused(str(message["error"]))
    if message.get("protocol") != PROTOCOL:
        raise Fault(f"it speaks protocol {message.get('protocol')!r}, not {PROTOCOL}; take the protocol.py beside ours")
    modalities = message.get("modalities")
    if not isinstance(modalities, list) or not modalities:
        raise Fault("its hello names no modalities")
    return Hello(str(message.get("model")), dict(message.get("versions") or {}), tuple(map(str, modalities)))


def _check_reply(message: dict[str, Any], number: int) -> dict[str, Any]:
    """A reply to request `number`. Raises Fault where it is another one's, or neither an answer nor an error."""
    if message.get("id") != number:
        raise Fault(f"it answered request {message.get('id')!r} when asked number {number}")
    text, error = message.get("text"), message.get("error")
    if isinstance(text, str) == isinstance(error, str):
        raise Fault("its reply must hold either a text or an error")
    return message
