"""Judged descriptions of a saved run: read, judged again where asked, scored, shown.

Verdicts are taken from the samples, and from the disk for the judge that the settings name; nothing is asked of a
server unless `mode` says so.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorealm_results.console.markdown import interval, table
from emorealm_results.runs import judge_agreement
from emorealm_results.runs.headers import Header, read_header, title
from emorealm_results.runs.samples import newest_files, read_records
from emorealm_tasks.errors import stop
from emorealm_tasks.judge import dispatch, live, true_cues
from emorealm_tasks.metrics import description, intervals
from emorealm_tasks.metrics.description import CRITERIA, Record
from emorealm_tasks.settings import Settings

CUES = true_cues.NAME
TASK_NAME = re.compile("emer|emer_mini")
LEGEND = (
    "Means over judged clips on the judge's scale of 1 to 10, higher is better, with percentile bootstrap intervals "
    "over clips. spread: mean standard deviation between repeats. unjudged: verdicts that could not be had; beyond "
    f"{description.MOST_UNJUDGED:.0%} there are no scores. errors: descriptions that failed; they score 1."
)


@dataclass(frozen=True)
class Descriptions:
    """The descriptions of a run."""

    records: dict[str, list[Record]]
    """Task -> its records."""
    headers: dict[str, Header]
    """Task -> what its results file says."""


def load(folder: Path, required: bool = True) -> Descriptions:
    """Read a run's descriptions. Stops when a file is damaged, and where `required` also when there are none."""
    newest, _ = newest_files(folder, TASK_NAME)
    if required and not newest:
        stop(f"{folder}: no samples of emer or emer_mini; run lmms-eval with --output_path {folder} --log_samples")
    headers = {task: read_header(path.parent / f"{date}_results.json") for task, (date, path) in newest.items()}
    return Descriptions({task: read_records(path, Record) for task, (_, path) in newest.items()}, headers)


def judge_again(descriptions: Descriptions, settings: Settings, mode: str) -> list[str]:
    """Judge in place as `judging.judge_records` does; `mode` is one of `settings.JUDGES`. Returns what went wrong."""
    failures = []
    for task, records in descriptions.records.items():
        if mode == "cues" and records[0]["truth"] is None:
            continue
        if failure := dispatch.judge_records(records, settings, mode):
            failures.append(f"{task}: {failure}")
    return failures


def add_cached(descriptions: Descriptions, settings: Settings, models: Sequence[str]) -> None:
    """Fill in, in place, what these models' verdicts on disk say; nothing is asked.

    A model that has none there leaves the records as they were.
    """
    for model in models:
        run_judges = {task: records[0]["judge"] for task, records in descriptions.records.items()}
        judge_again(descriptions, dataclasses.replace(settings, judge_model=model), "later")
        for task, records in descriptions.records.items():
            if live.name(model) not in judges(records):
                for record in records:
                    record["judge"] = run_judges[task]


def judges(records: Sequence[Record]) -> list[str]:
    """Names of the judges that gave any verdict, in the order in which they judged."""
    names = dict.fromkeys(name for record in records for name in record["verdicts"])
    return [name for name in names if any(any(record["verdicts"].get(name, ())) for record in records)]


def counting(records: Sequence[Record]) -> str:
    """The judge whose scores stand for the run: the one that judged last, else the last that gave enough verdicts."""
    names = judges(records)
    shares = {name: description.unjudged(records, name) for name in names}
    enough = [name for name, (unjudged, of) in shares.items() if unjudged <= description.MOST_UNJUDGED * of]
    run_judge = records[0]["judge"]
    return run_judge if run_judge in enough else next(reversed(enough or names), "")


def estimates(descriptions: Descriptions, settings: Settings) -> list[str]:
    """What judging would take, one line a task; nothing is asked."""
    lines = []
    for task, records in descriptions.records.items():
        items = [live.Item(record["reference"], dispatch.description_text(record)) for record in records]
        lines.append(f"{task}: {live.estimate(live.unanswered(items, settings), settings)}")
    return lines


def score(descriptions: Descriptions) -> dict[str, Any]:
    """All scores, by task.

    ``run`` (the results file's header), ``n``, ``errors``, ``missing``, ``judge`` (see :func:`counting`), ``judges``
    (judge -> ``unjudged`` and ``scores``, as `reasoning_metrics.scores` gives them) and ``agreement`` ("first, second"
    -> `agreement.compare`).
    """
    report = {}
    for task, records in descriptions.records.items():
        header = descriptions.headers[task]
        names = judges(records)
        by_judge = {name: judge_agreement.clip_scores(records, name) for name in names}
        report[task] = {
            "run": {key: value for key, value in header.items() if key != "missing"},
            "n": len(records),
            "errors": sum(bool(record["error"]) for record in records),
            "missing": header["missing"].get(task, 0),
            "judge": counting(records),
            "judges": {
                name: {
                    "unjudged": description.unjudged(records, name)[0],
                    "scores": description.scores(records, name),
                }
                for name in names
            },
            "agreement": {
                f"{a}, {b}": judge_agreement.compare(by_judge[a], by_judge[b])
                for position, a in enumerate(names)
                for b in names[position + 1 :]
            },
        }
    return report


def render(report: Mapping[str, Any]) -> str:
    """The report of :func:`score` as Markdown, ending in a newline; "" for an empty one."""
    blocks = []
    for task, of in report.items():
        blocks.append(f"# {task}: {title(of['run'])}")
        if not of["judges"]:
            blocks.append(f"{of['n']} descriptions, not judged yet: emorealm rescore RUN_DIR --judge live")
            continue
        level = f"{100 * intervals.LEVEL:.0f}%"
        names = [description.NAMES[name] for name in CRITERIA]
        rows = [["judge", "clips", *(f"{name} [{level}]" for name in (*names, "mean")), "spread", *_COUNTS]]
        for judge_name, judge_scores in of["judges"].items():
            cells = [interval(judge_scores["scores"][name], digits=2) for name in (*CRITERIA, "mean")]
            counts = [str(judge_scores["unjudged"]), str(of["errors"]), str(of["missing"])]
            rows.append([judge_name, str(of["n"]), *cells, _spread(judge_scores["scores"]["mean"]), *counts])
        blocks += [table(rows), LEGEND]
        if of["run"]["limit"] is not None and of["run"]["limit"] > 0:  # -1 stands for no limit
            limit = f"--limit {of['run']['limit']:g}"
            blocks.append(f"**LIMITED RUN**: {limit} was used; not comparable to full runs.")
        if of["agreement"]:
            blocks += [judge_agreement.render(of["agreement"]), judge_agreement.LEGEND]
    return "\n\n".join(blocks) + "\n" if blocks else ""


_COUNTS = ("unjudged", "errors", "missing")


def _spread(score: Mapping[str, float | None]) -> str:
    return "–" if score["spread"] is None else f"{score['spread']:.2f}"
