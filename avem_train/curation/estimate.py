"""What a recipe will cost before anything is asked: requests, tokens, dollars and time of each stage.

Of a stage that was run with these settings, prompts and models, on however many clips, what it took then is what it is
expected to take for each row; of others it is assumed by a rule of thumb. The table says which is which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avem_train.curation import manifests, pipeline, reports
from avem_train.curation.asking.spending import Price
from avem_train.curation.asking.tally import Used
from avem_train.curation.clients.settings import ClientSettings
from avem_train.curation.data import store
from avem_train.curation.recipe import Recipe
from avem_train.curation.reports import Report
from avem_train.curation.stages import STAGES
from avem_train.curation.stages.base import Expected, Stage
from emorealm_tasks import chat_batches

SECONDS_A_REQUEST = 6.0
"""Assumed of a reply, where none was measured."""


_SUM = "together"
_SUMMED = ("requests", "tokens_in", "tokens_out", "dollars", "hours")


@dataclass(frozen=True)
class Estimate:
    """What a stage is expected to take; what is in the cache already is not taken off."""

    stage: str
    """Name of the stage."""
    rows: float
    """Rows that go in."""
    requests: float
    """Requests to all its clients."""
    tokens_in: float
    """Tokens of the prompts, media included, by a rule of thumb."""
    tokens_out: float
    """Tokens of the replies."""
    dollars: float
    """What both cost, in US dollars."""
    hours: float
    """With each client's concurrency and what it may be asked in a minute; without batches."""
    measured: bool = False
    """Whether this follows from a run, not from rules of thumb."""
    batch: bool = False
    """Whether some of it goes by batch."""


@dataclass(frozen=True)
class _Load:
    """What a client is to do in a stage. seconds: of a request."""

    requests: float
    tokens_in: float
    tokens_out: float
    seconds: float


@dataclass(frozen=True)
class Clips:
    """The clips of a recipe's manifest."""

    count: int
    """How many there are."""
    absent: Sequence[str] = ()
    """Their files on disk that are not there; of clips at an address it is not known."""


def clips(recipe: Recipe) -> Clips:
    """The clips of the recipe's manifest. Stops where it cannot be read."""
    place, count, absent = recipe.manifest.place, 0, []
    for clip in manifests.read(recipe.manifest, recipe.emotions):
        count += 1
        if not store.is_address(place):
            files = [Path(place) / name for name in (clip.video, clip.audio) if name]
            absent += [str(file) for file in files if not file.exists()][:1]
    return Clips(count, absent)


def estimate(recipe: Recipe, names: Sequence[str] = (), found: Clips | None = None) -> list[Estimate]:
    """The estimate of each stage of the recipe, or of the named ones, in order. found: its clips, if counted."""
    rows: dict[str, float] = {"": float((found or clips(recipe)).count)}
    estimates = []
    for name in recipe.stages:
        stage = STAGES[name]
        run = _run(recipe, stage)
        rows_in = sum(rows[source] for source in pipeline.reads(recipe, stage))
        rows[name] = rows_in * (run.rows / run.rows_in if run else stage.yields)
        if not names or name in names:
            estimates.append(_of_stage(recipe, stage, rows_in, run))
    return estimates


def table(estimates: Sequence[Estimate], found: Clips | None = None) -> str:
    """The estimates as text, with their sum, and a note where files of the clips are not there."""
    sums = {name: sum(getattr(one, name) for one in estimates) for name in _SUMMED}
    lines = [_line("stage", "rows", "requests", "tokens in", "tokens out", "dollars", "hours", "from")]
    for one in [*estimates, Estimate(stage=_SUM, rows=0, **sums)]:
        lines.append(
            _line(
                one.stage,
                f"{one.rows:,.0f}" if one.rows else "",
                f"{one.requests:,.0f}",
                _short(one.tokens_in),
                _short(one.tokens_out),
                f"{one.dollars:,.2f}",
                f"{one.hours:.1f}",
                "" if one.stage == _SUM else "a run" if one.measured else "rules",
            )
        )
    return "\n".join([*lines, *_notes(estimates), *(_absent(found) if found else ())])


def _absent(found: Clips) -> list[str]:
    """How many clips have no file, and which is the first."""
    if not found.absent:
        return []
    return [
        f"Files are not there of {len(found.absent)} of {found.count} clips, e.g. {found.absent[0]}: these would be "
        "rejected. Paths count from manifest.root=, or from the folder of the manifest."
    ]


def _notes(estimates: Sequence[Estimate]) -> list[str]:
    """What is to be known of the numbers."""
    notes = ["What is in the cache already is not taken off."]
    if assumed := [one.stage for one in estimates if one.requests and not one.measured]:
        notes.append(
            f"Assumed, by rules of thumb and {SECONDS_A_REQUEST:g} s a reply: {', '.join(assumed)}. Run a few clips "
            "first, into the same out=, and these are measured."
        )
    if batch := [one.stage for one in estimates if one.batch]:
        notes.append(
            f"By batch, at {chat_batches.PRICE:.0%} of the price: {', '.join(batch)}. Beside the hours above, each "
            f"round of requests (a question after a reply, say) takes up to {chat_batches.WINDOW}."
        )
    return notes


def _line(name: str, *columns: str) -> str:
    return f"{name:14s}" + "".join(f"{column:>12s}" for column in columns)


def _of_stage(recipe: Recipe, stage: Stage, rows: float, run: Report | None) -> Estimate:
    loads = _measured(run, rows) if run else _assumed(stage.expected(recipe.stages[stage.name]), rows)
    clients = {name: recipe.clients[name] for name in loads}
    return Estimate(
        stage.name,
        rows,
        sum(load.requests for load in loads.values()),
        sum(load.tokens_in for load in loads.values()),
        sum(load.tokens_out for load in loads.values()),
        sum(_price(clients[name]).of(load.tokens_in, load.tokens_out) for name, load in loads.items()),
        max((_hours(clients[name], load) for name, load in loads.items()), default=0.0),
        run is not None,
        any(client.batch for client in clients.values()),
    )


def _run(recipe: Recipe, stage: Stage) -> Report | None:
    """The report of a run of the stage as it is set up now, on whichever clips; None where there was none."""
    report = reports.read(recipe.out, stage.name)
    if report is None or not report.rows_in:
        return None
    own = reports.of_stage(stage, recipe.stages[stage.name])
    models = {name: about.get("model") for name, about in report.made_from["clients"].items()}
    same_models = models == {name: recipe.clients[name].model for name in models if name in recipe.clients}
    same = same_models and own == {name: report.made_from[name] for name in own}
    return report if same and (report.used or not models) else None


def _measured(run: Report, rows: float) -> dict[str, _Load]:
    """Client -> what it is to do for so many rows, by what it did in the run."""
    share = rows / run.rows_in
    used = {name: Used(**values) for name, values in run.used.items()}
    return {
        name: _Load(
            share * one.replies,
            share * one.tokens_in,
            share * one.tokens_out,
            one.seconds / one.timed if one.timed else SECONDS_A_REQUEST,
        )
        for name, one in used.items()
    }


def _assumed(expected: Sequence[Expected], rows: float) -> dict[str, _Load]:
    """Client -> what it is to do for so many rows, by the stage's rule of thumb."""
    loads: dict[str, _Load] = {}
    for one in expected:
        n = rows * one.count
        before = loads.get(one.client, _Load(0, 0, 0, SECONDS_A_REQUEST))
        loads[one.client] = _Load(
            before.requests + n,
            before.tokens_in + n * one.tokens_in,
            before.tokens_out + n * one.tokens_out,
            SECONDS_A_REQUEST,
        )
    return loads


def _price(client: ClientSettings) -> Price:
    return client.price.by_batch if client.batch else client.price


def _hours(client: ClientSettings, load: _Load) -> float:
    """Hours until a client is through; clients work side by side."""
    if client.batch:
        return 0.0
    minutes = [load.requests * load.seconds / client.concurrency / 60]
    if client.per_minute:
        minutes.append(load.requests / client.per_minute)
    if client.tokens_per_minute:
        minutes.append((load.tokens_in + load.tokens_out) / client.tokens_per_minute)
    return max(minutes) / 60


def _short(count: float) -> str:
    return f"{count / 1e6:,.1f} M" if count >= 1e6 else f"{count / 1e3:,.0f} k" if count >= 1e3 else f"{count:,.0f}"
