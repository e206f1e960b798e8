"""The benchmarks beside EmoReAlM, public and embedded: which tasks ask them, and their rows.

A benchmark is `dfew`, `ravdess`, `mer2023` or `emer`, or one of them with `_mini`: the embedded world in its layout.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from emorealm_tasks.benchmarks import dfew, emer, mer2023, ravdess, recognition_rows, registry
from emorealm_tasks.benchmarks.emorealm import HOW_TO_GET_MINI, mini_questions
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import absent
from emorealm_tasks.settings import Settings, load

if TYPE_CHECKING:
    from datasets import Dataset


class Reader(Protocol):
    """A module that reads one data set of emotion recognition."""

    TITLE: str
    """Name of the dataset, as it is shown."""
    REMEDY: str
    """How to get its files, for messages."""

    def read(self, root: Path, settings: Settings) -> list[Row]:
        """The rows of the clips to ask about."""

    def note(self, rows: list[Row], root: Path, settings: Settings) -> str:
        """How the classes' counts differ from the published ones."""


RECOGNITION: dict[str, Reader] = {"dfew": dfew, "ravdess": ravdess, "mer2023": mer2023}
PROMPTED = frozenset(name + mini for name in RECOGNITION for mini in ("", "_mini"))
"""The benchmarks whose tasks come in VARIANTS."""
VARIANTS: dict[str, str] = {
    "": "asked for one word, as the paper's numbers were made",
    "classes": "asked with the classes listed",
    "detail": "asked for a description, whose emotion is then read",
}
SUITES: dict[str, tuple[str, ...]] = {
    "emotion_suite": ("dfew", "ravdess", "mer2023", "emer", "emorealm"),
    "emotion_suite_mini": ("dfew_mini", "ravdess_mini", "mer2023_mini", "emer_mini", "emorealm_mini"),
}
"""Group -> its members, the last one a group itself."""


@dataclass(frozen=True)
class SuiteTask:
    """A task of emotion recognition or description, by the parts of its name."""

    benchmark: str
    """One of BENCHMARKS, e.g. dfew or dfew_mini."""
    variant: str
    """One of VARIANTS: how the emotion is asked for."""


BENCHMARKS: dict[str, str] = {
    name + mini: f"{reader.TITLE}{', in its embedded likeness' if mini else ''}"
    for name, reader in RECOGNITION.items()
    for mini in ("", "_mini")
} | emer.BENCHMARKS
TASK_NAMES: dict[str, SuiteTask] = {
    "_".join(filter(None, (benchmark, variant))): SuiteTask(benchmark, variant)
    for benchmark in BENCHMARKS
    for variant in (VARIANTS if benchmark in PROMPTED else ("",))
}


def read(benchmark: str, settings: Settings) -> list[Row]:
    """All rows of a benchmark, clips unchecked. Stops with the remedy where the data set is absent."""
    if benchmark.endswith("_mini"):
        mini_questions(settings.mini)
    if benchmark in emer.BENCHMARKS:
        return emer.read(benchmark, settings)
    reader, root = RECOGNITION[_plain(benchmark)], folder(benchmark, settings)
    if root is None:
        absent(f"EMOREALM_{benchmark.upper()} is not set. {reader.REMEDY}")
    if not root.is_dir():
        absent(f"{root}: no such folder. {where(benchmark, settings)[1]}")
    return reader.read(root, settings)


def usable(benchmark: str, settings: Settings) -> tuple[list[Row], dict[str, int]]:
    """The usable rows, and the counts of what is left out; see `registry.with_clips`."""
    return registry.with_clips(read(benchmark, settings), settings, *where(benchmark, settings))


def folder(benchmark: str, settings: Settings) -> Path | None:
    """The folder that holds a benchmark's layout; None where it is not set."""
    if benchmark.endswith("_mini"):
        return settings.mini / _plain(benchmark)
    root: Path | None = getattr(settings, benchmark)
    return root


def where(benchmark: str, settings: Settings) -> tuple[str, str]:
    """Where the clips of a benchmark are looked for, and how to get them: two phrases for a report."""
    if benchmark in emer.BENCHMARKS:
        return emer.where(benchmark, settings)
    mini = benchmark.endswith("_mini")
    remedy = HOW_TO_GET_MINI.format(folder=settings.mini) if mini else RECOGNITION[benchmark].REMEDY
    return str(folder(benchmark, settings)), remedy


def note(benchmark: str, rows: list[Row], settings: Settings) -> str:
    """How the rows differ from the published data set in number, in one line; "" where they do not, or cannot."""
    if benchmark in emer.BENCHMARKS:
        return emer.note(benchmark, rows)
    if benchmark not in RECOGNITION:
        return ""
    root = folder(benchmark, settings)
    return RECOGNITION[benchmark].note(rows, root, settings) if root else ""


def process_docs(dataset: Dataset) -> Dataset:
    """lmms-eval's `process_docs` for recognition: replace the packaged placeholder by the rows of the task.

    The placeholder's configuration name (`dataset_name` in the YAML) is the benchmark, its split (`test_split`) the
    prompt.
    """
    from datasets import Dataset

    usable_rows, left_out = usable(dataset.config_name, load())
    prompted = recognition_rows.ask(usable_rows, str(dataset.split))
    return Dataset.from_list([{**row, "given_clip": row["clip"], "left_out": json.dumps(left_out)} for row in prompted])


def _plain(benchmark: str) -> str:
    return benchmark.removesuffix("_mini")
