"""The speed benchmark runs, its three procedures agree, and its count of work is the one sharing explains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_benchmark_of_evaluation(tiny_avere, make_clip, tmp_path):
    items = []
    for number in (1, 2):
        make_clip(tmp_path / f"videos/part_1/{number}.mp4", seconds=1, tone=300.0 * number)
        items += [
            {"video": f"part_1/{number}.mp4", "question": f"Is it rain {word}?", "choices": ["(A) Yes", "(B) No"]}
            for word in ("now", "here", "at all")
        ]
    (tmp_path / "emorealm_v1.json").write_text(json.dumps(items))
    command = [sys.executable, ROOT / "tests/benchmarks/evaluation.py", "--model", tiny_avere, "--data", tmp_path]
    command += ["--random", "tiny", "--clips", "2", "--repeats", "1", "--batch-size", "4", "--no-harness"]
    command += ["--out", tmp_path / "out"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
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
