"""How a user's mistake ends: one clear line, no traceback, exit code 2."""

import sys
from typing import NoReturn


def stop(message: str) -> NoReturn:
    """Print `message` on stderr and leave with exit code 2.

    `message` says what is wrong, where, and what to do. Inside lmms-eval this must be SystemExit: a plain exception
    raised while tasks load is retried five times, wrapped, and ends with exit code 0.
    """
    print(f"emorealm: {message}", file=sys.stderr, flush=True)
    raise SystemExit(2)


class DataAbsent(SystemExit):
    """A data set that is not there. A run of several may go on without it (EMOREALM_ALLOW_MISSING), others stop."""


def absent(message: str) -> NoReturn:
    """As `stop`, because a whole data set cannot be used."""
    print(f"emorealm: {message}", file=sys.stderr, flush=True)
    raise DataAbsent(2)
