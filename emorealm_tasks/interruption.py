"""How a long command ends at Ctrl-C or SIGTERM: within seconds, its child processes too, with one line and 130 or 143.

The first signal raises KeyboardInterrupt, so that what is half written is removed on the way out. Whatever keeps the
process from leaving (threads that wait for a server, a call that does not return), it ends after PATIENCE.
"""

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import psutil

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

PATIENCE = 3.0
"""Seconds between the signal and the end."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Arguments = ParamSpec("_Arguments")


def after_evaluation(argv: Sequence[str]) -> str:
    """How an evaluation goes on. argv: its command line."""
    cached = any(argument.partition("=")[0] == "--use_cache" for argument in argv)
    how = "the same command goes on with the answers that are there already"
    return how if cached else f"with --use_cache DIR {how}"


class _Interruption:
    """The signal that came to this process, if any, and what is to be printed of it."""

    def __init__(self, hint: str) -> None:
        self.hint = hint
        self.number = 0
        self._process = os.getpid()

    def hear(self, number: int, frame: FrameType | None) -> None:
        """The handler of SIGNALS."""
        if os.getpid() != self._process:  # a fork of it: the parent tells
            os._exit(128 + number)
        if self.number:  # a second signal: at once
            self.end()
        self.number = number
        late = threading.Timer(PATIENCE, self.end)
        late.daemon = True
        late.start()
        threading.excepthook = lambda failed: None  # threads that lose their children now have no news
        end_children()
        raise KeyboardInterrupt

    def end(self) -> None:
        """See `end_now`."""
        end_now(self.number, self.hint)


def ends_when_interrupted(hint: str) -> Callable[[Callable[_Arguments, int]], Callable[_Arguments, int]]:
    """Decorates a command's ``main``; `hint` says how to go on."""

    def decorate(main: Callable[_Arguments, int]) -> Callable[_Arguments, int]:
        @functools.wraps(main)
        def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> int:
            with interruptible(hint):
                return main(*args, **kwargs)

        return run

    return decorate


@contextlib.contextmanager
def interruptible(hint: str) -> Iterator[None]:
    """Inside the block SIGINT and SIGTERM end the process as this module says.

    A signal that someone else handles or ignores (`nohup`, an outer block of this kind) is left to them, and only the
    main thread can listen.
    """
    default = (signal.SIG_DFL, signal.default_int_handler)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    free = {number: handler for number in SIGNALS if (handler := signal.getsignal(number)) in default}
    came = _Interruption(hint)
    for number in free:
        signal.signal(number, came.hear)
    try:
        yield
    except BaseException:  # an exception that the interrupt became on its way, too
        if came.number:
            came.end()
        raise
    finally:
        for number, handler in free.items():
            signal.signal(number, handler)


def end_now(number: int, hint: str) -> NoReturn:
    """Print the line, end the children and this process; atexit's duties may wait for threads and are left out."""
    end_children()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):  # not sys.stderr, which may go to a file just now
        os.write(2, f"\nemorealm: stopped by {signal.Signals(number).name}; {hint}\n".encode())
    os._exit(128 + number)


def end_children() -> None:
    """End every process that this one started, and theirs, at once."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()


def follow_parent() -> None:
    """In a worker process: leave Ctrl-C to the parent, and end when the parent has ended, however that was."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: "BaseProcess") -> None:
    parent.join()
    os._exit(1)
