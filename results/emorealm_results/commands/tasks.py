"""``emorealm tasks``: every task and group that lmms-eval gets from this package, with a line on what it asks."""

from collections.abc import Sequence

from emorealm_tasks.command_line import Parser
from emorealm_tasks.plugin import describe


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    Parser(prog="emorealm tasks", description=__doc__).parse_args(argv)
    for name, line in describe().items():
        print(f"{name:<48}{line}")
    return 0
