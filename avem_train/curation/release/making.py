"""How a release was made: models and prompts, what each stage took and left out, what it cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from avem_train.curation import reports
from avem_train.curation.asking.spending import Ledger
from avem_train.curation.data.rows import Row
from avem_train.curation.recipe import Recipe
from avem_train.curation.release.sources import json_object

_OF_STAGE = ("stage", "rows_in", "rows", "rejects", "counts", "seconds")


def asked(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Stage, model and prompt of the requests that the rows rest on, with the number of replies."""
    replies: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        for one in row["provenance"]:
            named = one["stage"], one["client"], one["model"], one["prompt"]
            replies.setdefault(named, set()).add(one["key"])
    names = ("stage", "client", "model", "prompt")
    return [dict(zip(names, named, strict=True)) | {"replies": len(keys)} for named, keys in replies.items()]


def stages(recipe: Recipe) -> list[dict[str, Any]]:
    """Of each stage that was run: rows in, rows out, rejects by kind, requests, tokens and dollars."""
    found = []
    for name in recipe.stages:
        report = json_object(reports.path(recipe.out, name))
        if report:
            found.append({field: report[field] for field in _OF_STAGE if field in report})
    return found


def spent(recipe: Recipe) -> float:
    """Dollars paid for the recipe's folder, in all runs."""
    return Ledger(recipe.out / "spent.txt", None).dollars


def prices(recipe: Recipe) -> Mapping[str, tuple[float, float]]:
    """Client -> dollars for a million tokens in and out."""
    return {name: (one.price_in, one.price_out) for name, one in recipe.clients.items()}
