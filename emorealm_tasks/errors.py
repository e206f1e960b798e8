"""Error messages: one clear line, no traceback, exit code 2; and warnings that let a run go on.

Also how a command ends whose output nobody reads any longer.
"""

import atexit
import functools
import os
import select
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

_Arguments = ParamSpec("_Arguments")
_STDOUT = 1
_UNREAD = 141
"""What a shell says of a program that SIGPIPE ended."""
_LONGEST = 2000
"""Characters of a line: a message may quote what somebody else wrote."""


def stop(message: str) -> NoReturn:
    """Print `message` on stderr and leave with exit code 2.

    `message` says what is wrong, where, and what to do. Inside lmms-eval this must be SystemExit: a plain exception
    raised while tasks load is retried five times, wrapped, and ends with exit code 0.
    """
    _print(message)
    raise SystemExit(2)


def ends_with_its_reader(main: Callable[_Arguments, int]) -> Callable[_Arguments, int]:
    """A command's ``main`` that ends quietly, with 141, when the reader of its output has gone (``| head``).

    SIGPIPE itself stays ignored: a worker or a server that hangs up is an error, which must be reported.
    """

    @functools.wraps(main)
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> int:
        """Run the command; the status, 141 where nobody reads on."""
        try:
            try:
                return main(*args, **kwargs)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except BrokenPipeError:
            if not _unread():
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)  # where the interpreter flushes what is left
            return _UNREAD

    return run


def _unread() -> bool:
    output = select.poll()
    output.register(_STDOUT, select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in output.poll(0))


def warn_once(what: str, message: str) -> None:
    """Print `message` on stderr, the first time only that there is one about `what` in this process."""
    if what not in _warned:
        _warned.add(what)
        _print(message)


_warned: set[str] = set()


class DataAbsent(SystemExit):
    """A data set that is not there. A run of several may go on without it (EMOREALM_ALLOW_MISSING), others stop."""


def absent(message: str) -> NoReturn:
    """As `stop`, because a whole data set cannot be used."""
    _print(message)
    raise DataAbsent(2)


def _print(message: str) -> None:
    print(f"emorealm: {shown(message)}", file=sys.stderr, flush=True)


def shown(message: str) -> str:
    """The message as a terminal may have it: no control characters from outside, and no line without end."""
    return "\n".join(_shortened("".join(map(_printable, line))) for line in message.split("\n"))


def _printable(character: str) -> str:
    harmless = character == "\t" or character.isprintable()
    return character if harmless else ascii(character)[1:-1]


def _shortened(line: str) -> str:
    """The line without its middle, where it is too long: where and what to do stand at its ends."""
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} [...] {line[-half:]}"


_failures: list[str] = []


def fail_at_end(message: str) -> None:
    """Say it now, and when the process ends say it again and exit with status 2.

    Raised at once, an error would cost the harness everything it has not saved yet, other tasks' answers included.
    """
    _print(message)
    if not _failures:
        atexit.register(_exit)
    _failures.append(message)


def _exit() -> None:
    for message in _failures:
        print(f"emorealm: FAILED: {message}", file=sys.stderr)
    atexit.unregister(_exit)
    atexit._run_exitfuncs()  # the others' last duties: nothing but leaving at once sets the status from here
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)
