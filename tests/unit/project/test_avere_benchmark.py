"""The speed benchmark runs, its three procedures agree, and its count of work is the one sharing explains."""

import json
import os
import sys
from pathlib import Path

import pytest

import warm_commands
from emorealm_tasks.mini.build import split

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_benchmark_of_evaluation(tiny_avere, tmp_path):
    mini = tmp_path / "mini"
    split.build(mini, "test", 24, 0)
    command = [sys.executable, ROOT / "tests/benchmarks/evaluation.py", "--model", tiny_avere, "--random", "tiny"]
    command += ["--clips", "2", "--repeats", "1", "--batch-size", "4", "--out", tmp_path / "out"]
    done = warm_commands.run(command, os.environ | {"OMP_NUM_THREADS": "1", "EMOREALM_MINI": str(mini)})
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert [ratio["questions"] for ratio in report["ratios"].values()] == [2, 3, 6, 10]
    for ratio in report["ratios"].values():
        for race in (ratio["with_media"], ratio["model_only"]):
            assert race["equal_answers"] == {"released": 1, "cached": 1}
            # the counter counts the pairs of tokens too that a causal kernel leaves out
            assert ratio["work"]["released"] > ratio["work"]["cached"] >= 0.99
    assert report["ratios"]["5.0"]["work"]["cached"] > report["ratios"]["1.5"]["work"]["cached"]
    assert (tmp_path / "out" / "evaluation.md").read_text().count("\n| ") == 2 + 2 * 4
    assert 0 < report["harness_seconds"] < 1
