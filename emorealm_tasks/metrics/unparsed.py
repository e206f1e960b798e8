"""Replies in which the strict reading finds nothing, though the model replied; of whatever kind that is read."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from emorealm_tasks.metrics.types import Array, Flags, ScoreFunction

RATE = "unparsed_rate"
"""The score's name."""


class ReadReply(TypedDict):
    """What this needs of a record."""

    strict: str
    """The letter or class that was read, "" for none."""
    error: str
    """Why there is no reply, "" for none."""


def unparsed(records: Sequence[ReadReply]) -> Flags:
    """Which replies they are."""
    return np.array([not record["strict"] and not record["error"] for record in records], dtype=bool)


def with_rate(
    names: Sequence[str], function: ScoreFunction, records: Sequence[ReadReply]
) -> tuple[tuple[str, ...], ScoreFunction]:
    """Names and function of some scores, and after them their share in percent."""
    none_read = unparsed(records).astype(float)

    def with_unparsed(weights: Array) -> Array:
        with np.errstate(invalid="ignore"):
            rate = 100 * (weights @ none_read) / weights.sum(axis=1)
        return np.column_stack([function(weights), rate])

    return (*names, RATE), with_unparsed
