"""Runs of another build of the embedded benchmark are marked and have no rank, and comparisons say it."""

import pytest

import run_folders
from emorealm_results import cli
from emorealm_results.leaderboard import inputs, other_builds
from emorealm_results.runs import benchmark
from emorealm_tasks.mini.build.sizes import sizes
from emorealm_tasks.mini.build.split import VERSION
from emorealm_tasks.mini.world.sampling import TEST_CLIPS

FULL = {"split": "test", "clips": TEST_CLIPS, "seed": 0, "version": VERSION, "questions": "a" * 12}
TOY = FULL | {"clips": 8, "questions": "b" * 12}


def write(folder, build=None, count=8):
    tasks = {name: run_folders.records(name.removeprefix("emorealm_mini_"), count) for name in run_folders.whole()}
    return run_folders.write(folder, tasks, pretrained="", benchmark=build)


def about(*folders):
    return [run.about for run in inputs.read([str(folder) for folder in folders], [])]


def test_a_toy_is_marked_beside_the_full_benchmark(tmp_path):
    toy, full, old = about(write(tmp_path / "toy", TOY), write(tmp_path / "full", FULL), write(tmp_path / "old"))
    assert toy["marks"] == [f"another benchmark ({benchmark.as_text(TOY)})"]
    assert full["marks"] == full["notes"][1:] == []
    assert old["marks"] == ["another benchmark (40 questions)"]
    assert benchmark.UNKNOWN in old["notes"]


def test_an_old_run_with_the_benchmarks_numbers_of_questions_counts_as_it(tmp_path, monkeypatch):
    monkeypatch.setattr(other_builds, "sizes", lambda clips: dict.fromkeys(sizes(clips), 8))
    toy, old = about(write(tmp_path / "toy", TOY), write(tmp_path / "old"))
    assert toy["marks"]
    assert old["marks"] == []
    assert benchmark.UNKNOWN in old["notes"]


def test_a_toy_alone_says_what_it_is(tmp_path):
    (toy,) = about(write(tmp_path / "toy", TOY))
    assert toy["marks"] == []
    assert f"not the embedded benchmark as it comes, but {benchmark.as_text(TOY)}" in toy["notes"]


def test_comparisons_say_it_and_the_gate_ends_with_2_unless_it_is_accepted(tmp_path, capsys):
    full, toy = write(tmp_path / "full", FULL), write(tmp_path / "toy", TOY)
    assert cli.main(["compare", str(full), str(toy)]) == 0
    assert f"benchmark: {benchmark.as_text(FULL)} | {benchmark.as_text(TOY)}" in capsys.readouterr().out
    both = ["regress", "--exact", "--baseline", str(full), "--run", str(toy)]
    with pytest.raises(SystemExit) as stopped:
        cli.main(both)
    assert stopped.value.code == 2
    assert "--asked-otherwise benchmark" in capsys.readouterr().err
    assert cli.main([*both, "--asked-otherwise", "benchmark"]) == 0
