"""The distribution as strangers get it: built, installed in an environment of its own, run from another folder.

The packages it needs are those of the environment that runs the tests, whose lock `make test` installed: they are
compiled there, which takes longer than all that is tested here.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import warm_commands

ROOT = Path(__file__).resolve().parents[2]
UV = str(Path(sys.executable).with_name("uv"))
PACKAGES = {
    "emorealm_tasks": "emorealm_tasks",
    "model_adapters": "model_adapters",
    "avem_train": "avem_train",
    "results/emorealm_results": "emorealm_results",
    "results/published": "emorealm_results/published",
}
"""Folder in the repository -> folder in the wheel."""


def run(*line, cwd, warm=False, **variables):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("EMOREALM_", "PYTHON"))}
    environment = kept | {"HF_HUB_OFFLINE": "1"} | variables
    if warm:
        done = warm_commands.run(line, environment, cwd)
    else:
        done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
    return done.stdout


def not_of_the_source(folder, names):
    """What builds, runs and tests left, where they leave it: packages have rooms of such names too."""
    local = {ROOT: {"build", "data", "dist", "tests", "docs"}, ROOT / "results": {"runs"}}.get(Path(folder), set())
    return local & set(names) | shutil.ignore_patterns(".*", "*.egg-info", "__pycache__")(folder, names)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from the source distribution, which is built from a copy: a build leaves files behind."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", ignore=not_of_the_source)
    run(UV, "build", "--quiet", "--require-hashes", "--build-constraints", str(ROOT / "locks" / "build.txt"),
        "--out-dir", str(folder / "dist"), str(folder / "source"), cwd=folder)  # fmt: skip
    (built,) = (folder / "dist").glob("*.whl")
    assert len(list((folder / "dist").glob("*.tar.gz"))) == 1
    return built


def test_links_and_pictures_work_on_the_package_index(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [entry for entry in archive.namelist() if entry.endswith("/METADATA")]
        text = archive.read(name).decode()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The commands of an environment that holds the wheel and sees what the lock installed, and a folder to work in."""
    folder = tmp_path_factory.mktemp("installed")
    run(UV, "venv", "--quiet", "--python", sys.executable, str(folder / "venv"), cwd=folder)
    python = folder / "venv" / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", str(python), "--no-deps", str(wheel), cwd=folder)
    (packages,) = (folder / "venv").glob("lib/*/site-packages")
    # a path alone: the .pth files there, that of our own code in place among them, are not read
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    work = folder / "work"
    work.mkdir()
    return python.parent, work


@pytest.fixture(scope="module")
def ask(installed):
    """Runs one of the installed commands in the other folder; it must end with 0; returns what it printed."""
    commands, work = installed

    def asked(*line, warm=False):
        places = {"EMOREALM_CACHE": str(work / "cache"), "EMOREALM_MINI": str(work / "mini")}
        return run(str(commands / line[0]), *line[1:], cwd=work, warm=warm, **places)

    return asked


def test_the_wheel_holds_every_file_of_the_packages(wheel):
    """What git tracks under a package ships; else a README, a recipe or a page is missed by whoever installs."""
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    shipped = set(zipfile.ZipFile(wheel).namelist())
    wanted = set()
    for name in listed.stdout.splitlines():
        (place,) = (place for place in PACKAGES if name.startswith(f"{place}/"))
        wanted.add(PACKAGES[place] + name.removeprefix(place))
    assert len(wanted) > 300
    assert sorted(wanted - shipped) == []


def test_nothing_else_is_installed(wheel):
    top = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    ours = {name for name in top if not name.endswith(".dist-info")}
    assert ours == {name.split("/")[0] for name in PACKAGES.values()}


@pytest.mark.parametrize("warm", [False, True])
def test_the_code_that_runs_is_the_installed_one(ask, installed, warm):
    where = ask("python", "-c", "import emorealm_results; print(emorealm_results.__file__)", warm=warm)
    assert where.startswith(str(installed[0].parent))


def test_the_light_commands_run(ask):
    assert "emorealm_mini_modality_agreement" in ask("emorealm", "tasks")
    assert "Table 5" in ask("emorealm", "audit")
    assert "avem_dpo" in ask("avem-train", "list")


def test_the_embedded_model_answers_and_its_table_is_made(ask, installed):
    ask = functools.partial(ask, warm=True)
    ask("emorealm-mini", "build", "--clips", "24")
    assert "weights" in ask("emorealm", "check", "--tasks", "emorealm_mini")
    output = ("--batch_size", "8", "--limit", "2", "--log_samples", "--output_path")
    ask("emorealm", "eval", "--tasks", "emorealm_mini", "--model", "avere", *output, "run")
    ask("python", "-m", "lmms_eval", "--tasks", "emorealm_mini_blind", "--model", "avere", *output, "bare")
    assert "reasoning basic, audio" in ask("emorealm", "table", "run")
    ask("emorealm", "leaderboard", "run")
    assert list(installed[1].rglob("leaderboard.html"))
