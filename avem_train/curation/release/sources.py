"""Which of a recipe's rows are given out: those that people verified, where that was done, else all that passed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avem_train.curation import pipeline
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Filtered, Row, Verified
from avem_train.curation.recipe import Recipe
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes

FILTER, VERIFIED = "filter", "verified"
PREFERENCES, VERIFIED_PREFERENCES = "preferences", "preferences_verified"
INPUT = "input"
"""In the report of a verification: SHA-256 of the rows that were verified."""


@dataclass(frozen=True)
class Questions:
    """The questions of a recipe."""

    rows: list[Row]
    """The rows of `stage`, in order."""
    stage: str
    """`verified` or `filter`: what they are."""
    report: Mapping[str, Any]
    """The tally of a verification (`emorealm_results.survey.verified.tally`); {} where nobody verified them."""


def questions(recipe: Recipe) -> Questions:
    """The questions to release. Stops where there are none, or where others were verified than there are now."""
    stage = latest(recipe, FILTER, VERIFIED)
    path = pipeline.path(recipe, stage)
    if not path.exists():
        stop(f"{path}: is not there; run the stage {FILTER!r} first")
    rows = list(row_files.read(path, Verified if stage == VERIFIED else Filtered))
    if not rows:
        stop(f"{path}: holds no question; see the rejects beside it for the reasons")
    return Questions(rows, stage, json_object(report_path(recipe, stage)) if stage == VERIFIED else {})


def latest(recipe: Recipe, stage: str, verified: str) -> str:
    """The name under which the rows of a stage stand: `verified` where people verified them, else the stage.

    Stops where others were verified than there are now.
    """
    source, checked = pipeline.path(recipe, stage), pipeline.path(recipe, verified)
    if not checked.exists():
        return stage
    if not source.exists() or json_object(report_path(recipe, verified)).get(INPUT) != files.sha256(source):
        stop(f"{checked}: was verified from other rows than those of {source.name}; run verify apply again, or remove "
             f"{checked.name}")  # fmt: skip
    return verified


def report_path(recipe: Recipe, stage: str) -> Path:
    """Where the tally of a verification stands."""
    return recipe.out / f"{stage}.report.json"


def json_object(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file of our own; {} where it cannot be read."""
    try:
        value = parse_json(read_bytes(path))
    except Unreadable:
        return {}
    return value if isinstance(value, dict) else {}
