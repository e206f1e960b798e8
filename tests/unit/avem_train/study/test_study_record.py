import json
from pathlib import Path

import pytest
import torch

from avem_train.dpo.settings import Running
from avem_train.study import record as study_record
from emorealm_tasks import metrics
from model_adapters.base import arguments

CHOICES = {"basic": ["(A) A hat.", "(B) Tears.", "(C) Rain.", "(D) A smile."], "yes": ["(A) No", "(B) Yes"]}


def record(number, task, strict, gold, subtask=""):
    choices = CHOICES["basic" if "basic" in task else "yes"]
    return {
        "id": f"{task}_{number}",
        "clip": f"part_1/{number}.mp4",
        "task": task,
        "subtask": subtask,
        "gold": gold,
        "choices": choices,
        "strict": strict,
        "official": strict == gold,
        "official_lenient": strict == gold,
        "error": "",
    }


@pytest.fixture
def answered():
    replies = [("A", "A"), ("B", "A"), ("", "B"), ("B", "B"), ("A", "B")]
    kinds = ("spurious", "no_hallucination", "hallucination")
    return [
        record(number, task, strict, gold, kinds[number % 3] if "stress" in task else "")
        for task in metrics.TASKS
        for number, (strict, gold) in enumerate(replies)
    ]


def test_scores_can_be_made_again_from_what_is_kept(answered):
    asked, answers = study_record.questions(answered), study_record.answers(answered)
    again = study_record.records(json.loads(json.dumps(asked)), json.loads(json.dumps(answers)))
    assert study_record.scores(again) == study_record.scores(answered)
    assert study_record.scores(answered)["strict"]["tasks"]["modality_agreement"]["yes_rate"] == pytest.approx(40)
    assert answers["strict"][:5] == "AB-BA"
    assert answers["official"][:5] == "10010"


def test_answers_to_other_questions_are_refused(answered, capsys):
    asked, answers = study_record.questions(answered), study_record.answers(answered[1:])
    with pytest.raises(SystemExit):
        study_record.records(asked, answers)
    assert "24 answers to 25 questions" in capsys.readouterr().err


def test_a_log_in_short():
    log = [{"step": n, "loss": float(n), "margins/yes_no": 2.0 * n, "epoch": 1} for n in range(20)]
    log[19].pop("margins/yes_no")
    found = study_record.summary([*log, {"step": 20, "train_runtime": 3.0}])
    assert found == {"loss": {"first": 0.5, "last": 18.5}, "margins/yes_no": {"first": 1.0, "last": 36.0}}


@pytest.mark.parametrize(("text", "said"), [("{", "not the JSON of a study"), ('{"runs": {}}', "about, questions")])
def test_a_file_that_is_no_study(text, said, tmp_path, capsys):
    assert study_record.read(tmp_path / "none.json") is None
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(SystemExit):
        study_record.read(tmp_path / "study.json")
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[]", "5", "[" * 100_000, '{"about": 1, "questions": 1, "runs": 1, "sections": 1}'])
def test_any_study_json_ends_in_one_line(text, tmp_path, capsys):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(SystemExit) as stopped:
        study_record.read(tmp_path / "study.json")
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["study", "study_validation"])
def test_no_kept_study_rounded_its_adapters(name):
    """Adapters were added to weights of the precision that the study's own record names: float32 loses nothing."""
    study = study_record.read(Path(__file__).resolve().parents[4] / "results" / "mini" / f"{name}.json")
    running = study["about"]["training"]["running"]
    assert running["device"] == "cpu"
    assert "dtype" not in running
    default = Running().dtype
    assert arguments.choose_dtype(default, torch.device("cpu"), "test") == torch.float32
    for run in study["runs"].values():
        assert "running" not in run.get("settings", {})  # none has settings of its own there


def test_a_run_without_a_part_of_the_examination_is_made_again_where_that_part_is_asked():
    full = {"scores": {"full": {}}}
    assert study_record.answers_all(full, ["full"])
    assert not study_record.answers_all(full, study_record.PARTS_ANSWERED)
    assert not study_record.answers_all(None, ["full"])
    assert study_record.answers_all({"failed": "the loss is no number"}, study_record.PARTS_ANSWERED)
