"""The trainings of a study without their examination, for those who look at the models themselves."""

from collections.abc import Iterable
from dataclasses import replace

from avem_train.config import RecipeError
from avem_train.study import arms, program
from avem_train.study.settings import Study
from avem_train.study.worker import Job


def of(study: Study) -> list[tuple[str, Job]]:
    """Row and job of every model that a study trains, and of its base; what differs in answering alone is left out.

    Builds the worlds that are missing. Raises RecipeError for settings that cannot be used.
    """
    try:
        rows = arms.rows(study.sections, study.choices)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    sections, jobs, _ = program.plan(study, rows, study.place)
    named: dict[str, tuple[str, Job]] = {}
    for row in (row for of_section in sections.values() for row in of_section):
        for key in row["runs"]:
            if not jobs[key].answering:
                named.setdefault(key, (row["name"], jobs[key]))
    return list(named.values())


def train(study: Study, jobs: Iterable[Job]) -> set[str]:
    """Train what is not trained yet, the first seeds first -> the keys of those whose loss was no number."""
    missing = sorted((job for job in jobs if not job.trained), key=lambda job: job.seed or 0)
    failed = set()
    waiting = [replace(job, examined=False) for job in missing]
    for number, (job, record) in enumerate(program.made_by(waiting, study.workers), start=1):
        done = record.get("failed") or f"trained in {record['seconds']:.0f} s"
        print(f"[{number}/{len(waiting)}] {job.recipe}, seed {job.seed}: {done}", flush=True)
        if "failed" in record:
            failed.add(job.key)
    return failed
