"""One row of a stage, from its reading to what becomes of it: what every engine calls."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from avem_train.curation.asking.asker import Asker, Rejected
from avem_train.curation.asking.mailbox import Waiting
from avem_train.curation.asking.requests import ReplyT, Request
from avem_train.curation.data.rows import Asked, Row
from avem_train.curation.stages.base import Context, Dropped, Outcome, Stage
from emorealm_tasks.chat_client import RequestFailed


@dataclass
class Result:
    """What became of one row."""

    rows: list[Row] = field(default_factory=list)
    """What the stage gives for it."""
    rejects: list[Row] = field(default_factory=list)
    """What it leaves out, each a `Reject` as JSON."""
    failure: str = ""
    """Why a request of it failed, which says nothing of the row: it is to be asked again."""
    waiting: bool = False
    """Whether a reply for it comes by batch: nothing is said of the row yet."""


@dataclass
class RowWork:
    """A stage with its context and its asker, to be called with one row after another, in any number of threads."""

    stage: Stage
    """What is done."""
    context: Context
    """What the stage knows beside the row."""
    asker: Asker
    """Whom it asks."""

    def __call__(self, row: Row) -> Result:
        """What becomes of the row. Raises BudgetSpent, ServerRefuses and OSError, which end the stage."""
        asked: list[Asked] = []

        def ask(client: str, request: Request[ReplyT]) -> ReplyT:
            reply, record = self.asker.ask(self.stage.name, client, request)
            asked.append(record)
            return reply

        with self.context.for_row() as context:
            try:
                outcome = self.stage.each(row, ask, context)
            except Rejected as error:
                reason = context.shown(str(error))
                outcome = Outcome(dropped=[Dropped(str(row["id"]), error.kind, reason, row)])
            except Waiting:
                return Result(waiting=True)
            except RequestFailed as error:
                return Result(failure=f"{row['id']}: {context.shown(str(error))}")
        return result(self.stage, outcome, [record.model_dump() for record in asked])


def result(stage: Stage, outcome: Outcome, asked: list[Mapping[str, Any]]) -> Result:
    """The rows of an outcome, checked, and its rejects, each with what was asked for it."""
    rows = []
    for row in outcome.rows:
        whole = {**row, "provenance": [*row["provenance"], *asked]}
        rows.append(stage.model.model_validate(whole).model_dump())
    rejects = [
        {
            "stage": stage.name,
            "id": dropped.id,
            "kind": dropped.kind,
            "reason": dropped.reason,
            "row": json.dumps(dropped.row, ensure_ascii=False),
        }
        for dropped in outcome.dropped
    ]
    return Result(rows, rejects)
