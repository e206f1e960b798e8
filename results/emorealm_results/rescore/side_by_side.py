"""Several scored runs of one benchmark as one table, a row for each."""

from collections.abc import Mapping
from typing import Any

from emorealm_results.console import markdown
from emorealm_results.console.markdown import interval
from emorealm_results.rescore.table import GROUP_COLUMNS, GROUP_LEGEND
from emorealm_results.runs import benchmark as builds
from emorealm_results.runs.samples import FULL

READING = "strict"


def render(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """Reports of :func:`rescore.scores.score` by the name of their run -> Markdown, "" without questions.

    A table for each benchmark that at least one run answered whole tasks of; the group's scores, strict reading.
    """
    names = dict.fromkeys(name for report in reports.values() for name in report.get("benchmarks", {}))
    tables = []
    for benchmark in names:
        other_builds = builds.others(reports, benchmark)
        marked = {run: builds.marked(run, other_builds) for run in reports}
        rows = [row for run, report in reports.items() if (row := _row(marked[run], report, benchmark))]
        if rows:
            level = f"{100 * next(iter(reports.values()))['interval']['level']:.0f}%"
            header = ["run", "questions", *(f"{name} [{level}]" for name in GROUP_COLUMNS.values()), "unparsed"]
            tables.append(f"# {benchmark}, side by side ({READING} reading)\n\n{markdown.table([header, *rows])}")
            tables += [f"\\{note}" for note in builds.notes(reports, benchmark)]  # a star begins a list
    return "\n\n".join([*tables, GROUP_LEGEND]) + "\n" if tables else ""


def _row(run: str, report: Mapping[str, Any], benchmark: str) -> list[str]:
    """A run's line, empty if it did not answer the benchmark."""
    part = report.get("benchmarks", {}).get(benchmark, {}).get(FULL)
    if not part:
        return []
    tasks = part["tasks"].values()
    scores = part["group"][READING]
    counts = [str(sum(task[count] for task in tasks)) for count in ("n", "unparsed")]
    return [run, counts[0], *(interval(scores[column]) for column in GROUP_COLUMNS), counts[1]]
