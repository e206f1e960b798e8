"""``emorealm audit``: recomputes what can be recomputed in the paper's tables and prints every cell that disagrees."""

from collections.abc import Sequence
from pathlib import Path

from emorealm_results.paper import printed
from emorealm_results.paper.audit import check, render
from emorealm_tasks.command_line import Parser


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0 (that tables disagree is a finding, not a failure)."""
    parser = Parser(prog="emorealm audit", description=__doc__)
    parser.add_argument("--published", type=Path, default=printed.FOLDER, metavar="DIR", help="folder of table_*.yaml")
    arguments = parser.parse_args(argv)
    print(render(check(printed.load(arguments.published))), end="")
    return 0
