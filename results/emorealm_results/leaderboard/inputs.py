"""What a leaderboard is made of, by its name on the command line: runs, folders of runs, rescored runs and studies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avem_train.study import record as study_record
from emorealm_results.console import progress
from emorealm_results.leaderboard import other_builds, study_rows
from emorealm_results.leaderboard import rows as leaderboard_rows
from emorealm_results.leaderboard.score_rows import Measured
from emorealm_results.paper.printed import Model
from emorealm_results.runs import folders, request_settings, samples
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_json

_RESCORED = {"benchmarks", "recognition", "descriptions"}
_MINI = "emorealm_mini"


def read(arguments: Sequence[str], models: list[Model]) -> list[Measured]:
    """Everything named, in order, as ``PLACE`` or ``NAME=PLACE``; a name that comes twice gets a number.

    A place is a run's folder, a folder of such folders, or a JSON that `emorealm rescore --json` or `avem-train study`
    wrote. The rows of a study have names of their own, after its file's where that is not "study". Stops at the first
    place that is none of these; one that is not there is told before any is read.
    """
    measured_runs: list[Measured] = []
    studied: dict[int, set[Any]] = {}
    named_places = [_named(text) for text in arguments]
    for _, path in named_places:
        if not path.exists():
            stop(f"{path}: no such file or folder; name a run's --output_path, or what `emorealm rescore --json` wrote")
    for name, path in named_places:
        progress.step(f"reads {path}")
        content = _json(path) if path.is_file() else {}
        if set(content) >= set(study_record.PARTS):
            rows = study_rows.read(
                path, content, name or path.stem.removeprefix("study").strip("_"), len(measured_runs)
            )
            studied |= dict.fromkeys(
                range(len(measured_runs), len(measured_runs) + len(rows)), study_rows.asked(content)
            )
            measured_runs += rows
        elif content:
            measured_runs.append(
                leaderboard_rows.read_rescored(
                    path, content, _unused_name(name or path.stem, measured_runs), len(measured_runs), models
                )
            )
        else:
            for run_name, folder in folders.runs(path):
                progress.step(f"scores {folder}")
                measured_runs.append(
                    leaderboard_rows.read(
                        folder, _unused_name(name or run_name, measured_runs), len(measured_runs), models
                    )
                )
    _mark_other_questions(measured_runs, studied)
    _note_other_asking(measured_runs)
    other_builds.mark(measured_runs)
    return measured_runs


def _named(text: str) -> tuple[str, Path]:
    """Name ("" without one) and place of an argument."""
    name, _, place = text.rpartition("=") if "=" in text and not Path(text).exists() else ("", "", text)
    return name, Path(place)


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path, dict, "name a run's folder, a rescored run or a study")
    if set(content) >= set(study_record.PARTS):
        study_record.check(path, content)
    elif not _RESCORED & set(content):
        stop(f"{path}: neither what `emorealm rescore --json` nor what `avem-train study` writes")
    return content


def _unused_name(name: str, runs: Sequence[Measured]) -> str:
    same_name = sum(run.about["name"].rpartition(" #")[0] == name or run.about["name"] == name for run in runs)
    return f"{name} #{same_name + 1}" if same_name else name


def _mark_other_questions(runs: Sequence[Measured], study_questions: dict[int, set[Any]]) -> None:
    """Keep a study's rows out of the ranking where no run beside them was asked their questions."""
    questions_of_runs = []
    for run in runs:
        run_questions = set()
        for task in run.run.questions.tasks if run.run and run.run.questions else ():
            if (task.benchmark, task.part) == (_MINI, samples.FULL):
                run_questions |= {(record["id"], record["clip"], record["gold"]) for record in task.records}
        questions_of_runs += [run_questions] if run_questions else []
    for number, questions in study_questions.items():
        if questions_of_runs and questions not in questions_of_runs:
            runs[number].about["marks"].append("other questions than the runs")


def _note_other_asking(runs: Sequence[Measured]) -> None:
    """Say of each run how it was asked otherwise than the first one of the same adapter, or that this is not known."""
    first: dict[tuple[str, str], Measured] = {}
    for run in runs:
        if not run.about["origin"].startswith(leaderboard_rows.RUN):
            continue
        if not run.about["asked"]:
            run.about["notes"].append(request_settings.UNKNOWN)
        differences: dict[str, dict[str, str]] = {}
        for task, ways in run.about["asked"].items():
            first_run = first.setdefault((run.about["model"], task), run)
            changed = request_settings.differences(first_run.about["asked"][task], ways) or {}
            differences.setdefault(first_run.about["name"], {}).update(changed)
        differ = {name: ways for name, ways in differences.items() if ways}
        run.about["notes"] += [
            f"asked otherwise than {name}: {request_settings.as_text(ways)}" for name, ways in differ.items()
        ]
        run.about["asked_otherwise"] = bool(differ)
