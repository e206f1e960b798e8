"""The notebook of docs/notebooks runs from its first cell to its last, on a small benchmark that is made here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import run_folders
from emorealm_tasks.benchmarks import emorealm
from emorealm_tasks.harness import multiple_choice

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT / "docs" / "notebooks" / "first_hour.ipynb"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the notebook below it, eight clips, and two runs: the base says A throughout, DPO is right."""
    home = tmp_path_factory.mktemp("home")
    world = home / "world"
    line = [sys.executable, "-m", "emorealm_tasks.mini.cli", "build", "--clips", "8", "--out", str(world)]
    subprocess.run(line, check=True, capture_output=True)
    rows = emorealm.read_file(world / emorealm.HUB_FILE, world / "videos", None)
    for name, reply in (("avere_nano", lambda row: "A"), ("avere_nano_dpo", lambda row: row["answer"])):
        tasks = {}
        for row in rows:
            record = multiple_choice.make_record({**row, "given_clip": row["clip"]}, reply(row))
            tasks.setdefault(f"emorealm_mini_{row['task']}", []).append(record)
        run_folders.write(home / "results" / "runs" / name, tasks, pretrained=name)
    (home / "docs" / "notebooks").mkdir(parents=True)
    shutil.copy(NOTEBOOK, home / "docs" / "notebooks")
    return home


def outputs(cell, kind):
    return [one["data"][kind] for one in cell.outputs if kind in one.get("data", {})]


@pytest.mark.slow
def test_it_runs_and_shows_what_it_says(home, monkeypatch):
    monkeypatch.setenv("EMOREALM_MINI", str(home / "world"))
    notebook = nbformat.read(home / "docs" / "notebooks" / NOTEBOOK.name, as_version=4)
    folder = {"metadata": {"path": str(home / "docs" / "notebooks")}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=folder).execute()
    table, plot, flips, _, frames, sound = [cell for cell in notebook.cells if cell.cell_type == "code"][1:]
    assert "100.0 [" in outputs(table, "text/html")[0]
    assert outputs(plot, "image/png")
    assert "wrong to right" in outputs(flips, "text/html")[0]
    assert outputs(frames, "image/png")
    assert "<audio" in outputs(sound, "text/html")[0]


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []
