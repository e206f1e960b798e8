"""The leaderboard as Markdown: the paper's layouts with measured runs among the printed rows, and the runs' facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from emorealm_results.console.markdown import interval, table
from emorealm_results.leaderboard import ranking
from emorealm_results.leaderboard.score_rows import ScoreRow
from emorealm_results.paper.layouts import ANALYSES, LAYOUTS, Layout
from emorealm_results.rescore.table import NAMES, READINGS

_PICTURES = {
    "leaderboard_yes_no.png": "Right where the answer is yes against right where it is no; triangles: blind",
    "leaderboard_yes_no_mini.png": "The same on the embedded benchmark",
    "leaderboard_recall.png": "Recall by emotion class (DFEW)",
}


def render(
    rows: Sequence[ScoreRow],
    abouts: Sequence[Mapping[str, Any]],
    comparisons: Sequence[Mapping[str, Any]],
    reading: str,
    pictures: Sequence[str],
) -> str:
    """The page's tables in one reading, ending in a newline."""
    blocks = [
        "# Leaderboard",
        f"Measured runs in the {READINGS[reading]} reading (bold names) and the paper's printed numbers, which are "
        "official. Percent where nothing else is said; intervals: 95%, over clips. "
        "Runs with --limit or missing clips are marked and not ranked; "
        "asked otherwise: than another run of the same kind of model, see the notes under Runs. To "
        "sort, filter and browse: `leaderboard.html`; every number: `leaderboard.csv`.",
    ]
    for mini in (False, True):
        for layout in LAYOUTS:
            lines = ranking.lines(rows, layout, mini, reading, abouts)
            if lines:
                blocks += [f"## {layout.title}{', embedded benchmark' if mini else ''}", _table(lines, layout, abouts)]
    blocks += [f"![{_PICTURES[name]}]({name})" for name in pictures]
    if comparisons:
        blocks += ["## Measured against published", _comparisons(comparisons)]
    if abouts:
        blocks += ["## Runs", _runs(rows, abouts)]
    return "\n\n".join(blocks) + "\n"


def _table(lines: Sequence[ranking.Line], layout: Layout, abouts: Sequence[Mapping[str, Any]]) -> str:
    cells = [["rank", "model", "input", "source", *(column.label for column in layout.columns)]]
    for line in lines:
        name = f"**{line.model}**" if line.source == "measured" else line.model
        source = {"published": "paper", "measured": "survey"}[line.source]
        source = source if line.run is None else abouts[line.run]["origin"]
        source += "" if line.part == "full" else f", {line.part}"
        source += ", asked otherwise" if line.run is not None and abouts[line.run].get("asked_otherwise") else ""
        source += f" ({'; '.join(line.marks)})" if line.marks else ""
        rank = "" if line.rank is None else str(line.rank)
        features = "" if line.run is None else abouts[line.run]["features"]
        given = ", ".join(filter(None, (line.modality, f"features: {features}" if features else "")))
        digits = [column.digits for column in layout.columns]
        cells.append([rank, name, given or "–", source, *map(_cell, line.cells, digits)])
    return table(cells)


def _cell(row: ScoreRow | None, digits: int) -> str:
    if row is None or row.value is None:
        return "–"
    if row.source == "published":
        return f"{row.value:g}" if "." in f"{row.value:g}" else f"{row.value:.1f}"
    return interval({"value": row.value, "low": row.low, "high": row.high}, digits)


def _comparisons(comparisons: Sequence[Mapping[str, Any]]) -> str:
    head = ["run", "paper's model", "task", "score", "measured", "published", "difference [95%]", "verdict", "table"]
    cells = [[*head, "questions", "unparsed", "errors", "missing", "marks"]]
    for one in comparisons:
        interval = "" if one["low"] is None else f" [{one['low']:+.1f}, {one['high']:+.1f}]"
        numbers = [f"{one['measured']:.1f}", f"{one['published']:g}", f"{one['difference']:+.1f}{interval}"]
        names = [one["model"], one["published_model"], NAMES.get(one["task"], one["task"]), one["metric"]]
        counts = ["" if one[name] is None else str(one[name]) for name in ("n", "unparsed", "errors", "missing")]
        cells.append([*names, *numbers, one["verdict"], str(one["table"]), *counts, "; ".join(one["marks"])])
    return table(cells)


def _runs(rows: Sequence[ScoreRow], abouts: Sequence[Mapping[str, Any]]) -> str:
    head = [
        "run",
        "model",
        "arguments",
        "questions",
        "unparsed",
        "errors",
        "missing",
        "seeds",
        "versions",
        "dates",
        "marks",
        "notes",
    ]
    lines = [head]
    for number, about in enumerate(abouts):
        own = [row for row in rows if row.run == number and row.part == "full" and row.task != ANALYSES]
        counts = {(row.task, row.mini): row for row in own if row.n is not None}
        sums = [str(sum(getattr(row, name) or 0 for row in counts.values())) for name in
                ("n", "unparsed", "errors", "missing")]  # fmt: skip
        cells = [", ".join(f"{key} {value}" for key, value in about[name].items()) for name in ("seeds", "versions")]
        facts = [
            about["name"],
            " ".join(filter(None, (about["model"], about["weights"]))),
            about["model_args"],
            *sums,
            *cells,
        ]
        lines.append([*facts, ", ".join(about["dates"]), "; ".join(about["marks"]), "; ".join(about["notes"])])
    return table(lines)
