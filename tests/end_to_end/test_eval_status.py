"""`emorealm eval` ends with 0 only when every task has its results; `make run` stops at the first step that fails."""

import datetime
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import run_folders
import warm_commands
from emorealm_results import cli
from emorealm_results.commands import eval
from emorealm_results.runs import headers, unfinished
from emorealm_tasks.mini.build.split import build

ROOT = Path(__file__).resolve().parents[2]
TASK = "emorealm_mini_modality_agreement"
ASKED = ["--tasks", TASK, "--model", "avere", "--batch_size", "4", "--limit", "2"]
OTHER = "emorealm_mini_reasoning_basic_audio"


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval_status") / "mini"
    build(folder, "test", 12, 0)
    return folder


@pytest.fixture(autouse=True)
def here(mini, tmp_path, monkeypatch):
    """Variables of the small world; lmms-eval gets its own argv, and what is extended in it, back."""
    import lmms_eval.__main__ as harness
    from lmms_eval import evaluator
    from lmms_eval.loggers import EvaluationTracker

    extended = [(harness, "cli_evaluate_single"), (harness, "argparse"), (evaluator, "evaluate")]
    for owner, name in [*extended, (EvaluationTracker, "save_results_aggregated")]:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setenv("EMOREALM_MINI", str(mini))
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["emorealm"])


def command(*arguments):
    line = [str(Path(sys.executable).with_name("emorealm")), "eval", *arguments]
    return warm_commands.run(line, os.environ, ROOT)


def test_what_is_complete_ends_with_0(tmp_path):
    done = command(*ASKED, "--output_path", str(tmp_path / "run"), "--log_samples")
    assert done.returncode == 0, done.stderr[-2000:]
    assert not {"Postprocessing", "Generating"} & set(done.stderr.split()), "bars of lmms-eval's short loops"
    (results,) = (tmp_path / "run").rglob("*_results.json")
    content = json.loads(results.read_text())
    assert set(content["results"]) == {TASK}
    assert content["lmms_eval_version"] == importlib.metadata.version("lmms-eval")
    header = headers.read_header(results)
    assert headers.weights_of(header) == "avere_nano"
    began = datetime.datetime.strptime(headers.when(header), "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=datetime.UTC)
    assert datetime.timedelta(0) <= datetime.datetime.now(datetime.UTC) - began < datetime.timedelta(minutes=10)
    assert began.strftime("%Y%m%d_%H%M%S") == header["date"]
    assert len(list((tmp_path / "run").rglob(f"*_samples_{TASK}.jsonl"))) == 1


def test_without_an_output_path_the_printed_results_count(capfd):
    assert eval.main(ASKED) == 0
    assert TASK in capfd.readouterr().out


def test_an_evaluation_that_breaks_off_ends_with_1(monkeypatch, capfd):
    from model_adapters.avere.adapter import AvereChat

    def broken(self, requests):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(AvereChat, "generate_until", broken)
    assert eval.main(ASKED) == 1
    assert "emorealm eval: the evaluation failed: RuntimeError: out of memory" in capfd.readouterr().err


def test_what_lmms_eval_only_prints_ends_with_1(capfd):
    assert eval.main([*ASKED, "--log_samples"]) == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("emorealm eval: ")]
    assert "Specify --output_path" in line


def test_results_that_cannot_be_written_end_with_1(tmp_path, capfd):
    (tmp_path / "run").write_text("a file, not a folder")
    assert eval.main([*ASKED, "--output_path", str(tmp_path / "run"), "--log_samples"]) == 1
    assert "was not written" in capfd.readouterr().err


def test_samples_that_cannot_be_written_end_with_1(tmp_path, monkeypatch, capfd):
    from lmms_eval.loggers import EvaluationTracker

    monkeypatch.setattr(EvaluationTracker, "save_results_samples", lambda self, **given: None)
    assert eval.main([*ASKED, "--output_path", str(tmp_path / "run"), "--log_samples"]) == 1
    assert f"no samples of {TASK}" in capfd.readouterr().err


def test_an_earlier_run_does_not_stand_in_for_a_failed_one(tmp_path, monkeypatch, capfd):
    from lmms_eval.loggers import EvaluationTracker

    output = ["--output_path", str(tmp_path / "run")]
    assert eval.main([*ASKED, *output]) == 0
    monkeypatch.setattr(EvaluationTracker, "save_results_aggregated", lambda self, **given: None)
    assert eval.main([*ASKED, *output]) == 1
    assert "was not written" in capfd.readouterr().err


def test_of_several_evaluations_each_counts(tmp_path, capfd):
    fine = {"model": "avere", "tasks": TASK, "limit": 2}
    (tmp_path / "config.yaml").write_text(json.dumps([fine, fine | {"tasks": "no_such_task"}]))
    assert eval.main(["--config", str(tmp_path / "config.yaml")]) == 1
    assert capfd.readouterr().err.count("emorealm eval: ") == 1
    (tmp_path / "config.yaml").write_text(json.dumps([fine, fine | {"tasks": OTHER}]))
    assert eval.main(["--config", str(tmp_path / "config.yaml")]) == 0


def test_a_configuration_without_an_entry_is_no_success(tmp_path, capfd):
    (tmp_path / "config.yaml").write_text("[]")
    assert eval.main(["--config", str(tmp_path / "config.yaml")]) == 1
    assert "nothing was evaluated" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--model", "avere"]])
def test_without_tasks_nothing_is_asked(arguments, capfd):
    with pytest.raises(SystemExit) as left:
        eval.main(arguments)
    assert left.value.code == 2
    assert "--tasks" in capfd.readouterr().err.splitlines()[-1]


def test_missing_data_keep_their_own_status(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREALM_MINI", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit) as left:
        eval.main(ASKED)
    assert left.value.code == 2


def test_lists_of_lmms_eval_are_no_failure(capfd):
    with pytest.raises(SystemExit) as left:
        eval.main(["--tasks", "list"])
    assert not left.value.code
    assert TASK in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "emorealm_mni", "--model", "avere"], "no task 'emorealm_mni'; did you mean emorealm_mini?"),
        (["--tasks", "emorealm_mini", "--model", "aver"], "no model 'aver'; did you mean avere?"),
    ],
)
def test_an_unknown_task_or_model_ends_in_one_line(words, message, tmp_path):
    build(tmp_path / "mini", "test", 16, 0)
    line = [sys.executable, "-m", "emorealm_results.cli", "eval", *words]
    variables = {**os.environ, "EMOREALM_MINI": str(tmp_path / "mini")}
    done = warm_commands.run(line, variables)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


STEPS = ("emorealm-mini build", *["emorealm eval --tasks"] * 3, "emorealm table")


@pytest.mark.parametrize("broken", range(len(STEPS) + 1))
def test_make_run_stops_at_the_first_step_that_fails(broken, tmp_path):
    """The steps are stand-ins that note their call: the `broken`th fails (the last case: none)."""
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    log = tmp_path / "log"
    script = f'#!/bin/sh\necho "$(basename $0) $1 $2" >> {log}\ntest $(wc -l < {log}) -ne {broken + 1}\n'
    for name in ("emorealm", "emorealm-mini", "uv"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (tmp_path / "venv" / ".installed").touch()
    line = [shutil.which("make"), "run", f"VENV={tmp_path / 'venv'}", f"RUNS={tmp_path / 'runs'}"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert (done.returncode == 0) == (broken == len(STEPS))
    called = log.read_text().splitlines()
    assert len(called) == min(broken + 1, len(STEPS))
    assert all(line.startswith(step) for line, step in zip(called, STEPS, strict=False))


def test_a_mistyped_option_is_one_line_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as stopped:
        eval.main(["--taks", "emorealm"])
    assert stopped.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "eval" in line]
    assert lines == ["emorealm: no option --taks; did you mean --tasks? All: emorealm eval --help"]


def test_the_help_names_this_command_and_the_one_that_lists_tasks(capsys):
    with pytest.raises(SystemExit):
        eval.main(["--verbosity", "ERROR", "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("usage: emorealm eval ")
    assert "use the command emorealm tasks" in shown


def test_a_failed_evaluation_into_the_folder_of_another_is_said_by_its_table(tmp_path, capsys):
    run = run_folders.write(tmp_path / "run", run_folders.whole())
    with pytest.raises(SystemExit) as stopped:
        eval.main([*ASKED, "--model_args", f"pretrained={tmp_path}/none", "--output_path", str(run), "--log_samples"])
    assert stopped.value.code == 2
    capsys.readouterr()
    assert cli.main(["table", str(run)]) == 0
    assert "the last evaluation into this folder, of 2" in " ".join(capsys.readouterr().out.split())
    unfinished.clear(run)
    assert cli.main(["table", str(run)]) == 0
    assert "the last evaluation" not in capsys.readouterr().out


def test_a_killed_evaluation_is_said_too(tmp_path, monkeypatch):
    """The trace is there while it runs: who is killed leaves none."""
    run = run_folders.write(tmp_path / "run", run_folders.whole())
    seen = []
    monkeypatch.setattr(eval, "_evaluate", lambda argv: seen.extend(unfinished.note(run)) or 0)
    assert eval.main([*ASKED, "--output_path", str(run)]) == 0
    assert len(seen) == 1
    assert unfinished.note(run) == []
