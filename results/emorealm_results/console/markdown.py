"""Rows of strings -> a Markdown table whose columns also line up in a terminal."""

from collections.abc import Mapping, Sequence

_DASH = "–"


def table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head, all rows have one length; bars and line breaks in cells are defused, none ends it."""
    rows = [[" ".join(cell.replace("|", r"\|").split()) if cell else cell for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    head, *body = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([head, rule, *body])


def value(score: Mapping[str, float | None] | None, digits: int = 1) -> str:
    """A score's ``value``, a dash where there is none."""
    return _DASH if score is None or score["value"] is None else f"{score['value']:.{digits}f}"


def interval(score: Mapping[str, float | None] | None, digits: int = 1) -> str:
    """A score's ``value`` with ``low`` and ``high``, as far as it has them."""
    if score is None or score["value"] is None or score["low"] is None:
        return value(score, digits)
    return f"{value(score, digits)} [{score['low']:.{digits}f}, {score['high']:.{digits}f}]"
