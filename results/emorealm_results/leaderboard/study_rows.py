"""The rows of a study (`avem-train study`) on the leaderboard: methods with intervals over seeds and clips.

They stand among the runs on the embedded benchmark, whose questions they were asked, and say that they are miniatures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from avem_train.study import record
from emorealm_results.console import words
from emorealm_results.leaderboard import score_rows
from emorealm_results.leaderboard.score_rows import Measured, ScoreRow
from emorealm_results.paper.layouts import GROUP
from emorealm_results.runs.samples import FULL
from emorealm_results.study import scores as study_scores
from emorealm_tasks import metrics
from emorealm_tasks.errors import stop

_MAIN = "main"
_MEANS = "means over the seeds; intervals over clips and seeds; unparsed: of all seeds together"
_FLOORS = ("blind", "shuffled")


def read(path: Path, study: Mapping[str, Any], name: str, first: int) -> list[Measured]:
    """The study's methods and ablations that have a finished run; ``first`` numbers them, ``name`` goes before theirs.

    Of a study without that section, every row, once. Stops where no run is finished. `emorealm study` shows the rest:
    choices of rejected media and responses, and sweeps, which are variations of one method.
    """
    scores_by_reading = {reading: study_scores.Scored(study, reading) for reading in record.READINGS}
    by_run: dict[tuple[str, ...], Measured] = {}
    for section in [_MAIN] if _MAIN in study["sections"] else study["sections"]:
        for row in study_scores.rows(study, section):
            if row.runs not in by_run:  # a row may stand in several sections
                label = f"{name} {row.name}".strip()
                about = _about(path, study, row, label)
                by_run[row.runs] = Measured(
                    about, tuple(_rows(study, scores_by_reading, row, label, first + len(by_run))), None
                )
    if not by_run:
        stop(f"{path}: holds no finished run; `avem-train study mini` makes them")
    return list(by_run.values())


def asked(study: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """What makes the questions of two worlds the same: id, clip and gold answer of each."""
    return set(zip(*(study["questions"][name] for name in ("id", "clip", "gold")), strict=True))


def _about(path: Path, study: Mapping[str, Any], row: study_scores.StudyRow, label: str) -> dict[str, Any]:
    about = study["about"]
    runs = [study["runs"][key] for key in row.runs]
    marks = [f"{about['split']} world"] if about["split"] != "test" else []
    planned_runs = len(row.runs) + row.missing + row.failed
    marks += [f"{row.missing} of {planned_runs} seeds to come"] if row.missing else []
    marks += [f"{row.failed} of {planned_runs} seeds failed"] if row.failed else []
    base = f"{about['base']['name']} ({about['base']['fingerprint']})"
    trained = runs[0].get("recipe", "")
    seeds = [str(run["seed"]) for run in runs if run["seed"] is not None]
    return score_rows.unknown() | {
        "name": label,
        "origin": f"study in miniature{_seeds(len(seeds))}",
        "folder": words.place(path),
        "model": f"{base}, trained by {trained}" if trained else base,
        "features": runs[0].get("features", ""),
        "model_args": ",".join(runs[0].get("answering", [])),
        "seeds": {"training": "/".join(seeds)} if seeds else {},
        "versions": about["versions"],
        "marks": marks,
        "notes": [_MEANS] if len(runs) > 1 else [],
        "published": row.published,
    }


def _seeds(count: int) -> str:
    return f", {words.counted(count, 'seed')}" if count else ""


def _rows(
    study: Mapping[str, Any],
    scores_by_reading: Mapping[str, study_scores.Scored],
    row: study_scores.StudyRow,
    label: str,
    number: int,
) -> Iterator[ScoreRow]:
    blank = ScoreRow(
        source="measured",
        model=label,
        modality="A,V",
        benchmark=GROUP,
        mini=True,
        task="",
        part="",
        metric="",
        reading="",
        value=None,
        run=number,
    )
    counts = _counts(study, row)
    for reading, of_reading in scores_by_reading.items():
        for (task, metric), score in of_reading.row(row, FULL).items():
            spread = "" if score.spread is None else f", ± {score.spread:.1f}"
            note = f"mean of {len(row.runs)} trainings{spread}" if len(row.runs) > 1 else ""
            count = counts.get(task, {})
            yield replace(
                blank,
                task=task,
                part=FULL,
                metric=metric,
                reading=reading,
                value=score.value,
                low=score.low,
                high=score.high,
                n=count.get("n"),
                n_clips=count.get("n_clips"),
                unparsed=count.get("unparsed"),
                note=note,
            )
        for part in _FLOORS:
            runs = [study["runs"][key]["scores"][part][reading] for key in row.runs]
            for task, metric, value in _means(runs):
                yield replace(blank, task=task, part=part, metric=metric, reading=reading, value=value)


def _means(runs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, float | None]]:
    """(task or GROUP, metric, mean over the runs) of the scores that the study keeps; None where one is undefined."""
    tables = {GROUP: [run["group"] for run in runs]}
    tables |= {task: [run["tasks"][task] for run in runs] for task in metrics.TASKS}
    for task, scores in tables.items():
        for metric in scores[0]:
            values = [one.get(metric) for one in scores]
            yield task, metric, None if None in values else fmean(values)


def _counts(study: Mapping[str, Any], row: study_scores.StudyRow) -> dict[str, dict[str, int]]:
    """By task: questions, clips, and replies without a clear answer over all seeds (failed requests among them)."""
    columns = study["questions"]
    full = [study["runs"][key]["answers"][FULL]["strict"] for key in row.runs]
    counts = {}
    for task in metrics.TASKS:
        places = [place for place, of_task in enumerate(columns["task"]) if of_task == task]
        unparsed = sum(letters[place] == "-" for letters in full for place in places)
        clips = {columns["clip"][place] for place in places}
        counts[task] = {"n": len(places), "n_clips": len(clips), "unparsed": unparsed}
    return counts
