"""A dry run of a model: everything that its run looks at before anything that takes long or costs money, and no more.

`emorealm check --model` makes one, so that it refuses what the run refuses, in the same words.
"""

from collections.abc import Callable

_under_way: list[bool] = []


class _Ready(Exception):
    """Nothing was found that the run would refuse."""

    def __init__(self, server: str) -> None:
        super().__init__()
        self.server = server


def ends_here(server: str = "") -> None:
    """What an adapter calls before it loads weights, starts a worker or asks a server: a dry run ends there.

    server: the address of the server that it would ask, without anything secret.
    """
    if _under_way:
        raise _Ready(server)


def of(make: Callable[[], object]) -> str:
    """Make a model up to there, and say which server it would ask. Stops as the run would (exit status 2)."""
    _under_way.append(True)
    try:
        make()
    except _Ready as ready:
        return ready.server
    finally:
        _under_way.pop()
    return ""
