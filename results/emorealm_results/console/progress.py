"""What a verb that takes a while is doing, a line for each step, on stderr."""

import sys
import time

_begun = time.monotonic()


def step(what: str) -> None:
    """Print the step that begins, after the seconds since the start."""
    print(f"emorealm: {time.monotonic() - _begun:4.0f} s  {what}", file=sys.stderr, flush=True)
