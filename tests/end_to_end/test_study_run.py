"""A whole study on a small world through the real command line: trained, examined, stopped, gone on, and tabled."""

import json

import pytest

from avem_train import cli
from avem_train.dpo import settings
from avem_train.study import arms, worker
from avem_train.study import record as study_record
from avem_train.study.arms import Arm
from emorealm_results import cli as results_cli
from emorealm_tasks import metrics

ROWS = [
    Arm("AVEm-DPO", "avem_dpo"),
    Arm("base", published="Our base"),  # answers after a trained one, in one process
    Arm("w/o TPD", "avem_dpo", ("objective.gamma_tpd=0",), axis="gamma_tpd", value=0.0),
]
PUSHED = ["training.optimiser.learning_rate=0.01", "training.optimiser.steps=3", "training.optimiser.batch=4"]


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    place = tmp_path_factory.mktemp("study")
    given = ["study", "mini", f"folder={place / 'kept'}", f"out={place}", "split=validation", "clips=25", "workers=1"]
    return [*given, "preferences.clips=12", *PUSHED], place


@pytest.fixture(scope="module")
def study(arguments):
    """One seed, stopped after the second of its three runs and started again; what was trained and examined when."""
    given, place = arguments
    patch, made = pytest.MonkeyPatch(), []
    patch.setitem(arms.SECTIONS, "main", lambda choices: ROWS)
    patch.setenv("EMOREALM_CACHE", str(place / "cache"))
    patch.setenv("EMOREALM_MINI", str(place / "none"))
    make = worker.Worker.make

    def stopped(self, job):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(job.key)
        return make(self, job)

    patch.setattr(worker.Worker, "make", stopped)
    with pytest.raises(KeyboardInterrupt):
        cli.main([*given, "seeds=1"])
    half = study_record.read(place / "study_validation.json")
    patch.setattr(worker.Worker, "make", lambda self, job: made.append(job.key) or make(self, job))
    assert cli.main([*given, "seeds=1"]) == 0
    yield half, study_record.read(place / "study_validation.json"), made
    patch.undo()


def test_it_goes_on_where_it_was_stopped(study, arguments, capsys):
    half, whole, made = study
    assert len(made) == len(set(made)) == 3
    assert set(half["runs"]) == set(made[:2])
    assert {key: run for key, run in whole["runs"].items() if key in half["runs"]} == half["runs"]
    assert set(whole["runs"]) == set(made)
    assert cli.main([*arguments[0], "seeds=1"]) == 0
    assert "3 runs, 3 of them kept" in capsys.readouterr().out
    assert len(made) == 3
    runs = arguments[1] / "kept" / "runs"
    runs.rename(runs.with_name("elsewhere"))  # as on another machine, which has the record alone
    assert cli.main([*arguments[0], "seeds=1"]) == 0
    assert "3 runs, 3 of them kept" in capsys.readouterr().out
    runs.with_name("elsewhere").rename(runs)
    assert len(made) == 3


def test_every_run_says_what_it_was_and_what_came_out(study):
    _, whole, _ = study
    rows = {row["name"]: row for row in whole["sections"]["main"]}
    run = whole["runs"][rows["w/o TPD"]["runs"][0]]
    assert run["settings"]["objective"]["gamma_tpd"] == 0
    assert run["settings"]["optimiser"]["learning_rate"] == 0.01
    assert (run["seed"], run["steps"], run["recipe"]) == (0, 3, "avem_dpo")
    assert {"logps/chosen", "loss", "accuracies/media"} <= set(run["log"])
    base = whole["runs"][rows["base"]["runs"][0]]
    assert base["seed"] is None
    first = whole["runs"][rows["AVEm-DPO"]["runs"][0]]
    for trained in (first, run):  # adapters were put in, and the base's weights again
        assert trained["answers"]["full"] != base["answers"]["full"]
    for one in (run, base):
        for part in ("full", "blind", "shuffled"):
            records = study_record.records(whole["questions"], one["answers"][part])
            assert {record["task"] for record in records} == set(metrics.TASKS)
            assert study_record.scores(records)["strict"] == one["scores"][part]["strict"]
    assert whole["about"]["world"]["split"] == "validation"
    assert whole["about"]["base"]["name"] == settings.EMBEDDED


def test_the_tables_are_made_of_it(study, arguments, capsys):
    file = arguments[1] / "study_validation.json"
    assert results_cli.main(["study", str(file)]) == 0
    text = file.with_suffix(".md").read_text()
    assert text == capsys.readouterr().out
    for line in ("| AVEm-DPO − w/o TPD", "| paper: base", "| another clip's media", "World: 36 questions"):
        assert line in text
    assert json.loads(file.read_text())["about"]["preferences"]["letters"] == 0.4
