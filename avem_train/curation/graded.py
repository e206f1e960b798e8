"""Grades of an output folder: what a recipe made of clips of the embedded world, held against their truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avem_train.curation import pipeline
from avem_train.curation.asking.reply_cache import CachedReply
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Row
from avem_train.curation.grading import grades, planted, truth
from avem_train.curation.grading.grades import Graded, Truths
from avem_train.curation.recipe import Recipe
from avem_train.curation.stages import STAGES
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import intervals
from emorealm_tasks.untrusted import read_text

GRADED = ("captions", "emotions", "questions", "filter", "preferences")
"""The stages that are graded; all of them must have run."""


def of_run(recipe: Recipe) -> dict[str, Any]:
    """`grades`: name -> value, low, high (percent) and n; `planted`: mistake -> planted, caught by stage, left.

    Stops where a stage has not run, or the clips are none of the embedded world.
    """
    if recipe.manifest.reader != "mini":
        stop("only clips of the embedded world can be graded: manifest.reader=mini")
    missing = [name for name in GRADED if not pipeline.path(recipe, name).exists()]
    if missing:
        stop(f"{pipeline.path(recipe, missing[0])}: is not there; run the stage {missing[0]!r} first")
    rows = {name: list(row_files.read(pipeline.path(recipe, name), STAGES[name].model)) for name in GRADED}
    truths = truth.read(Path(recipe.manifest.path).expanduser())
    fates = planted.fates(_replies(recipe.out / "replies"), rows, truths)
    return {
        "grades": {name: _summary(found) for name, found in graded(rows, truths).items()},
        "planted": {
            name: {"planted": fate.planted, "caught": dict(sorted(fate.caught.items())), "left": fate.left}
            for name, fate in fates.items()
        },
    }


def graded(rows: dict[str, Sequence[Row]] | Any, truths: Truths) -> dict[str, Graded]:
    """Name of a grade -> what it is the share of."""
    described, preferences = rows["captions"], rows["preferences"]
    found: dict[str, Graded] = {}
    for medium in grades.MEDIA:
        found[f"cue recall, {medium}"] = grades.recall(described, truths, medium)
        found[f"cue precision, {medium}"] = grades.precision(described, truths, medium)
        found[f"relevance, {medium}"] = grades.relevance(described, truths, medium)
        found[f"guessed emotion, {medium}"] = grades.guessed(rows["emotions"], truths, medium)
    for stage in ("questions", "filter"):
        found[f"keyed answer true, after {stage}"] = grades.keyed(rows[stage], truths)
        found[f"guessable by length, after {stage}"] = grades.guessable(rows[stage])
    found["chosen response true"] = grades.chosen(preferences, truths)
    found["video-relevant rejected as claimed"] = grades.video_relevant(preferences, truths)
    found["emotion-relevant rejected as claimed"] = grades.emotion_relevant(preferences, truths)
    return found


def _summary(found: Graded) -> dict[str, float | int | None]:
    right, clips = [one for one, _ in found], [clip for _, clip in found]
    low, high = intervals.share(right, clips)
    value = 100 * sum(right) / len(right) if right else None
    return {"value": value, "low": low, "high": high, "n": len(right)}


def _replies(folder: Path) -> dict[str, str]:
    """Key -> text of every reply that was kept."""
    return {
        path.stem: CachedReply.model_validate_json(read_text(path)).text for path in files.matching(folder, "*/*.json")
    }
