"""What a study plans, shares and goes on with; its runs themselves are tried end to end."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from avem_train import cli, config
from avem_train.data.negatives import Negatives
from avem_train.dpo import settings as dpo_settings
from avem_train.dpo import train
from avem_train.objectives import Objective
from avem_train.study import arms, program, worker
from avem_train.study import record as study_record
from avem_train.study.arms import Choices
from avem_train.study.settings import Study
from emorealm_results.compare.power import Design, questions
from emorealm_tasks.mini.build import split as mini_split
from emorealm_tasks.mini.build.sizes import sizes


@pytest.fixture
def shipped():
    content = config.read("study_mini", [])
    assert content.pop("program") == "study"
    return config.from_mapping(Study, content)


def settings_of(given, section):
    return {
        arm.name: program.trainings(given, arm, Path("data"))[0]
        for arm in arms.SECTIONS[section](given.choices)
        if arm.recipe
    }


def test_rows_are_the_papers_methods(shipped):
    main = settings_of(shipped, "main")
    assert main["AVEm-DPO"].objective == Objective()
    assert main["Naive-DPO"].objective == Objective(one_response=True, gamma_tpd=0, lambda_av=0)
    assert main["Vista-DPO†"].negatives == Negatives(change="both")
    assert main["w/o TPD"].objective == Objective(gamma_tpd=0)
    assert {one.optimiser for one in main.values()} == {main["AVEm-DPO"].optimiser}
    assert main["AVEm-DPO"].optimiser.learning_rate == 1e-4  # the study's, not the recipe's
    responses = settings_of(shipped, "table18")
    assert responses["er+irr"].objective.weights == {"video_relevant": 0, "emotion_relevant": 0.7, "irrelevant": 0.3}
    media = settings_of(shipped, "table17")
    assert media["diffusion, both"].negatives == Negatives("diffusion", "both")
    assert len({one.negatives for one in media.values()}) == 8


def test_equal_trainings_are_one_run(shipped):
    keys = {
        section: {name: worker.key("base", "data", one) for name, one in settings_of(shipped, section).items()}
        for section in arms.SECTIONS
    }
    default = keys["main"]["AVEm-DPO"]
    assert keys["table17"]["different emotion, prompt-based"] == keys["table18"]["er+vr"] == default
    assert [keys["sweeps"][name] for name in ("beta_vr 0.5", "gamma_tpd 0.2", "lambda_av 1")] == [default] * 3
    assert keys["sweeps"]["gamma_tpd 0"] == keys["main"]["w/o TPD"]
    assert keys["sweeps"]["lambda_av 0"] == keys["main"]["w/o PMP"]
    assert len(set(keys["main"].values())) == 6
    assert len(set(keys["sweeps"].values())) == 13
    settings = settings_of(shipped, "main")["AVEm-DPO"]
    others = [
        worker.key("other", "data", settings),
        worker.key("base", "other", settings),
        worker.key("base", "data", replace(settings, seed=1)),
        worker.key("base", "data", settings, ("contrast=1",)),
        worker.key("base", "", None),
    ]
    assert len({default, *others}) == 6
    moved = replace(settings, out=Path("elsewhere"), running=replace(settings.running, log_every=7))
    assert worker.key("base", "data", moved) == default


def test_a_run_has_the_version_of_what_computes_it(shipped, monkeypatch):
    settings = settings_of(shipped, "main")["AVEm-DPO"]
    kept = json.loads((Path(program.__file__).parents[2] / "results/mini/study.json").read_text())
    base = kept["about"]["base"]["fingerprint"]
    (untrained,) = (key for row in kept["sections"]["main"] if row["name"] == "base" for key in row["runs"])
    monkeypatch.setattr(worker, "VERSION", 1)
    assert worker.key(base, "", None) == untrained
    first = worker.key(base, "data", settings)
    monkeypatch.setattr(worker, "VERSION", 2)
    assert first != worker.key(base, "data", settings)
    assert worker.key(base, "", None) != untrained


RECORDS = "ff08de8f3f00619c5399ba5a003d1a3a43944e7b5efde309f21318d13f7457c7"
"""The kept study's preference records: `program._content` of the training split, 800 clips, seed 0, 40% letters."""


@pytest.mark.parametrize("name", ["study", "study_validation"])
def test_the_runs_of_the_kept_studies_are_found_again(shipped, name):
    """A setting that came later is no part of a key at its default: see `config.decided`."""
    kept = json.loads((Path(program.__file__).parents[2] / f"results/mini/{name}.json").read_text())
    base = kept["about"]["base"]["fingerprint"]
    for section in kept["sections"].keys() - {"choices"}:  # rows of 20 and 60% letters have other records
        runs = {row["name"]: row["runs"] for row in kept["sections"][section]}
        for arm in (arm for arm in arms.SECTIONS[section](shipped.choices) if arm.recipe):
            seeds = program.trainings(shipped, arm, Path("data"))
            assert [worker.key(base, RECORDS, one) for one in seeds] == runs[arm.name], arm.name


def test_trials_are_each_another_training_and_leave_the_test_world_alone():
    content = config.read("study_trials", [])
    content.pop("program")
    given = config.from_mapping(Study, content)
    found = {arm.name: program.trainings(given, arm, Path("data")) for arm in arms.trials(given.choices) if arm.recipe}
    kinds = {arm.name: arm.one_cue for arm in arms.trials(given.choices)}
    keys = [worker.key("base", f"data{kinds[name]}", one) for name, seeds in found.items() for one in seeds]
    assert len(keys) == len(set(keys)) == 2 * len(found)
    assert len(found) <= 30
    assert given.split == "validation"


def test_the_second_study_has_a_row_for_every_method():
    """Each trained row is another training; the clips give as many questions of Hall. as its power asks for."""
    content = config.read("study_mini_2", [])
    content.pop("program")
    given = config.from_mapping(Study, content)
    assert (given.model, given.split, given.seeds, given.sections) == ("avere_nano_2", "test", 8, ["objectives"])
    found = settings_of(given, "objectives")
    assert [*found] == [
        *("Naive-DPO", "Vista-DPO†", "AVEm-DPO", "w/o PMP", "w/o ERP", "w/o TPD", "AVEm-DPO, penalty"),
        *("mDPO", "MoD-DPO (derived)", "MoD-DPO++ (derived)"),
        *("AVEm-DPO, slower", "AVEm-plus", "AVEm-plus, one cue"),
    ]
    assert len({worker.key("base", "data", one) for one in found.values()}) == 13
    assert (found["AVEm-DPO"].objective.text_prior, found["AVEm-DPO, penalty"].objective.text_prior) == (
        "printed",
        "penalty",
    )
    of_stress = sum(count for task, count in sizes(given.clips).items() if "stress" in task)
    assert of_stress // 4 >= questions(Design(accuracy=0.78, correlation=0.82), 0.03)


@pytest.mark.parametrize("per_seed", [True, False])
def test_every_seed_draws_its_own_preference_records(shipped, tmp_path, monkeypatch, per_seed):
    def build(out, split, clips, seed, letters, one_cue):
        out.mkdir(parents=True)
        made = {"version": mini_split.VERSION, "split": split, "clips": clips, "seed": seed}
        (out / "build.json").write_text(json.dumps(made | ({} if letters is None else {"letters": letters})))
        (out / "preferences.jsonl").write_text(f"{seed}")

    monkeypatch.setattr(program, "build", build)
    monkeypatch.setenv("EMOREALM_MINI", str(tmp_path / "none"))
    given = replace(shipped, preferences=replace(shipped.preferences, per_seed=per_seed), seeds=3)
    rows = {"main": arms.SECTIONS["main"](given.choices)}
    sections, jobs, about = program.plan(given, rows, tmp_path)
    drawn = [{jobs[key].settings.data.read_text() for key in row["runs"]} for row in sections["main"][2:]]
    assert drawn == [{"0", "1", "2"} if per_seed else {"0"}] * 6
    assert len({key for row in sections["main"][2:] for key in row["runs"]}) == 18
    assert about["preferences"].get("per_seed", False) == per_seed
    kept = json.loads((Path(program.__file__).parents[2] / "results/mini/study.json").read_text())["about"]
    assert (about["preferences"] == kept["preferences"]) != per_seed


@pytest.fixture
def second_block(tmp_path, monkeypatch):
    """The shipped study of Emotion-LLaMA, on a base that is no more than its config.json."""

    def build(out, split, clips, seed, letters, one_cue):
        out.mkdir(parents=True)
        made = {"version": mini_split.VERSION, "split": split, "clips": clips, "seed": seed}
        (out / "build.json").write_text(json.dumps(made | ({} if letters is None else {"letters": letters})))

    monkeypatch.setattr(program, "build", build)
    monkeypatch.setenv("EMOREALM_MINI", str(tmp_path / "none"))
    (tmp_path / "base").mkdir()
    (tmp_path / "base/config.json").write_text('{"model_type": "emotion_llama", "version": 1}')
    content = config.read("study_emotion_llama", [f"model={tmp_path / 'base'}"])
    content.pop("program")
    return config.from_mapping(Study, content)


def test_the_second_block_is_the_papers_methods_on_its_other_base(second_block, tmp_path):
    from emorealm_results.study.paper import of_model

    rows = arms.rows(second_block.sections, second_block.choices)
    sections, jobs, _ = program.plan(second_block, rows, tmp_path)
    names = [row["published"] for row in sections["methods"]]
    base = "EmotionLLaMA*"
    assert names == [base, *(f"{base} + {method}" for method in ("Naive-DPO", "Vista-DPO", "AVEm-DPO"))]
    assert all(("emorealm", "stress") in of_model(name) for name in names)
    assert len(jobs) == 1 + 3 * 5
    assert second_block.file.name == "study_emotion_llama.json"


def test_a_base_that_no_study_examines_ends_in_one_line(second_block, tmp_path, capsys):
    (tmp_path / "base/config.json").write_text('{"model_type": "emotion_llama", "version": 2}')
    with pytest.raises(SystemExit):
        program.plan(second_block, arms.rows(second_block.sections, second_block.choices), tmp_path)
    error = capsys.readouterr().err
    assert "a study examines avere and emotion_llama, and this is a model of emotion_llama_v2" in error


@pytest.mark.slow
def test_every_row_of_the_paper_is_found_there():
    from emorealm_results.study.paper import of_model

    for section in ("main", "table17", "table18"):
        for arm in arms.SECTIONS[section](Choices()):
            assert ("emorealm", "stress") in of_model(arm.published), arm.name
    assert of_model("Our base + Vista-DPO")["emorealm", "stress"] == pytest.approx((73.6 + 86.7) / 2)
    assert of_model("Our base + AVEm-DPO")["emorealm", "hall"] == 97.6
    assert of_model("") == {}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("split=train", "split must be test or validation"),
        ("sections=[choices]", "never on the test world"),
        ("sections=[main,text_prior]", "never on the test world"),
        ("sections=[table7]", "unknown section 'table7'"),
        ("training.optimiser.learning_rat=1", "did you mean 'learning_rate'"),
        ("choices.steps=[many]", "lists of numbers"),
        ("seeds=0", "seeds must be at least 1"),
        ("parts=[blind]", "parts must be full"),
        ("parts=[blind,full]", "parts must be full"),
    ],
)
def test_mistakes_end_in_one_line_before_anything_is_built(override, said, tmp_path, capsys):
    assert cli.main(["study", "mini", f"folder={tmp_path / 'kept'}", f"out={tmp_path}", override]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_study_of_something_else_is_neither_resumed_nor_written_over(capsys):
    about = {"base": {"name": "nano", "fingerprint": "1"}, "training": {}}
    found = {"about": about | {"versions": {"torch": "1"}}, "questions": {"id": ["q"]}, "runs": {"k": {}}}
    found |= {"sections": {"main": []}}
    same = study_record.resumed(found, about, Path("s.json"))
    assert same["runs"] == {"k": {}}
    assert same["about"]["versions"]["torch"] == f"1, {torch.__version__.partition('+')[0]}"
    assert study_record.resumed(same, about, Path("s.json")) == same
    assert study_record.resumed(None, about, Path("s.json"))["sections"] == {}
    with pytest.raises(SystemExit):
        study_record.resumed(found, about | {"base": {"name": "nano", "fingerprint": "2"}}, Path("s.json"))
    assert "s.json is a study of another base" in capsys.readouterr().err


def test_fewer_seeds_drop_no_runs():
    before = [{"name": "a", "runs": ["1", "2", "3"]}, {"name": "b", "runs": ["4", "5", "6"]}]
    rows = [{"name": "a", "runs": ["1", "2"]}, {"name": "b", "runs": ["7", "8"]}, {"name": "c", "runs": ["9"]}]
    assert [row["runs"] for row in study_record.with_seeds(before, rows)] == [["1", "2", "3"], ["7", "8"], ["9"]]
    more = [{"name": "a", "runs": ["1", "2", "3", "0"]}]
    assert study_record.with_seeds(before, more) == more


def test_a_world_is_built_once_and_again_where_it_is_another(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREALM_MINI", str(tmp_path / "none"))
    counted = []

    def build(out, split, clips, seed, letters, one_cue):
        counted.append(out)
        out.mkdir(parents=True)
        made = {"version": mini_split.VERSION, "split": split, "clips": clips, "seed": seed}
        (out / "build.json").write_text(json.dumps(made | ({} if letters is None else {"letters": letters})))
        (out / "emorealm_v1.json").write_text("[]")
        (out / "preferences.jsonl").write_text(f"{letters}")

    monkeypatch.setattr(program, "build", build)
    first = program.built(tmp_path, "train", 5, 0, 0.2)
    assert program.built(tmp_path, "train", 5, 0, 0.2) == first
    other = program.built(tmp_path, "train", 5, 0, 0.3)
    assert len(counted) == 2
    assert program._content(first) != program._content(other)


def test_what_ends_a_run_is_its_own_last_line(tmp_path, monkeypatch):
    from emorealm_tasks.errors import stop

    job = worker.Job("k", "avem_dpo", 0, None, (), tmp_path, tmp_path, tmp_path, "w", "cpu")
    monkeypatch.setattr(worker.Worker, "_answers_of", lambda self, job: stop("the clip is broken"))
    with pytest.raises(worker.RunStopped, match="the clip is broken"):
        worker.Worker(0).make(job)
    assert not job.result.exists()


def test_a_loss_that_is_no_number_is_an_outcome(tmp_path, monkeypatch):
    from avem_train.dpo.finite import LossNotFinite

    def diverge(settings, backbone):
        raise LossNotFinite("the loss of record '3_1' is no number")

    monkeypatch.setattr(train, "train", diverge)
    monkeypatch.setattr(worker.Worker, "_model", lambda self, job: None)
    settings = dpo_settings.DpoSettings(tmp_path / "data", tmp_path / "out")
    job = worker.Job("k", "avem_dpo", 0, settings, (), tmp_path, tmp_path, tmp_path, "w", "cpu")
    made = worker.Worker(0).make(job)
    assert "no number" in made["failed"]
    assert program._line("AVEm-DPO", made).endswith("is no number")
