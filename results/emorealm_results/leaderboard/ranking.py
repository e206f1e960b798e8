"""Rows of runs and of the paper -> what every form of the leaderboard shows: tables, ranks, floors, comparisons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emorealm_results.leaderboard.score_rows import ScoreRow
from emorealm_results.paper.layouts import GROUP, Layout
from emorealm_results.paper.printed import Cell
from emorealm_tasks.metrics import TASKS

_PREFERRED = (13, 14, 15, 2, 5, 16, 3)
"""Where a number is printed in several tables, the first of these is compared with."""


READING = "strict"
"""The reading that the page opens in and the Markdown shows: that of `emorealm compare` and the first of `table`."""


@dataclass(frozen=True)
class Line:
    """One line of a table: a model as one run, or the paper, has it."""

    source: str
    """measured or published."""
    model: str
    """Name of the run, or of the model in the paper."""
    modality: str
    """What the model was given: "A", "V" or "A,V"; "" where unknown."""
    part: str
    """As in `ScoreRow`."""
    run: int | None
    """Number of the measured run, from 0; None for the paper."""
    cells: tuple[ScoreRow | None, ...]
    """One a column of the layout; None where there is no score."""
    marks: tuple[str, ...]
    """Why the run is not ranked; () where it is whole."""
    rank: int | None
    """From 1; None where the line is not ranked."""


def published_rows(cells: Iterable[Cell]) -> list[ScoreRow]:
    """The paper's cells about models, as rows; the released code made them, so their reading is "official"."""
    rows = []
    for cell in cells:
        if cell.model and cell.table in (*_PREFERRED, 17, 18) and not cell.metric.startswith("gain_"):
            benchmark = GROUP if cell.task in (*TASKS, GROUP) else cell.task
            what = (benchmark, False, cell.task, "full", cell.metric, "official", cell.value)
            rows.append(ScoreRow("published", cell.model, cell.modality, *what, table=cell.table, note=cell.note))
    return rows


def lines(
    rows: Sequence[ScoreRow], layout: Layout, mini: bool, reading: str, abouts: Sequence[Mapping[str, Any]]
) -> list[Line]:
    """The lines of a table, ranked lines first and best first.

    Only whole runs are ranked: full part, no --limit, no missing question, and the ranking score defined.
    """
    columns = {(column.task, column.metric): place for place, column in enumerate(layout.columns)}
    cells_of: dict[tuple[Any, ...], list[ScoreRow | None]] = {}
    for row in sorted(rows, key=preference):
        place = columns.get((row.task, row.metric))
        if place is not None and row.mini == mini and (row.reading == reading or row.source == "published"):
            cells = cells_of.setdefault((row.source, row.model, row.modality, row.part, row.run), [None] * len(columns))
            cells[place] = cells[place] or row
    all_lines = []
    for (source, model, modality, part, run), cells in cells_of.items():
        marks = tuple(abouts[run]["marks"]) if run is not None else ()
        if any(cell and cell.value is not None for cell in cells):
            all_lines.append(Line(source, model, modality, part, run, tuple(cells), marks, None))
    return _ranked(all_lines, layout)


def preference(row: ScoreRow) -> int:
    """Sorts rows so that of a number printed in several tables the one to compare with comes first."""
    return _PREFERRED.index(row.table) if row.table in _PREFERRED else len(_PREFERRED)


def _ranked(unranked: Sequence[Line], layout: Layout) -> list[Line]:
    column = layout.columns[layout.rank_by]

    def key(line: Line) -> float:
        value = _value(line, layout.rank_by)
        return float("-inf") if value is None else (-value if column.lower else value)

    ordered = sorted(unranked, key=key, reverse=True)
    ranks = places([_value(line, layout.rank_by) if rankable(line) else None for line in ordered], column.lower)
    numbered = [Line(**vars(line) | {"rank": rank}) for line, rank in zip(ordered, ranks, strict=True)]
    return sorted(numbered, key=lambda line: line.rank is None)


def places(values: Sequence[float | None], lower: bool) -> list[int | None]:
    """The rank of each value, 1 the best; equal values share one, and None has none. ``lower``: less is better."""
    able = sorted((value for value in values if value is not None), reverse=not lower)
    return [None if value is None else 1 + able.index(value) for value in values]


def rankable(line: Line) -> bool:
    """Whether a line may stand in the ranking at all."""
    return line.part == "full" and not line.marks


def _value(line: Line, place: int) -> float | None:
    cell = line.cells[place]
    return None if cell is None else cell.value


class Floors:
    """What is reached without seeing or hearing: the same run's blind score, else chance for an accuracy."""

    def __init__(self, rows: Iterable[ScoreRow], cells: Iterable[Cell]) -> None:
        self._blind = {self._key(row): row.value for row in rows if row.part == "blind"}
        self._chance = {cell.task: cell.value for cell in cells if cell.metric == "chance"}

    def of(self, row: ScoreRow) -> float | None:
        """In the unit of the row; None where nothing is known."""
        if row.part == "full" and (blind := self._blind.get(self._key(row))) is not None:
            return blind
        return self._chance.get(row.task) if row.metric == "accuracy" else None

    @staticmethod
    def _key(row: ScoreRow) -> tuple[Any, ...]:
        return row.run, row.mini, row.task, row.metric, row.reading


def comparisons(rows: Sequence[ScoreRow], abouts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each measured score beside the published one of the same model: ``difference`` and its interval, and ``verdict``.

    "within": the printed number lies in the run's interval; "above", "below": the run lies above, below it. The
    interval is the run's alone, the paper prints none. In the official reading, as the paper's numbers were made.
    """
    printed: dict[tuple[Any, ...], ScoreRow] = {}
    for row in sorted((row for row in rows if row.source == "published"), key=preference):
        printed.setdefault((row.model, row.task, row.metric), row)
    all_comparisons = []
    for row in rows:
        if row.source != "measured" or row.mini or row.part != "full" or row.reading != "official" or row.run is None:
            continue
        twin = printed.get((abouts[row.run]["published"], row.task, row.metric))
        if twin and twin.value is not None and row.value is not None:
            all_comparisons.append(_comparison(row, row.value, twin, twin.value, abouts[row.run]["marks"]))
    return all_comparisons


def _comparison(row: ScoreRow, value: float, twin: ScoreRow, published: float, marks: Sequence[str]) -> dict[str, Any]:
    bounds = {
        name: None if bound is None else bound - published for name, bound in (("low", row.low), ("high", row.high))
    }
    if row.low is None or row.high is None:
        verdict = "no interval"
    else:
        verdict = "within" if row.low <= published <= row.high else ("above" if row.low > published else "below")
    return {
        "run": row.run, "model": row.model, "task": row.task, "metric": row.metric, "measured": value,
        "published": published, "published_model": twin.model, "table": twin.table, "note": twin.note,
        "difference": value - published, **bounds, "verdict": verdict, "n": row.n, "unparsed": row.unparsed,
        "errors": row.errors, "missing": row.missing, "marks": list(marks),
    }  # fmt: skip
