"""``emorealm tasks``: every task and group that lmms-eval gets from this package, with a line on what it asks."""

from collections.abc import Sequence

from emorealm_results.console import listing
from emorealm_tasks.command_line import Parser
from emorealm_tasks.plugin import FOLDER, describe


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm tasks", description=__doc__)
    parser.add_argument("--path", action="store_true", help="the folder of their files, for lmms-eval's --include_path")
    if parser.parse_args(argv).path:
        print(FOLDER)
        return 0
    for name, line in describe().items():
        print(listing.line(name, line, 42))
    return 0
