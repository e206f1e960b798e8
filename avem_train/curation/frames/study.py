"""The study: captions of the same clips with more and more frames, each compared with its reference.

It runs the stage `captions` in the folder `frames` of the recipe's output, with the recipe's own replies and ledger:
what a run asked is not asked again, and the budget is one.
"""

import csv
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from avem_train.curation import pipeline
from avem_train.curation.asking.reply_cache import CachedReply, ReplyCache
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Captioned, Clip, Row
from avem_train.curation.frames.likeness import MEASURES
from avem_train.curation.manifests.settings import Manifest
from avem_train.curation.recipe import Recipe, absolute
from avem_train.curation.stages.captions import CAPTIONS
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.markdown import table

FOLDER, CLIPS = "frames", "clips.csv"
REPLIES, LEDGER = "replies", "spent.txt"
Compare = Callable[[Sequence[str], Sequence[str]], Mapping[str, list[float]]]


@dataclass(frozen=True)
class Captions:
    """Captions of the picture with one number of frames."""

    texts: Mapping[str, str]
    """Clip -> caption."""
    replies: Sequence[CachedReply]
    """What was paid for them, in whichever run."""


def run(recipe: Recipe, counts: Sequence[int], references: Mapping[str, str], compare: Compare) -> dict[str, Any]:
    """Table 8 as JSON: a row for each number of frames, over the clips that have a caption with every number.

    Captions come from the client that `stages.captions.picture` names; replies, prices and the budget are the recipe's,
    so captions that a run made already are not asked for again. Stops where no clip has a reference or where clips
    cannot be asked about.
    """
    settings = recipe.stages.get(CAPTIONS.name)
    if settings is None or not settings.picture:
        stop("the recipe names no client that sees; name it with stages.captions.picture=")
    study = _beside(recipe, settings, references)
    found = {count: _captions(study, count) for count in counts}
    clips = list(row_files.read(pipeline.path(study, ""), Clip))
    common = [row for row in clips if all(row["id"] in one.texts for one in found.values())]
    if not common:
        stop("no clip has a caption with every number of frames; see the recipe's client")
    wanted = [references[_named(row, references)] for row in common]
    rows = [
        {"frames": count, **_means(compare([one.texts[row["id"]] for row in common], wanted)), **_price(one.replies)}
        for count, one in found.items()
    ]
    return {"clips": len(common), "without_captions": len(clips) - len(common), "rows": rows}


def markdown(report: Mapping[str, Any]) -> str:
    """The study as Table 8, with what a caption took."""
    head = ["# frames", "SBERT-sim", "BERTScore precision", "recall", "F1", "tokens in", "dollars for 1,000"]
    rows = [head]
    for one in report["rows"]:
        measures = [f"{one[name]:.3f}" for name in MEASURES]
        price = (
            [f"{one['tokens_in']:,.0f}", f"{1000 * one['dollars']:.2f}"] if one["tokens_in"] else ["not counted"] * 2
        )
        rows.append([str(one["frames"]), *measures, *price])
    left_out = report["without_captions"]
    said = f"{report['clips']} clips" + (f"; {left_out} more lack a caption" if left_out else "")
    models = report["models"]
    return f"{table(rows)}\n\n{said}. SBERT: {models['sbert']}; BERTScore: {models['bertscore']}, not rescaled.\n"


def _beside(recipe: Recipe, settings: Any, references: Mapping[str, str]) -> Recipe:
    """The recipe of the study: the clips that have references, and nothing but their pictures' captions."""
    out = recipe.out / FOLDER
    files.claim(recipe.out, pipeline.MAKER, "out=")
    files.claim(out, pipeline.MAKER, "out=")
    pipeline.write_manifest(recipe)
    clips = [row for row in row_files.read(pipeline.path(recipe, ""), Clip) if row["video"] and _named(row, references)]
    if not clips:
        stop("no clip of the manifest has a reference description; look at how the clips are named there and here")
    (recipe.out / REPLIES).mkdir(exist_ok=True)
    for name in (REPLIES, LEDGER):
        if not (out / name).is_symlink():
            (out / name).symlink_to(Path("..") / name)
    with files.draft(out / CLIPS) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, ("id", "video", "emotion"), extrasaction="ignore")
        lines.writeheader()
        lines.writerows(clips)
    manifest = Manifest("csv", str(out / CLIPS), root=absolute(recipe).manifest.place)
    stages = {CAPTIONS.name: dataclasses.replace(settings, sound="")}
    return dataclasses.replace(recipe, manifest=manifest, out=out, stages=stages)


def _captions(study: Recipe, frames: int) -> Captions:
    """The clips' captions with that many frames, from the cache or the client."""
    settings = dataclasses.replace(study.stages[CAPTIONS.name], frames=frames)
    chosen = dataclasses.replace(study, stages={CAPTIONS.name: settings})
    print(f"captions of {frames} frame{'s' * (frames > 1)}:", file=sys.stderr)
    pipeline.run(chosen)
    rows = list(row_files.read(pipeline.path(chosen, CAPTIONS.name), Captioned))
    cache = ReplyCache(chosen.out / REPLIES)
    replies = [cache.get(asked["key"]) for row in rows for asked in row["provenance"]]
    return Captions({row["id"]: row["caption_video"] for row in rows}, [reply for reply in replies if reply])


def _named(row: Row, references: Mapping[str, str]) -> str:
    """The name under which a clip has its reference: its id or its file's; "" where it has none."""
    return next((name for name in (row["id"], Path(row["video"]).stem) if name in references), "")


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: fmean(some) for name, some in values.items()}


def _price(replies: Sequence[CachedReply]) -> dict[str, float]:
    """Tokens and dollars of a caption on average."""
    names = ("tokens_in", "tokens_out", "dollars")
    return {name: fmean(getattr(reply, name) for reply in replies) if replies else 0.0 for name in names}
