"""Tables for a terminal of 80 columns, by `rich`; what is piped elsewhere has the same width and no colours."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 80


def table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head, the first column words, all others numbers; ends in a newline. At most WIDTH wide."""
    rich_table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    rich_table.padding = (0, 1, 0, 0)
    for place, head in enumerate(rows[0]):
        rich_table.add_column(head, justify="right" if place else "left", overflow="fold")
    for row in rows[1:]:
        rich_table.add_row(*row)
    return (text(title) if title else "") + text(rich_table)


def text(content: Table | str) -> str:
    """What a console shows, with broken lines where it is wider than WIDTH; no line ends in spaces."""
    console = Console(width=WIDTH, markup=False, highlight=False, no_color=True, emoji=False)
    with console.capture() as capture:
        console.print(content)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join(line for line in lines if line) + "\n"
