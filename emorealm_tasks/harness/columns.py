"""The columns of lmms-eval's table beside a task's main metric: their names, and what the replies in them come to.

No name may contain another, because lmms-eval's groups pick metrics by substring.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from emorealm_tasks.harness.samples import LEFT_OUT, ColumnValue
from emorealm_tasks.metrics.intervals import Interval

BOUNDS = ("", "low", "high")
"""A score's value, and the ends of its 95% interval over clips."""
Params = ParamSpec("Params")
Result = TypeVar("Result")


class Column(NamedTuple):
    """What a metric shows: a score or a count of the task's metrics module."""

    score: str
    """Name of the score in the task's metrics module."""
    bound: str = ""
    """One of BOUNDS."""
    reading: str = "strict"
    """How replies are read: strict or official."""


UNPARSED = {"unparsed_rate": Column("unparsed_rate")}


def bounded(score_of: Mapping[str, str], reading: str) -> dict[str, Column]:
    """`<name>_<reading>`, `<name>_low_<reading>` and `<name>_high_<reading>` of each name -> score."""
    return {
        "_".join(filter(None, (name, bound, reading))): Column(score, bound, reading)
        for name, score in score_of.items()
        for bound in BOUNDS
    }


def end(interval: Interval, bound: str) -> float | None:
    """The end of an interval that a column shows."""
    return interval[BOUNDS.index(bound) - 1]


def metric_list(
    main: str,
    of_main: Callable[[Any], float | None],
    names: Iterable[str],
    of_column: Callable[[Sequence[ColumnValue]], float | None],
) -> list[dict[str, Any]]:
    """lmms-eval's `metric_list`: the main metric, the columns, and the counts of what was left out."""
    return [
        {"metric": main, "aggregation": of_main, "higher_is_better": True},
        *(
            {"metric": name, "aggregation": of_column, "higher_is_better": _better(name)}
            for name in [*names, *LEFT_OUT]
        ),
    ]


def _better(name: str) -> bool:
    """Whether more of it is better."""
    return not name.startswith(("unparsed", "errors", "dropped", "unjudged", *LEFT_OUT)) and not name.endswith("spread")


def aggregate(replies: Sequence[ColumnValue], value: Callable[[str, list[Any]], float | None]) -> float | None:
    """The value of the column that the replies belong to: a count of what was left out, or of its name and records."""
    name = replies[0].metric
    if name in LEFT_OUT:
        return float(replies[0].record[name])
    return value(name, [reply.record for reply in replies])


class LastResult(Generic[Params, Result]):
    """A function that keeps its last result: a task's columns ask for the same one after the other.

    Two calls ask for the same where `key` of their arguments is equal, or without it the arguments are.
    """

    def __init__(self, function: Callable[Params, Result], key: Callable[Params, object] | None = None) -> None:
        self._function, self._key = function, key
        self._last: tuple[object, Result] | None = None

    def __call__(self, *args: Params.args, **kwargs: Params.kwargs) -> Result:
        """The function's result."""
        call_key = self._key(*args, **kwargs) if self._key else (args, kwargs)
        if self._last is None or self._last[0] != call_key:
            self._last = call_key, self._function(*args, **kwargs)
        return self._last[1]
