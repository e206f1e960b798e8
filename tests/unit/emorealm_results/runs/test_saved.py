"""A saved run counts as whole only where its results file says so."""

import json

import pytest

import run_folders
from emorealm_results import cli
from emorealm_results.runs import saved
from emorealm_tasks.metrics import TASKS


@pytest.fixture
def run(tmp_path):
    """A run of all tasks whose results file counts its questions, as lmms-eval's does."""
    folder = run_folders.write(tmp_path / "run", run_folders.whole())
    [results] = folder.rglob("*_results.json")
    content = json.loads(results.read_text())
    content["n-samples"] = {name: {"original": 8, "effective": 8} for name in content["results"]}
    results.write_text(json.dumps(content))
    return folder


def samples_of(run, task):
    [path] = run.rglob(f"*_samples_emorealm_mini_{task}.jsonl")
    return path


def refused(run, capsys):
    with pytest.raises(SystemExit) as stopped:
        saved.load(run)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_a_whole_run_is_read(run, capsys):
    assert len(saved.load(run).questions.tasks) == 5
    assert capsys.readouterr().err == ""


def test_a_file_cut_at_the_end_of_a_line_is_refused(run, capsys):
    path = samples_of(run, TASKS[0])
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    said = refused(run, capsys)
    assert str(path) in said
    assert "holds 3 replies where its results file counts 8" in said


def test_a_file_written_twice_is_refused(run, capsys):
    path = samples_of(run, TASKS[0])
    path.write_text(path.read_text() * 2)
    assert "more than once" in refused(run, capsys)


def test_a_task_without_its_file_is_told_and_not_averaged_over(run, capsys):
    samples_of(run, TASKS[0]).unlink()
    assert cli.main(["rescore", str(run), "--json", str(run / "scores.json"), "--resamples", "10"]) == 0
    assert f"emorealm_mini_{TASKS[0]}, whose samples file is missing" in capsys.readouterr().err
    scored = json.loads((run / "scores.json").read_text())
    assert "samples file is missing" in scored["notes"][0]
    assert scored["benchmarks"]["emorealm_mini"]["full"]["group"]["strict"]["accuracy"]["value"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("raw", 5), ("raw", None), ("choices", "AB"), ("gold", ["A"]), ("id", {}), ("error", [1]), ("raw", [["x"]])],
)
def test_a_record_of_another_kind_is_refused(run, capsys, field, value):
    path = samples_of(run, TASKS[0])
    lines = path.read_text().splitlines()
    sample = json.loads(lines[1])
    sample["emorealm_score"]["record"][field] = value
    path.write_text("\n".join([lines[0], json.dumps(sample), *lines[2:]]) + "\n")
    assert f"line 2: in its record {field} is" in refused(run, capsys)


@pytest.mark.parametrize(
    "content", ["", "[]", "[" * 100_000, '{"results": 5}', '{"config": []}', '{"results": {"x": 1}}']
)
def test_a_damaged_results_file_is_refused(run, capsys, content):
    [results] = run.rglob("*_results.json")
    results.write_text(content)
    said = refused(run, capsys)
    assert str(results) in said
    assert "run again" in said


def test_a_line_of_another_kind_is_refused(run, capsys):
    path = samples_of(run, TASKS[0])
    for line in ("[]", "5", "[" * 100_000, "{"):
        path.write_text(path.read_text().split("\n", 1)[0] + "\n" + line + "\n")
        assert "line 2" in refused(run, capsys)
