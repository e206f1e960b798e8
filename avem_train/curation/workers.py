"""What asks and does a stage's work, made from a recipe: in the command's own process, or in a worker's."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from avem_train.curation.asking.asker import Asker
from avem_train.curation.asking.reply_cache import ReplyCache
from avem_train.curation.asking.spending import Ledger
from avem_train.curation.clients import setup
from avem_train.curation.recipe import Recipe, from_content
from avem_train.curation.stages import STAGES
from avem_train.curation.stages.base import Stage, clients
from avem_train.curation.stages.work import RowWork


def asker(recipe: Recipe, stage: Stage, workers: int = 1) -> Asker:
    """Asks the stage's clients, as one of so many workers, which share what may start in a minute."""
    names = sorted(clients(recipe.stages[stage.name]))
    shares = {
        name: dataclasses.replace(recipe.clients[name], per_minute=recipe.clients[name].per_minute / workers)
        for name in names
    }
    sources = {name: setup.source(settings, recipe.seed) for name, settings in shares.items()}
    return Asker(
        sources, ReplyCache(recipe.out / "replies"), Ledger(recipe.out / "spent.txt", recipe.budget), recipe.seed
    )


def row_work(content: Mapping[str, Any], stage: str) -> RowWork:
    """A stage of the recipe with that content, to be called with one row after another in a worker's process."""
    recipe = from_content(content)
    one = STAGES[stage]
    return RowWork(one, recipe.context(one), asker(recipe, one, recipe.workers))
