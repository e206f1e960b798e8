"""The record of a small study."""

import copy
import functools

import pytest

import run_folders
from avem_train.study import record as study_record
from emorealm_results.rescore import scores as run_scores
from emorealm_tasks import metrics

PARTS = ("full", "blind", "shuffled")


def study_run(wrong, seed):
    """A run of a study over the questions of `run_folders`, wrong in the places named."""
    rows = {part: answered(wrong if part == "full" else range(4)) for part in PARTS}
    run = {"seed": seed, "recipe": "" if seed is None else "avem_dpo", "answering": []}
    run["answers"] = {part: study_record.answers(of_part) for part, of_part in rows.items()}
    return run | {"scores": {part: study_record.scores(of_part) for part, of_part in rows.items()}}


def answered(wrong):
    rows = [run_folders.record(task, number) for task in metrics.TASKS for number in range(8)]
    for row in rows:
        if int(row["id"].rpartition("_")[2]) in wrong:
            row["raw"] = "AB"[row["gold"] == "A"]
    return [run_scores.reread(row) for row in rows]


@pytest.fixture
def study():
    return copy.deepcopy(_study())


@functools.cache
def _study():
    runs = {"b": study_run(range(4), None), "m0": study_run([0], 0), "m1": study_run([0, 1], 1)}
    runs["m2"] = {"seed": 2, "failed": "the loss is no number"}

    def row(name, keys, **more):
        return {"name": name, "published": "", "axis": "", "value": None, "runs": keys} | more

    main = [row("base", ["b"]), row("AVEm-DPO", ["m0", "m1"], published="Our base + AVEm-DPO")]
    main.append(row("w/o TPD", ["m1", "m2", "m3"]))
    sections = {"main": main, "table18": [row("base", ["b"]), row("er", ["m0"])]}
    about = {"base": {"name": "nano", "fingerprint": "12"}, "split": "test", "versions": {"torch": "2"}}
    about |= {"training": {}, "world": {"clips": 8, "seed": 0}, "preferences": {"clips": 9, "letters": 0.2}}
    return {"about": about, "questions": study_record.questions(answered(())), "runs": runs, "sections": sections}
