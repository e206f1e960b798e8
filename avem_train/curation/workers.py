"""What asks and does a stage's work, made from a recipe: in the command's own process, or in a worker's."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from avem_train.curation.asking.asker import Asker
from avem_train.curation.asking.mailbox import Mailbox
from avem_train.curation.asking.reply_cache import ReplyCache
from avem_train.curation.asking.spending import Ledger
from avem_train.curation.clients import setup
from avem_train.curation.clients.settings import ClientSettings
from avem_train.curation.recipe import Recipe, from_content
from avem_train.curation.stages import STAGES
from avem_train.curation.stages.base import Stage, clients
from avem_train.curation.stages.work import RowWork


def asker(recipe: Recipe, stage: Stage, workers: int = 1) -> Asker:
    """Asks the stage's clients, as one of so many workers, which share what may start in a minute."""
    ledger = Ledger(recipe.out / "spent.txt", recipe.budget)
    boxes: dict[str, Mailbox] = {}
    sources = {}
    for name in sorted(clients(recipe.stages[stage.name])):
        settings = _share(recipe.clients[name], workers)
        source = setup.source(settings, recipe.seed)
        if settings.batch:
            client: Any = source.client  # of kind openai: `recipe.load` sees to that
            about = json.dumps([dict(client.identity), client.server.address], sort_keys=True)
            owner = hashlib.sha256(about.encode()).hexdigest()
            boxes[owner] = boxes.get(owner) or Mailbox(client, recipe.out / "batches", owner, ledger)
            source = dataclasses.replace(source, mailbox=boxes[owner])
        sources[name] = source
    return Asker(sources, ReplyCache(recipe.out / "replies"), ledger, recipe.seed)


def _share(settings: ClientSettings, workers: int) -> ClientSettings:
    requests, tokens = settings.per_minute / workers, settings.tokens_per_minute / workers
    return dataclasses.replace(settings, per_minute=requests, tokens_per_minute=tokens)


def row_work(content: Mapping[str, Any], stage: str) -> RowWork:
    """A stage of the recipe with that content, to be called with one row after another in a worker's process."""
    recipe = from_content(content)
    one = STAGES[stage]
    return RowWork(one, recipe.context(one), asker(recipe, one, recipe.workers))
