"""Writes a release: the questions, the data card with its plots, the numbers, and the clips where wanted."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avem_train.curation.data.rows import Row
from avem_train.curation.export import provenance
from avem_train.curation.leakage import reports
from avem_train.curation.recipe import Recipe
from avem_train.curation.release import card, layout, making, numbers, plots, sources
from emorealm_tasks import files
from emorealm_tasks.errors import stop

MAKER = "emorealm curate release"
NUMBERS, CARD, ORIGINS = "numbers.json", "README.md", "provenance.jsonl"


def write(recipe: Recipe, out: Path, with_clips: bool = False) -> dict[str, Any]:
    """Write `out`; returns the numbers of its card. with_clips: copy the clips too. Stops where that cannot be."""
    questions = sources.questions(recipe)
    root = recipe.root.absolute()
    items, without_picture = layout.items(questions.rows, root)
    if not items:
        stop(f"{recipe.out}: no question is about a clip with a picture, which the layout of {layout.FILE} needs")
    files.claim(out, MAKER, "--out")
    released = [row for row in questions.rows if row["video"]]
    found = _numbers(recipe, questions, released)
    found |= {"without_picture": len(without_picture), "clips_copied": with_clips}
    try:
        if with_clips:
            layout.copy_clips(released, root, out / layout.VIDEOS)
        else:
            layout.remove_clips(out / layout.VIDEOS)
            _tell_of_sounds(released, root)
        files.write(out / layout.FILE, json.dumps(items, indent=1, ensure_ascii=False) + "\n")
        files.write(out / ORIGINS, provenance.lines(released))
        shown = plots.draw(found, out / "plots")
        files.write_json(out / NUMBERS, found, ensure_ascii=False)
        files.write(out / CARD, card.render(out.absolute().name, found, shown))
    except OSError as error:
        stop(f"{error.filename or out}: {error.strerror or error}; the same command goes on")
    print(
        f"{out}: {len(items)} questions about {found['clips']} clips, from the stage {questions.stage}", file=sys.stderr
    )
    return found


def _numbers(recipe: Recipe, questions: sources.Questions, released: Sequence[Row]) -> dict[str, Any]:
    return {
        "stage": questions.stage,
        **numbers.of_rows(released),
        "labels": numbers.of_labels(released, recipe),
        "languages": numbers.of_languages(released, recipe),
        "verification": _tally(questions),
        "stages": making.stages(recipe),
        "asked": making.asked(released),
        "spent": making.spent(recipe),
        "leaks": reports.of_released(recipe.out, {row["clip"] for row in released}, {row["id"] for row in released}),
    }


def _tally(questions: sources.Questions) -> dict[str, Any]:
    """The tally without what it says of single questions."""
    return {name: value for name, value in questions.report.items() if name != "questions"}


def _tell_of_sounds(rows: Sequence[Row], root: Path) -> None:
    elsewhere = layout.sounds_elsewhere(rows, root)
    if elsewhere:
        print(
            f"the sound of {len(elsewhere)} clips ({elsewhere[0]}, ...) is a file that lies not beside the video under "
            "its name, where the benchmark would look: --with-clips puts it there",
            file=sys.stderr,
        )
