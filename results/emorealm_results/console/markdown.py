"""Markdown tables, and scores as their cells."""

from collections.abc import Mapping

from emorealm_tasks.markdown import table

__all__ = ["interval", "table", "value"]

_DASH = "–"


def value(score: Mapping[str, float | None] | None, digits: int = 1) -> str:
    """A score's ``value``, a dash where there is none."""
    return _DASH if score is None or score["value"] is None else f"{score['value']:.{digits}f}"


def interval(score: Mapping[str, float | None] | None, digits: int = 1) -> str:
    """A score's ``value`` with ``low`` and ``high``, as far as it has them."""
    if score is None or score["value"] is None or score["low"] is None:
        return value(score, digits)
    return f"{value(score, digits)} [{score['low']:.{digits}f}, {score['high']:.{digits}f}]"
