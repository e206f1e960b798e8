"""Every command the READMEs show is run, or where it needs the licensed data or hours, gone through as a dry run."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import warm_commands

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)


def commands():
    """Each command line of the README's bash blocks, comments dropped."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def names(line):
    return " ".join(line)[:70]


def run(line, folder, **variables):
    """One of our commands as its console script runs it, with its folder as the current one."""
    return warm_commands.run([BIN / line[0], *line[1:]], {**os.environ, **variables}, folder)


def test_the_readme_shows_commands():
    assert ["make", "run"] in commands()
    assert ["make", "test"] in commands()


@pytest.mark.parametrize("command", [c for c in commands() if c[0] == "make"], ids=names)
def test_make_targets_exist(command):
    done = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [c for c in commands() if c[0] == "pip"], ids=names)
def test_what_is_installed_is_there(command):
    """Dry run; the wheel and the lock are installed for real in test_wheel.py."""
    assert (ROOT / command[-1].partition("[")[0]).exists()


@pytest.mark.parametrize("command", [c for c in commands() if c[0] == "export"], ids=names)
def test_variables_are_settings(command):
    from emorealm_tasks.settings import Settings

    name = command[1].split("=")[0]
    assert name.startswith("EMOREALM_")
    assert name.removeprefix("EMOREALM_").lower() in Settings.__dataclass_fields__


def evaluations():
    """Both ways to run lmms-eval, as lmms-eval's own argv."""
    shown = [["lmms-eval", *c[2:]] if c[:2] == ["emorealm", "eval"] else c for c in commands()]
    return [line for line in shown if line[0] == "lmms-eval" and "--model" in line]


def test_the_bare_command_is_the_first_evaluation_shown():
    assert evaluations()[0] == ["lmms-eval", "--tasks", "emorealm", "--model", "avere"]
    assert len(evaluations()) > 10


@pytest.mark.parametrize("command", evaluations(), ids=names)
def test_runs_name_tasks_models_and_arguments_that_exist(command, monkeypatch):
    """Dry run: the parser of lmms-eval takes the line, and its tasks and its model are known."""
    from lmms_eval.__main__ import parse_eval_args
    from lmms_eval.models import get_model_manifest

    from emorealm_tasks import plugin

    monkeypatch.setattr(sys, "argv", command)
    _, arguments = parse_eval_args()
    assert set(arguments.tasks.split(",")) <= set(plugin.describe())
    assert get_model_manifest(arguments.model)


def arguments_for(output):
    """The model arguments of the evaluation whose results go to `output`, as lmms-eval reads them."""
    from lmms_eval.utils import simple_parse_args_string

    (command,) = [line for line in evaluations() if output in line]
    return simple_parse_args_string(command[command.index("--model_args") + 1])


def test_the_base_and_the_trained_omni_are_asked_alike(tiny_omni, tmp_path):
    from avem_train.backbones.chatml import ANSWERING
    from model_adapters.in_process.audio_visual import Qwen25OmniAV

    folder = Path(shutil.copytree(tiny_omni, tmp_path / "trained"))
    (folder / "training.json").write_text(json.dumps({"answering": dataclasses.asdict(ANSWERING)}))
    given = arguments_for("results/runs/omni_base") | {"pretrained": str(tiny_omni)}
    base = Qwen25OmniAV(**given).ways()
    trained = Qwen25OmniAV(**arguments_for("results/runs/omni_dpo") | {"pretrained": str(folder)}).ways()
    assert base == trained
    assert (base["interleave"], base["frames"]) == (False, 16)
    by_default = Qwen25OmniAV(pretrained=str(tiny_omni)).ways()
    assert {name for name in by_default if by_default[name] != base[name]} == {"frames", "interleave", "prompt"}


LIGHT = ("emorealm", "emorealm-mini", "avem-train")
FEW = ("--clips", "12")
OF_A_RUN = ("table", "rescore", "judge-agreement", "leaderboard", "compare", "regress", "export", "push")
"""Verbs of `emorealm` that read what a run left; their own tests give them one."""


@pytest.mark.parametrize("command", [c for c in commands() if c[0] == "emorealm" and c[1] in OF_A_RUN], ids=names)
def test_verbs_about_runs_say_that_the_run_is_not_there(command, tmp_path):
    done = run(command, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "results/runs" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [c for c in commands() if c[:3] == ["lmms-eval", "tasks", "list"]], ids=names)
def test_the_harness_lists_our_tasks_from_the_include_path(command):
    path = run(["emorealm", "tasks", "--path"], ROOT).stdout
    done = run([word.replace("$(emorealm tasks --path)", path.strip()) for word in command], ROOT)
    assert "emorealm_reasoning_stress_video" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [c for c in commands() if c[0] in LIGHT and c[1] not in (*OF_A_RUN, "run", "eval", "analyse", "curate")],
    ids=names,
)
def test_light_commands_run(command, tmp_path):
    """For real, in a folder of their own; the benchmark with few clips (with all of them: test_main_job.py)."""
    if command[:2] == ["emorealm-mini", "build"]:
        command = [*command, *FEW]  # the last --clips counts
    places = {"EMOREALM_CACHE": str(tmp_path / "cache"), "EMOREALM_MINI": str(tmp_path / "mini")}
    if command[:2] == ["emorealm-mini", "build"]:
        del places["EMOREALM_MINI"]
    if command[:2] == ["emorealm-mini", "sheet"]:
        assert run(["emorealm-mini", "build", "--out", "data/mini", *FEW], tmp_path, **places).returncode == 0
    if command == ["emorealm", "check"]:
        assert run(["emorealm-mini", "build", *FEW], tmp_path, **places).returncode == 0
    done = run(command, tmp_path, **places)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [c for c in commands() if c[:2] == ["emorealm", "curate"]], ids=names)
def test_curation_is_gone_through(command, tmp_path):
    """A run as an estimate; an export or a release says that there are no rows yet."""
    (tmp_path / "clips.csv").write_text("id,video,emotion\na,a.mp4,anger\n")
    line = [*command, "--estimate"] if command[2] == "run" and "--estimate" not in command else command
    line = line[: line.index(">")] if ">" in line else line
    if "mine.yaml" in line:
        (tmp_path / "mine.yaml").write_text(run(SHOW[:-2], tmp_path).stdout)
    done = run(line, tmp_path)
    assert done.returncode == (2 if command[2] in ("export", "release") else 0), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


(SHOW,) = [c for c in commands() if c[:3] == ["emorealm", "curate", "show"]]
"""How the README begins the recipe that its later commands name."""


@pytest.mark.parametrize(
    "command", [c for c in commands() if c[:2] == ["emorealm", "analyse"] and c[2] != "page"], ids=names
)
def test_analyses_take_their_arguments(command):
    from emorealm_results.commands.analyse import _parser

    taken = _parser().parse_args(command[2:])
    assert command[2] in str(vars(taken).values())


def test_the_page_of_the_analyses_is_made_of_those_shown():
    """The page itself is made in test_analyses_page.py."""
    from emorealm_results.analyses.kinds import KINDS

    (page,) = [c for c in commands() if c[:3] == ["emorealm", "analyse", "page"]]
    folders = page[3 : page.index("--out")]
    shown = {c[2]: c[c.index("--out") + 1] for c in commands() if c[:2] == ["emorealm", "analyse"] and c[2] in KINDS}
    assert set(folders) <= set(shown.values())


def trainings():
    """Recipe and overrides of every command that trains, launched by accelerate or not."""
    found = [c[c.index("run") + 1 :] for c in commands() if "run" in c and {"avem-train", "avem_train.cli"} & set(c)]
    return [words for words in found if words]


@pytest.mark.parametrize("words", trainings(), ids=names)
def test_training_recipes_fill_their_settings(words):
    from avem_train import cli, config

    content = config.read(words[0], words[1:])
    settings, _ = cli.PROGRAMS[content.pop("program")]()
    filled = config.from_mapping(settings, content)
    assert str(filled.out) in " ".join(words)


@pytest.mark.parametrize("command", [c for c in commands() if c[0] == "accelerate"], ids=names)
def test_launch_files_are_there_and_an_update_is_the_papers(command):
    from avem_train import config
    from avem_train.dpo import settings

    launch = yaml.safe_load((ROOT / command[command.index("--config_file") + 1]).read_text(encoding="utf-8"))
    content = config.read(command[command.index("run") + 1], command[command.index("run") + 2 :])
    content.pop("program")
    optimiser = config.from_mapping(settings.DpoSettings, content).optimiser
    assert launch["num_processes"] * optimiser.batch * optimiser.accumulation == 64


@pytest.mark.parametrize("command", [c for c in commands() if c[0] == "python"], ids=names)
def test_the_converters_take_their_arguments(command, tmp_path):
    """The released files are not here: a command must name one in a line, not fail to parse."""
    done = warm_commands.run([sys.executable, *command[1:]], os.environ, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("emorealm: ")
    assert any(word in done.stderr for word in command[3:] if not word.startswith("--"))
    assert "Traceback" not in done.stderr
