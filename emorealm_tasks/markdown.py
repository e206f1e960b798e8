"""Rows of strings -> a Markdown table whose columns also line up in a terminal."""

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head, all rows have one length; bars and line breaks in cells are defused, none ends it."""
    rows = [[" ".join(cell.replace("|", r"\|").split()) if cell else cell for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    head, *body = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([head, rule, *body])
