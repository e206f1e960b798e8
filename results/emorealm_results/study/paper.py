"""The paper's numbers for a row of a study, by the same names as the study's own scores."""

from functools import cache

from emorealm_results.paper import printed
from emorealm_results.paper.layouts import GROUP
from emorealm_tasks.metrics import TASKS

_TABLES = (18, 17, 14, 13, 5, 3)
"""Where rows are printed; a later one of these counts where two differ."""
_MEANS = {
    "basic": (TASKS[1:3], "accuracy"),
    "agree": (TASKS[:1], "f1"),
    "stress": (TASKS[3:], "f1"),
    "spur": (TASKS[3:], "spurious"),
    "hall": (TASKS[3:], "hallucination"),
}
"""The columns of the ablations by what they average (Section D.5)."""


@cache
def of_model(name: str) -> dict[tuple[str, str], float]:
    """(task or GROUP, metric) -> percent, for a model of the paper's tables; what is not printed is averaged.

    Empty for "" and for a model that is in none of the tables.
    """
    cells = [cell for cell in printed.load() if cell.model == name and cell.modality == "A,V"]
    by_column = {(cell.task, cell.metric): cell.value for number in _TABLES for cell in cells if cell.table == number}
    for metric, (tasks, of_task) in _MEANS.items():
        parts = [by_column[task, of_task] for task in tasks if (task, of_task) in by_column]
        if (GROUP, metric) not in by_column and len(parts) == len(tasks):
            by_column[GROUP, metric] = sum(parts) / len(parts)
    return by_column
