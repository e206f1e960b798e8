"""What a recipe will cost before anything is asked: requests, tokens, dollars and time of each stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from avem_train.curation import manifests, pipeline
from avem_train.curation.data import row_files
from avem_train.curation.recipe import Recipe
from avem_train.curation.stages import STAGES
from avem_train.curation.stages.base import Stage

SECONDS_A_REQUEST = 6.0
"""Assumed of a reply; the real ones are known after the first stage (`STAGE.json`)."""


_SUMMED = ("requests", "tokens_in", "tokens_out", "dollars", "hours")


@dataclass(frozen=True)
class Estimate:
    """What a stage is expected to take; what is in the cache already is not taken off."""

    stage: str
    """Name of the stage."""
    rows: float
    """Rows that go in: counted where the stage before has been run, else expected."""
    requests: float
    """Requests to all its clients."""
    tokens_in: float
    """Tokens of the prompts, media included, by a rule of thumb."""
    tokens_out: float
    """Tokens of the replies."""
    dollars: float
    """What both cost, in US dollars."""
    hours: float
    """With each client's concurrency and requests a minute."""


def estimate(recipe: Recipe, names: Sequence[str] = ()) -> list[Estimate]:
    """The estimate of each stage of the recipe, or of the named ones, in order."""
    rows: dict[str, float] = {"": float(sum(1 for _ in manifests.read(recipe.manifest, recipe.emotions)))}
    estimates = []
    for name in recipe.stages:
        stage = STAGES[name]
        rows_in = sum(rows[source] for source in pipeline.reads(recipe, stage))
        rows[name] = _rows_out(recipe, stage, rows_in)
        if not names or name in names:
            estimates.append(_of_stage(recipe, stage, rows_in))
    return estimates


def table(estimates: Sequence[Estimate]) -> str:
    """The estimates as text, with their sum."""
    sums = {name: sum(getattr(one, name) for one in estimates) for name in _SUMMED}
    lines = [_line("stage", "rows", "requests", "tokens in", "tokens out", "dollars", "hours")]
    for one in [*estimates, Estimate(stage="together", rows=0, **sums)]:
        lines.append(
            _line(
                one.stage,
                f"{one.rows:,.0f}" if one.rows else "",
                f"{one.requests:,.0f}",
                _short(one.tokens_in),
                _short(one.tokens_out),
                f"{one.dollars:,.2f}",
                f"{one.hours:.1f}",
            )
        )
    return "\n".join(lines)


def _line(name: str, *columns: str) -> str:
    return f"{name:14s}" + "".join(f"{column:>12s}" for column in columns)


def _of_stage(recipe: Recipe, stage: Stage, rows: float) -> Estimate:
    expected = stage.expected(recipe.stages[stage.name])
    requests = {one: rows * one.count for one in expected}
    clients = recipe.clients
    of_client = dict.fromkeys((one.client for one in expected), 0.0)
    for one, n in requests.items():
        of_client[one.client] += n
    dollars = sum(n * clients[one.client].price.of(one.tokens_in, one.tokens_out) for one, n in requests.items())
    return Estimate(
        stage.name,
        rows,
        sum(requests.values()),
        sum(n * one.tokens_in for one, n in requests.items()),
        sum(n * one.tokens_out for one, n in requests.items()),
        dollars,
        _hours(recipe, of_client),
    )


def _hours(recipe: Recipe, requests: Mapping[str, float]) -> float:
    """Hours until the slowest client is through; they work side by side. requests: of each client."""
    hours = [0.0]
    for client, count in requests.items():
        settings = recipe.clients[client]
        a_minute = 60 * settings.concurrency / SECONDS_A_REQUEST
        hours.append(count / min(a_minute, settings.per_minute or a_minute) / 60)
    return max(hours)


def _rows_out(recipe: Recipe, stage: Stage, rows: float) -> float:
    file = pipeline.path(recipe, stage.name)
    return float(sum(1 for _ in row_files.read(file, stage.model))) if file.exists() else rows * stage.yields


def _short(count: float) -> str:
    return f"{count / 1e6:,.1f} M" if count >= 1e6 else f"{count / 1e3:,.0f} k" if count >= 1e3 else f"{count:,.0f}"
