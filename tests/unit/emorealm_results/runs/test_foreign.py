"""Runs without our records: joined with the benchmark's file by id, and what cannot be joined is said."""

import json

import pytest

import foreign_runs
import run_folders
from emorealm_results import cli
from emorealm_results.rescore import scores
from emorealm_results.runs import foreign, samples
from emorealm_tasks.metrics import TASKS
from foreign_runs import SHAPES, strip

questions = foreign_runs.questions


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_numbers_of_our_own_records(tmp_path, questions, shape):
    tasks = {f"emorealm_{task}": run_folders.records(task) for task in TASKS}
    for rows in tasks.values():
        rows[7]["error"] = "[LMMS_EVAL_REQUEST_FAILED] out of memory"
    run = run_folders.write(tmp_path / "run", tasks)
    ours = scores.score(samples.load(run))["benchmarks"]
    strip(run, SHAPES[shape])
    assert scores.score(foreign.load(run, questions))["benchmarks"] == ours


def test_a_cut_file_of_answers_alone_is_refused(tmp_path, questions, capsys):
    run = run_folders.write(tmp_path / "run", {f"emorealm_{TASKS[1]}": run_folders.records(TASKS[1])})
    strip(run, SHAPES["lmms-eval's own doc"])
    [results] = run.rglob("*_results.json")
    content = json.loads(results.read_text())
    results.write_text(json.dumps(content | {"n-samples": {f"emorealm_{TASKS[1]}": {"effective": 8}}}))
    command = ["rescore", str(run), "--questions", str(questions), "--resamples", "10"]
    assert cli.main(command) == 0
    path = next(run.rglob("*_samples_*.jsonl"))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(SystemExit) as stopped:
        cli.main(command)
    assert stopped.value.code == 2
    assert "holds 3 replies where its results file counts 8" in capsys.readouterr().err


def test_what_cannot_be_joined_is_counted_by_reason(tmp_path, questions, capsys):
    run = run_folders.write(tmp_path / "run", {f"emorealm_{TASKS[1]}": run_folders.records(TASKS[1])})
    path = next(run.rglob("*_samples_*.jsonl"))
    lines = [{"id": f"{TASKS[1]}_{n}", "pred": "A"} for n in range(4)]
    lines += [{"pred": "A"}, {"id": "elsewhere_1", "pred": "A"}, {"id": f"{TASKS[1]}_5"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cli.main(["rescore", str(run), "--questions", str(questions), "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    for reason in (foreign.NO_ID, foreign.UNKNOWN_ID, foreign.NO_REPLY):
        assert any(f"1 sample(s) of {path.name} {reason} could not be rescored" in note for note in report["notes"])
    task = report["benchmarks"]["emorealm"]["full"]["tasks"][TASKS[1]]
    assert (task["n"], task["missing"]) == (4, 4)


def test_a_run_of_another_benchmark_stops(tmp_path, questions, capsys):
    run = run_folders.write(tmp_path / "run", {f"emorealm_{TASKS[0]}": [run_folders.record(TASKS[0], 99)]})
    with pytest.raises(SystemExit) as error:
        cli.main(["rescore", str(run), "--questions", str(questions)])
    assert error.value.code == 2
    assert f"1 {foreign.UNKNOWN_ID}" in capsys.readouterr().err


def test_a_run_without_results_file_or_task_names_is_read_too(tmp_path, questions):
    folder = tmp_path / "other"
    folder.mkdir()
    for name in ("mine", "mine_blind"):
        lines = [{"id": row["id"], "output": row["raw"]} for row in run_folders.records(TASKS[0])]
        (folder / f"2026_samples_{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = foreign.load(folder, questions)
    assert [(task.part, task.task, len(task.records)) for task in run.tasks] == [
        ("full", TASKS[0], 8), ("blind", TASKS[0], 8),
    ]  # fmt: skip
    assert run.headers["2026"]["model"] == "unknown model"


def test_samples_without_records_say_how_to_join_them(tmp_path, capsys):
    run = run_folders.write(tmp_path / "run", run_folders.whole())
    strip(run, SHAPES["lmms-eval's own doc"])
    with pytest.raises(SystemExit):
        cli.main(["rescore", str(run)])
    assert "--questions" in capsys.readouterr().err


def test_unchanged_settings_give_the_same_numbers_to_the_last_digit_and_others_other_intervals(tmp_path, capsys):
    run = run_folders.write(tmp_path / "run", run_folders.whole())

    def scored(*more):
        assert cli.main(["rescore", str(run), "--json", "-", *more]) == 0
        return json.loads(capsys.readouterr().out)["benchmarks"]

    assert scored() == scored()
    wide, narrow = (
        scored("--level", level)["emorealm_mini"]["full"]["tasks"][TASKS[0]]["readings"]["strict"]["accuracy"]
        for level in ("0.99", "0.5")
    )
    assert wide["value"] == narrow["value"]
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]
    assert scored("--seed", "7") != scored()
    with pytest.raises(SystemExit):
        cli.main(["rescore", str(run), "--level", "95"])
