"""The speed benchmarks of training run, their ways agree, and their count of work is what sharing explains."""

import json
import os
import sys
from pathlib import Path

import pytest

import warm_commands

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_benchmark_of_training(tmp_path):
    command = [sys.executable, ROOT / "tests/benchmarks/training.py", "--shape", "tiny", "--prefix", "400"]
    command += ["--response", "6", "--repeats", "1", "--out", tmp_path]
    done = warm_commands.run(command, os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "training.json").read_text())
    for kind, result in report["kinds"].items():
        losses = list(result["losses"].values())
        assert losses == pytest.approx([losses[0]] * 4, abs=1e-5)
        work = result["work"]
        # a picture: 4 rows of 405 against 400 + 15 and 405; a sound: all in one row
        assert work["plain, kept"] / work["packed, kept"] > (1.6 if kind == "picture" else 2)
        assert work["plain, live"] > 1.3 * work["plain, kept"]
    assert (tmp_path / "training.md").read_text().count("\n| picture | ") == 4 + 3
    assert all(0.1 < gib < 4 for gib in report["peak_memory_gib"].values())


@pytest.mark.slow
def test_benchmark_of_rows(tmp_path):
    command = [sys.executable, ROOT / "tests/benchmarks/rows.py", "--shape", "tiny", "--prefix", "250"]
    command += ["--limit", "600", "--repeats", "1", "--out", tmp_path]
    done = warm_commands.run(command, os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    kinds = json.loads((tmp_path / "rows.json").read_text())["kinds"]
    for result in kinds.values():
        losses = list(result["losses"].values())
        assert losses == pytest.approx([losses[0]] * 3, abs=1e-5)
        assert result["trees"][0] == result["trees"][1] == result["rows"][0]  # no two are alike
    assert [kinds[kind]["rows"] for kind in ("texts alone", "clips alone")] == [[12, 6], [2, 2]]
    for kind in ("texts alone", "clips and texts"):
        work = kinds[kind]["work"]
        assert work["tree by tree"] < min(work["one mask"], work["a row each"])
    assert (tmp_path / "rows.md").read_text().count("| tree by tree |") == 3
