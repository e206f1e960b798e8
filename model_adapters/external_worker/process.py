"""One worker process: it is started, sent one question at a time, and stopped; every failure is a `Fault`.

model_adapters/workers/protocol.py describes the messages on the pipes. A watchdog kills a process that is late, and
reads have a time-out, so that this side never hangs.
"""

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorealm_tasks.untrusted import Unreadable, brief, parse_json

PROTOCOL = 1
_LONGEST_LINE = 1 << 26  # bytes; what is longer is no answer
_LONGEST_EXCERPT = 80  # characters of an unreadable line
_LOOK = 0.5  # seconds between looks at a process that says nothing
_GRACE = 10.0  # seconds that a worker has to end by itself


class Fault(Exception):
    """The process is late, has ended, or breaks the protocol; a new one may answer."""


class WorkerRefused(Exception):
    """The worker said that it cannot serve; a new one would say the same."""


@dataclass(frozen=True)
class Hello:
    """A worker's first message."""

    model: str
    """The model's name."""
    versions: dict[str, str | None]
    """Library -> its version."""
    modalities: tuple[str, ...]
    """The combinations it takes, of "video", "audio", "video+audio" and "text"."""


class WorkerProcess:
    """A running worker; `hello` is its first message."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, seconds: float) -> None:
        """Start `command` and wait up to `seconds` for its hello; its stderr is appended to `log`.

        Raises WorkerRefused or Fault, and then the process is gone.
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
                bufsize=0,
                start_new_session=True,  # a group of its own: it can be killed whole, and ctrl-c is ours to handle
            )
        assert self._process.stdin is not None  # both were asked for
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._unread = b""
        self._latest = 0.0
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
        self._latest = time.monotonic() + seconds
        watchdog.start()
        try:
            yield
        except (Fault, OSError) as error:
            if late.is_set() or time.monotonic() > self._latest:
                raise Fault(f"it did not {what} within {seconds:g} s{self._last_words()}") from error
            raise Fault(f"{error}{self._last_words()}") from error
        finally:
            watchdog.cancel()

    def _write(self, message: Mapping[str, Any]) -> None:
        unsent = memoryview(json.dumps(message).encode() + b"\n")
        while unsent:
            unsent = unsent[self._requests.write(unsent) or 0 :]

    def _read(self) -> dict[str, Any]:
        """The next line as a JSON object. Raises Fault."""
        line = self._line()
        try:
            message = parse_json(line)
        except Unreadable:
            message = None
        if not isinstance(message, dict):
            excerpt = line.decode(errors="replace").strip()[:_LONGEST_EXCERPT]
            raise Fault(f"it wrote {excerpt!r} on its stdout, which is for the protocol alone; print to stderr there")
        return message

    def _line(self) -> bytes:
        """The next line that the process writes. Raises Fault where there comes none before the deadline."""
        parts, length = [self._unread], len(self._unread)
        while b"\n" not in parts[-1]:
            if length > _LONGEST_LINE:
                raise Fault(f"it wrote a line of more than {_LONGEST_LINE >> 20} MiB")
            ended = self._process.poll() is not None  # looked at first: what it wrote before is there by now
            if select.select([self._replies], [], [], 0 if ended else _LOOK)[0]:
                parts.append(os.read(self._replies.fileno(), 1 << 20))
                length += len(parts[-1])
                if parts[-1]:
                    continue
                ended = self._has_ended()
            if ended:  # a child of it may still hold the pipe
                where = " in the middle of a line" if length else ""
                raise Fault(f"it ended{where} with status {self._process.returncode}")
            if time.monotonic() > self._latest:
                raise Fault("it is late")
        line, _, self._unread = b"".join(parts).partition(b"\n")
        return line

    def _has_ended(self) -> bool:
        """Wait for a process that closed its end of the pipe to end."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, self._latest - time.monotonic()))
        return self._process.returncode is not None

    def _last_words(self) -> str:
        """The last line of its stderr, as the end of a message."""
        with self._log.open("rb") as file:
            file.seek(max(self._log_start, os.path.getsize(self._log) - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
        return f"; its last words: {brief(lines[-1])}" if lines else ""


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started; those may live on when it has ended itself."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _read_hello(message: dict[str, Any]) -> Hello:
    """A hello line as a Hello. Raises WorkerRefused where the worker says it cannot serve, Fault for any other line."""
    if message.get("error"):
        raise WorkerRefused(brief(message["error"]))
    if message.get("protocol") != PROTOCOL:
        protocol = brief(repr(message.get("protocol")))
        raise Fault(f"it speaks protocol {protocol}, not {PROTOCOL}; take the protocol.py beside ours")
    modalities = message.get("modalities")
    if not isinstance(modalities, list) or not modalities:
        raise Fault("its hello names no modalities")
    versions = message.get("versions") or {}
    if not isinstance(versions, dict):
        raise Fault("the versions in its hello are no object")
    all_versions = {brief(name): None if version is None else brief(version) for name, version in versions.items()}
    return Hello(brief(message.get("model")), all_versions, tuple(map(brief, modalities)))


def _check_reply(message: dict[str, Any], number: int) -> dict[str, Any]:
    """A reply to request `number`. Raises Fault where it is another one's, or neither an answer nor an error."""
    if message.get("id") != number:
        raise Fault(f"it answered request {brief(repr(message.get('id')))} when asked number {number}")
    text, error = message.get("text"), message.get("error")
    if isinstance(text, str) == isinstance(error, str):
        raise Fault("its reply must hold either a text or an error")
    media = message.get("media")
    media_facts = media if isinstance(media, dict) else {}
    counts = {name: media_facts.get(name) for name in ("frames", "audio_seconds")}
    message["media"] = {n: v for n, v in counts.items() if isinstance(v, int | float) and 0 <= v < 1e9}
    return message
