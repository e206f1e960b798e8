"""A saved run -> one report of all its scores, and the report as tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emorealm_results.rescore import scores, table
from emorealm_results.runs import descriptions, recognition, saved
from emorealm_tasks import settings
from emorealm_tasks.emotions import Words


def report(run: saved.Saved, bootstrap: scores.Bootstrap | None = None, words: Words | None = None) -> dict[str, Any]:
    """What :func:`rescore.score` says of the run's questions; ``recognition`` and ``descriptions`` where it has those.

    ``input`` is what :func:`saved.modality` says. ``bootstrap`` makes the questions' intervals, ``words`` reads the
    emotions.
    """
    question_scores = scores.score(run.questions, bootstrap) if run.questions else {}
    question_scores |= {"input": saved.modality(run)}
    question_scores |= {"recognition": recognition.score(run.replies, words)} if run.replies.records else {}
    return question_scores | (
        {"descriptions": descriptions.score(run.descriptions)} if run.descriptions.records else {}
    )


def read(run_dir: Path) -> saved.Saved:
    """The run's samples, with the verdicts that the disk has of the judge that is set; no judge is asked."""
    run, current = saved.load(run_dir), settings.load()
    descriptions.add_cached(run.descriptions, current, [current.judge_model])
    return run


def render(run_report: Mapping[str, Any]) -> str:
    """The tables of a :func:`report`: of questions, of recognition and of descriptions."""
    parts = [
        table.render(run_report) if "benchmarks" in run_report else "",
        recognition.render(run_report.get("recognition", {})),
        descriptions.render(run_report.get("descriptions", {})),
    ]
    return "\n".join(filter(None, parts))
