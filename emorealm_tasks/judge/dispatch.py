"""Judges the descriptions of a run in the way that is set; used by the lmms-eval task and by `emorealm rescore`.

A failing judge never costs the descriptions: the harness saves them with the samples, and `emorealm rescore` judges
them later. A run without enough verdicts shows no scores and ends with exit status 2, after saving.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial

from emorealm_tasks.errors import stop
from emorealm_tasks.judge import batch, client, live, true_cues
from emorealm_tasks.judge.client import JudgeError
from emorealm_tasks.metrics import description
from emorealm_tasks.metrics.description import Record, Verdict
from emorealm_tasks.settings import Settings
from emorealm_tasks.untrusted import brief

Records = Sequence[Record]


def mode(settings: Settings, embedded: bool) -> str:
    """One of `settings.JUDGES`: what is set, else `cues` in the embedded world and `live` elsewhere."""
    return settings.judge or ("cues" if embedded else "live")


def check(settings: Settings, embedded: bool) -> None:
    """Stop if the judge cannot work as set; nothing is asked. To be called before any model loads."""
    judge_mode = mode(settings, embedded)
    if judge_mode == "cues" and not embedded:
        stop("EMOREALM_JUDGE=cues needs true cues, which only the embedded world has; use live, batch or later")
    if settings.judge_price:
        live.price(settings.judge_price)
    if judge_mode in ("live", "batch"):
        try:
            client.Client(settings)
        except JudgeError as error:
            stop(str(error))


def judge_records(records: Records, settings: Settings, judge_mode: str) -> str:
    """Fill in `verdicts` and `judge` of each record, in place; `judge_mode` is one of `settings.JUDGES`.

    Records with true cues are judged by those in any case. Returns "" or what went wrong (the verdicts on disk are
    filled in nevertheless): the judge failed, or more verdicts are missing than may be. Pending batches and `later`
    count as success, and are reported on stderr.
    """
    for record in records:
        if record["truth"] is not None:
            exact = true_cues.verdict(description_text(record), record["truth"])
            record["verdicts"][true_cues.NAME] = description.as_json([exact])
        record["judge"] = true_cues.NAME
    if judge_mode == "cues":
        return ""
    items = [live.Item(record["reference"], description_text(record)) for record in records]
    reasons: dict[int, str] = {}
    judges: dict[str, Callable[..., list[list[Verdict | None]]]] = {
        "live": partial(live.judge, reasons=reasons),
        "batch": batch.judge_by_batch,
        "later": live.cached,
    }
    failure = ""
    try:
        verdicts = judges[judge_mode](items, settings)
    except batch.Pending as pending:
        print(f"emorealm: judging by batch is {pending}", file=sys.stderr, flush=True)
        judge_mode, verdicts = "later", live.cached(items, settings)
    except JudgeError as error:
        failure, verdicts = f"the judge failed: {error}", live.cached(items, settings)
    except Exception as error:  # of whatever kind: raised, it would cost the harness all that is not saved yet
        failure, verdicts = f"the judge failed: {type(error).__name__}: {brief(error)}", live.cached(items, settings)
    name = live.name(settings.judge_model)
    for record, item_verdicts in zip(records, verdicts, strict=True):
        record["judge"] = name
        record["verdicts"][name] = description.as_json(item_verdicts)
    for number, why in reasons.items():
        records[number]["unjudged"] = records[number].get("unjudged", {}) | {name: why}
    return failure if failure or judge_mode == "later" else _too_few(records, name)


def _too_few(records: Records, name: str) -> str:
    missing, total = description.unjudged(records, name)
    if missing <= description.MOST_UNJUDGED * total:
        return ""
    most = f"{description.MOST_UNJUDGED:.0%}"
    return f"{missing} of {total} verdicts of {name} could not be had; beyond {most} there are no scores"


def description_text(record: Record) -> str:
    """The model's description; "" where its request failed."""
    return "" if record["error"] else record["raw"]
