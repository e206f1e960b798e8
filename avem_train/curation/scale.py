"""What a large run takes, from what a small one took: rows, requests, tokens, GPU time, dollars and storage."""

import dataclasses
import tracemalloc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from avem_train.curation import pipeline, reports
from avem_train.curation.asking.tally import Counts
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Clip
from avem_train.curation.estimate import SECONDS_A_REQUEST
from avem_train.curation.recipe import Recipe
from avem_train.curation.stages import STAGES
from emorealm_tasks.errors import stop
from emorealm_tasks.markdown import table
from emorealm_tasks.untrusted import Unreadable

BLOCK = 4096
"""Bytes that a file system spends on a small file: one block."""
_SAMPLE = 1000  # rows whose memory is measured
_LARGE = 5080 / 4
TOKENS_A_SECOND: Mapping[str, float] = {"72B": _LARGE, "7B": _LARGE * 72 / 7}
"""Parameters -> tokens, in and out together, that vLLM takes in a second on one H100.

72B is published: Qwen2.5-VL-72B over 35,000 videos, 61 tokens in for each out, 5,080 on four H100
(https://tomasruizt.github.io/posts/05_mm-inference-on-vllm/). 7B is scaled from it by parameters: reading a prompt is
bound by arithmetic.
"""


@dataclass(frozen=True)
class StageTaken:
    """What a stage of the small run took."""

    rows_in: float
    """Rows that it read."""
    rows: float
    """Rows that it wrote."""
    asked: float
    """Requests that a model answered."""
    cached: float
    """Requests that the cache answered."""
    tokens_in: float
    """Of these; by the stages' rule of thumb where the model does not count."""
    tokens_out: float
    """As `tokens_in`, of the replies."""
    dollars: float
    """At the prices of the recipe's clients."""
    bytes: float
    """Of its rows and rejects, on disk."""
    held: float
    """Bytes of memory for the rows that it sees all at once."""


@dataclass(frozen=True)
class Pilot:
    """A small run."""

    clips: int
    """Clips of its manifest."""
    stages: Mapping[str, StageTaken]
    """By name, in the order in which they ran."""


def measured(recipe: Recipe) -> Pilot:
    """What the run in the recipe's folder took. Stops where a stage of the recipe has not been run there."""
    return Pilot(
        sum(1 for _ in row_files.read(_there(recipe, ""), Clip)), {name: _taken(recipe, name) for name in recipe.stages}
    )


def from_content(content: Mapping[str, Any]) -> Pilot:
    """The pilot of its JSON (`dataclasses.asdict`)."""
    return Pilot(content["clips"], {name: StageTaken(**taken) for name, taken in content["stages"].items()})


def planned(pilot: Pilot, clips: int) -> Pilot:
    """The same for so many clips: everything grows as they do."""
    factor = clips / pilot.clips
    grown = {
        name: StageTaken(**{key: value * factor for key, value in dataclasses.asdict(taken).items()})
        for name, taken in pilot.stages.items()
    }
    return Pilot(clips, grown)


def gpu_hours(stages: Iterable[StageTaken], tokens_a_second: float) -> float:
    """Hours of one GPU that takes so many tokens in a second."""
    return sum(taken.tokens_in + taken.tokens_out for taken in stages) / tokens_a_second / 3600


def markdown(plan: Pilot, gpus: int, gpu_price: float, clip_mb: float) -> str:
    """The plan as tables. gpu_price: dollars an hour; clip_mb: megabytes of a clip."""
    return "\n\n".join([_stages(plan), _gpus(plan, gpus, gpu_price, clip_mb), _storage(plan, clip_mb)]) + "\n"


def _stages(plan: Pilot) -> str:
    rows = [["stage", "rows in", "requests", "tokens in", "tokens out", "rows out", "GB", "dollars"]]
    for name, one in plan.stages.items():
        counts = [_millions(one.rows_in), _millions(one.asked), _millions(one.tokens_in), _millions(one.tokens_out)]
        rows.append([name, *counts, _millions(one.rows), f"{one.bytes / 1e9:.1f}", f"{one.dollars:,.0f}"])
    sums = {key: sum(getattr(one, key) for one in plan.stages.values()) for key in _SUMMED}
    counts = [_millions(sums[key]) for key in ("asked", "tokens_in", "tokens_out")]
    rows.append(["together", "", *counts, "", f"{sums['bytes'] / 1e9:.1f}", f"{sums['dollars']:,.0f}"])
    return table(rows)


_SUMMED = ("asked", "tokens_in", "tokens_out", "bytes", "dollars")


def _gpus(plan: Pilot, gpus: int, price: float, clip_mb: float) -> str:
    head = ["model", "tokens/s on a GPU", "GPU hours", f"days on {gpus} GPUs", f"dollars at ${price:.2f} an hour"]
    rows = [[*head, "requests/s", "under way", "MB/s of clips"]]
    requests = sum(one.asked for one in plan.stages.values())
    for model, speed in TOKENS_A_SECOND.items():
        hours = gpu_hours(plan.stages.values(), speed)
        a_second = requests / (hours / gpus * 3600)
        reading = gpu_hours((one for name, one in plan.stages.items() if STAGES[name].reads_clips), speed)
        fetched = plan.clips * clip_mb / (reading / gpus * 3600) if reading else 0.0
        figures = [speed, hours, hours * price, a_second, a_second * SECONDS_A_REQUEST, fetched]
        shown = [f"{figure:,.0f}" for figure in figures]
        rows.append([model, *shown[:2], f"{hours / gpus / 24:.1f}", *shown[2:]])
    return table(rows)


def _storage(plan: Pilot, clip_mb: float) -> str:
    replies = sum(one.asked for one in plan.stages.values())
    rows = sum(one.bytes for one in plan.stages.values())
    return table(
        [
            ["stored", "files", "GB"],
            ["clips", _millions(plan.clips), f"{plan.clips * clip_mb / 1000:,.0f}"],
            ["replies", _millions(replies), f"{replies * BLOCK / 1e9:,.0f}"],
            ["rows and rejects", str(2 * len(plan.stages)), f"{rows / 1e9:,.0f}"],
            ["in memory at once", "", f"{max(one.held for one in plan.stages.values()) / 1e9:,.0f}"],
        ]
    )


def _millions(count: float) -> str:
    return f"{count / 1e6:,.1f} M" if count >= 1e6 else f"{count:,.0f}"


def _there(recipe: Recipe, stage: str) -> Path:
    path = pipeline.path(recipe, stage)
    if not path.exists():
        stop(f"{path}: is not there; run the recipe over a few hundred clips first (manifest.limit=300)")
    return path


def _taken(recipe: Recipe, name: str) -> StageTaken:
    rows = _there(recipe, name)
    try:
        told = reports.load(recipe.out, name)
        counts = Counts(**told.counts)
        size = rows.stat().st_size + pipeline.rejects_path(recipe, name).stat().st_size
    except (Unreadable, TypeError, OSError) as error:
        stop(f"{reports.path(recipe.out, name)}: cannot be read ({error}); run the stage {name!r} again")
    tokens_in, tokens_out, dollars = float(counts.tokens_in), float(counts.tokens_out), counts.dollars
    if not tokens_in + tokens_out:
        tokens_in, tokens_out, dollars = (counts.asked * value for value in _by_thumb(recipe, name))
    held = told.rows_in * _held(recipe, name)
    asked = counts.asked, counts.cached
    return StageTaken(told.rows_in, told.rows, *asked, tokens_in, tokens_out, dollars, size, held)


def _by_thumb(recipe: Recipe, name: str) -> tuple[float, float, float]:
    """What the stage expects of a request: tokens in and out, and dollars by the recipe's prices."""
    expected = STAGES[name].expected(recipe.stages[name])
    count = sum(one.count for one in expected) or 1.0
    prices = [recipe.clients[one.client].price.of(one.tokens_in, one.tokens_out) for one in expected]
    return (
        sum(one.count * one.tokens_in for one in expected) / count,
        sum(one.count * one.tokens_out for one in expected) / count,
        sum(one.count * price for one, price in zip(expected, prices, strict=True)) / count,
    )


def _held(recipe: Recipe, name: str) -> float:
    """Bytes of a row in memory, of the rows that a stage sees all at once; 0 where it sees them one by one."""
    stage = STAGES[name]
    if not stage.whole:
        return 0.0
    tracemalloc.start()
    try:
        rows = list(islice(row_files.read(_there(recipe, name), stage.model), _SAMPLE))
        return tracemalloc.get_traced_memory()[0] / max(1, len(rows))
    finally:
        tracemalloc.stop()
