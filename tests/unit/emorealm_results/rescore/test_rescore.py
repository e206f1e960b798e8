"""Saved samples -> the same scores, whoever left them where, and one clear line for what is broken."""

import json

import pytest

import run_folders
from emorealm_results import cli
from emorealm_results.rescore import scores
from emorealm_results.runs import samples
from emorealm_tasks import metrics


def score(folder):
    return scores.score(samples.load(folder))


def test_scores_come_from_the_raw_replies_not_from_the_saved_readings(tmp_path):
    report = score(run_folders.write(tmp_path, run_folders.whole()))
    task = report["benchmarks"]["emorealm_mini"]["full"]["tasks"]["modality_agreement"]
    assert {name: task[name] for name in ("n", "n_clips", "unparsed", "errors", "missing")} == {
        "n": 8, "n_clips": 8, "unparsed": 1, "errors": 1, "missing": 0,
    }  # fmt: skip
    strict = task["readings"]["strict"]
    assert (strict["accuracy"]["value"], strict["precision"]["value"], strict["recall"]["value"]) == (62.5, 75, 50)
    assert strict["accuracy"]["low"] < 62.5 < strict["accuracy"]["high"]


def test_one_wording_scores_differently_in_each_reading(tmp_path):
    task = "reasoning_basic_video"
    rows = [run_folders.record(task, 0, raw="It is a red hat."), run_folders.record(task, 2, raw="I see a hat.")]
    report = score(run_folders.write(tmp_path, {f"emorealm_{task}": rows}))
    readings = report["benchmarks"]["emorealm"]["full"]["tasks"][task]["readings"]
    assert {name: reading["accuracy"]["value"] for name, reading in readings.items()} == {
        "official": 100, "official_lenient": 100, "strict": 0,
    }  # fmt: skip


def test_group_needs_all_five_tasks(tmp_path):
    whole = run_folders.whole()
    full = score(run_folders.write(tmp_path / "full", whole))["benchmarks"]["emorealm_mini"]["full"]["group"]
    assert full["strict"]["accuracy"]["value"] == 62.5
    assert full["strict"]["hall"]["value"] == 50  # two hallucination questions a task, one of them an error
    whole.popitem()
    part = score(run_folders.write(tmp_path / "part", whole))["benchmarks"]["emorealm_mini"]["full"]["group"]
    assert part["strict"]["accuracy"] == {"value": None, "low": None, "high": None}
    assert part["strict"]["agree"]["value"] is not None


def test_floors_from_a_later_run_join_and_the_newest_samples_count(tmp_path):
    run_folders.write(tmp_path, run_folders.whole(), date="20261121_101500")
    worse = {f"emorealm_mini_{t}": [run_folders.record(t, 0, raw="B")] for t in metrics.TASKS[:1]}
    run_folders.write(tmp_path, worse, date="20261121_120000")
    run_folders.write(tmp_path, run_folders.whole("emorealm_mini_blind"), date="20261121_130000")
    report = score(tmp_path)
    parts = report["benchmarks"]["emorealm_mini"]
    assert set(parts) == {"full", "blind"}
    assert parts["full"]["tasks"]["modality_agreement"]["n"] == 1
    assert parts["full"]["tasks"]["reasoning_basic_audio"]["n"] == 8
    assert "1 older" in report["notes"][0]


def test_a_model_without_a_name_leaves_its_files_in_the_folder_itself(tmp_path):
    run_folders.write(tmp_path, run_folders.whole(), pretrained="")
    assert list(tmp_path.glob("*_results.json"))
    assert len(samples.load(tmp_path).tasks) == 5


def stopped(capsys, folder):
    with pytest.raises(SystemExit) as error:
        cli.main(["rescore", str(folder)])
    assert error.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_broken_folders_end_in_one_line(tmp_path, capsys):
    assert "no such folder" in stopped(capsys, tmp_path / "nowhere")
    assert "--log_samples" in stopped(capsys, tmp_path)
    run = run_folders.write(tmp_path / "run", run_folders.whole())
    file = next(run.rglob("*_samples_emorealm_mini_modality_agreement.jsonl"))
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], lines[2][:40]]))
    assert "line 3" in stopped(capsys, run)
    file.write_text(json.dumps({"emorealm_score": {"score": 1.0}}))
    assert "no record" in stopped(capsys, run)
    file.write_text(json.dumps({"emorealm_score": {"record": {"id": "x"}}}))
    assert "lacks clip, task" in stopped(capsys, run)
    file.write_text("")
    assert "empty" in stopped(capsys, run)
    next(run.rglob("*_results.json")).unlink()
    assert "_results.json" in stopped(capsys, run)


def test_two_models_are_not_mixed(tmp_path, capsys):
    run_folders.write(tmp_path, run_folders.whole(), pretrained="one")
    run_folders.write(tmp_path, run_folders.whole(), pretrained="two")
    assert "several models" in stopped(capsys, tmp_path)
    assert len(samples.load(tmp_path / "one").tasks) == 5
    run_folders.write(tmp_path / "same", run_folders.whole(), pretrained="")
    blind = run_folders.whole("emorealm_mini_blind")
    run_folders.write(tmp_path / "same", blind, model="other", pretrained="", date="20261122_101500")
    assert "different models" in stopped(capsys, tmp_path / "same")


def test_a_summary_is_printed_unless_json_is_asked_for(tmp_path, capsys):
    run = run_folders.write(tmp_path, run_folders.whole())
    assert cli.main(["rescore", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "62.5 [" in printed
    assert len(printed.splitlines()) < 30
    assert max(map(len, printed.splitlines())) <= 80


def test_json_is_written_or_printed(tmp_path, capsys):
    run = run_folders.write(tmp_path, run_folders.whole())
    assert cli.main(["rescore", str(run), "--json", str(tmp_path / "scores.json")]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["rescore", str(run), "--json", "-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "scores.json").read_text()) == score(run) | {"input": ""}
