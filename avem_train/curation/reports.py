"""What a stage did, as its `STAGE.json` has it."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from avem_train.curation import prompts
from avem_train.curation.asking.asker import Asker
from avem_train.curation.asking.tally import Counts
from avem_train.curation.recipe import Recipe
from avem_train.curation.stages.base import Context, Stage
from emorealm_tasks import files
from emorealm_tasks.untrusted import Unreadable, brief, parse_json, read_bytes


@dataclasses.dataclass(frozen=True)
class Report:
    """What a stage did: the content of its `STAGE.json`."""

    stage: str
    """Its name."""
    made_from: Mapping[str, Any]
    """What decides its rows: the inputs' hashes, settings, versions, prompts and models."""
    rows_in: int
    """Rows that it read."""
    rows: int
    """Rows that it gave."""
    rejects: Mapping[str, int]
    """Kind -> how many."""
    counts: Mapping[str, Any]
    """Requests, tokens and dollars (`Counts`) of the run that made the files."""
    seconds: float
    """How long the run took that made the files."""
    output: str
    """SHA-256 of the file of rows."""
    used: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Client -> the replies that the rows were made of (`Used`), in whichever run they came."""


def path(folder: Path, stage: str) -> Path:
    """The report's file in an output folder."""
    return folder / f"{stage}.json"


def load(folder: Path, stage: str) -> Report:
    """The report of a stage. Raises Unreadable."""
    try:
        return Report(**parse_json(read_bytes(path(folder, stage))))
    except TypeError as error:
        raise Unreadable(brief(error)) from None


def read(folder: Path, stage: str) -> Report | None:
    """The report of a stage; None where there is none that can be read."""
    try:
        return load(folder, stage)
    except Unreadable:
        return None


def write(folder: Path, report: Report) -> None:
    """Write a report. Raises OSError."""
    files.write_json(path(folder, report.stage), dataclasses.asdict(report))


def made_from(recipe: Recipe, context: Context, stage: Stage, asker: Asker, sources: Sequence[Path]) -> dict[str, Any]:
    """What decides a stage's rows. sources: the files of rows that it reads."""
    about = {
        "inputs": [files.sha256(source) for source in sources],
        "labels": dict(context.labels),
        "emotions": list(recipe.emotions),
        "seed": recipe.seed,
        "clients": {name: dict(one.client.identity) for name, one in asker.sources.items()},
    }
    return of_stage(stage, context.settings) | _plain(about)


def of_stage(stage: Stage, settings: Any) -> dict[str, Any]:
    """The part of `made_from` that is the stage's own, whichever its rows. settings: the stage's."""
    about = {
        "version": stage.version,
        "settings": dataclasses.asdict(settings),
        "prompts": [str(prompts.load(name)) for name in stage.prompts],
    }
    return _plain(about)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they are read back from JSON."""
    read_back: dict[str, Any] = json.loads(json.dumps(values))
    return read_back


def summary(report: Report) -> str:
    """The report in a line."""
    counts = Counts(**report.counts)
    rejects = ", ".join(f"{count} {kind}" for kind, count in sorted(report.rejects.items()))
    return (
        f"{report.rows_in} rows -> {report.rows}; rejected: {rejects or 'none'}; asked {counts.asked}, from the cache "
        f"{counts.cached}, repaired {counts.repaired}; ${counts.dollars:.2f}, {report.seconds:.0f} s"
    )
