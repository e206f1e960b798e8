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
