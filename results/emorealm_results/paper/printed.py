"""The paper's tables as data: reads ``results/published/table_*.yaml``, one cell a line.

A cell holds ``model, modality, task, metric, value, table, note``; a file's ``decimals`` say how its numbers are
rounded, a cell's ``printed`` how it looks where it departs from that. Nothing here corrects a number.
"""

from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_yaml

FOLDER = Path(str(files("emorealm_results.published")))
_FIELDS = ("model", "modality", "task", "metric", "value", "table", "note")
_OPTIONAL = ("printed",)
_EPSILON = 1e-9


@dataclass(frozen=True)
class Cell:
    """One number that the paper prints."""

    model: str
    """The model or variant of its line; "" where the number is about the benchmark itself."""
    modality: str
    """What the model is given: A, V or A,V; "" where the paper says nothing."""
    task: str
    """Released name of the task, "emorealm" for all of them, or a dataset."""
    metric: str
    """Name of the score; "gain_" before it for a relative improvement."""
    value: float
    """Percent, unless the metric counts something."""
    table: int
    """Number of its table."""
    note: str
    """What the table says beside it; "" = nothing."""
    printed: str
    """As it is printed."""
    low: float
    """Lower end of the numbers it may be rounded from."""
    high: float
    """Upper end of the numbers it may be rounded from."""

    @property
    def place(self) -> str:
        """Where to look in the paper."""
        return ", ".join(filter(None, (f"Table {self.table}", self.model, self.task, self.metric)))


@dataclass(frozen=True)
class Model:
    """A model of the tables."""

    name: str
    """As in Table 13."""
    kind: str
    """The group of models that Table 13 puts it in."""
    runs: tuple[str, ...]
    """Patterns of lmms-eval names and checkpoints that mean it, as in `fnmatch`."""

    def matches(self, name: str) -> bool:
        """Whether an lmms-eval model id, or the name of a checkpoint, means this model."""
        return any(fnmatch(name.lower(), pattern.lower()) for pattern in self.runs)


def load(folder: Path = FOLDER) -> list[Cell]:
    """All cells, in the order of the tables; stops at the first malformed one, naming file and row."""
    paths = sorted(folder.glob("table_*.yaml"))
    if not paths:
        stop(f"{folder}: holds no table_*.yaml; name the folder of published numbers")
    return [cell for path in paths for cell in _table(path)]


def models(folder: Path = FOLDER) -> list[Model]:
    """The models of the tables, in the order of Table 13."""
    path = folder / "models.yaml"
    try:
        return [Model(row["name"], row["kind"], tuple(row["runs"])) for row in _read(path)]
    except (KeyError, TypeError) as error:
        stop(f"{path}: each row needs name, kind and runs ({error!r})")


def _table(path: Path) -> list[Cell]:
    content = _read(path)
    if not isinstance(content, dict) or set(content) != {"decimals", "rows"}:
        stop(f"{path}: needs the keys decimals and rows, and no others")
    if not isinstance(content["rows"], list) or not isinstance(content["decimals"], int):
        stop(f"{path}: decimals must be a whole number, and rows a list")
    return [
        _cell(row, content["decimals"], f"{path}: row {number}") for number, row in enumerate(content["rows"], start=1)
    ]


def _cell(row: Any, decimals: int, where: str) -> Cell:
    if not isinstance(row, dict) or not set(_FIELDS) <= set(row) <= {*_FIELDS, *_OPTIONAL}:
        stop(f"{where}: needs {', '.join(_FIELDS)} (and may have {', '.join(_OPTIONAL)}); it has {row!r}")
    value = row["value"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        stop(f"{where}: value {value!r} is no number; an absent cell has no row")
    printed = row.get("printed", f"{value:.{decimals}f}")
    digits = len(printed.partition(".")[2])
    half = 0.5 * 10.0**-digits if digits else 0.0  # without a point it is a count
    low, high = value - half, value + half
    if printed.endswith("."):  # cut after the point: rounded or cut off, nobody can tell
        low, high = value - 0.5, value + 1
    fields = {name: row[name] for name in _FIELDS}
    return Cell(**fields, printed=printed, low=low - _EPSILON, high=high + _EPSILON)


def _read(path: Path) -> Any:
    return read_yaml(path, None, "it must be a table as in results/published")
