"""The benchmark for a GPU, on a CPU at tiny size, without the libraries that a bare machine lacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MISSING = ("av", "datasets", "decord", "lmms_eval", "loguru", "soundfile", "trl")
ONE_WAY = ("training, recomputed, batch 8", "training, inputs cast")
"""Sections that measure the cheapest way alone."""
HIDE = f"""
import sys

class Hidden:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {MISSING} else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path = [Hidden(finder) for finder in sys.meta_path]
"""


def test_every_section_runs_without_media_libraries_and_without_the_harness(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}:{ROOT / 'results'}", "OMP_NUM_THREADS": "1"}
    look = f"from importlib.util import find_spec; assert not any(map(find_spec, {MISSING})) and find_spec('torch')"
    subprocess.run([sys.executable, "-c", look], env=environment, check=True)
    command = [sys.executable, str(ROOT / "tests/benchmarks/gpu.py"), "--scale", "tiny", "--device", "cpu"]
    run = subprocess.run([*command, "--out", str(tmp_path / "out")], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert not any("failed" in section for section in report.values())
    left_out = {name: section["left_out"] for name, section in report.items() if "left_out" in section}
    assert all("Liger" in name for name in left_out)
    assert set(left_out.values()) == {"needs a GPU"}
    exact = report["correctness"]["float32"]
    assert exact["logits_relative"] < 1e-5
    assert (exact["released_procedure_same"], exact["batch_1_same"]) == (True, True)
    assert all(found["relative"] < 1e-5 < found["norm"] for found in report["gradients"].values())
    for name, section in report.items():
        if name.startswith("training"):
            losses = [mode["loss"] for mode in section.values() if "loss" in mode]
            assert len(losses) == 4 or name in (*left_out, *ONE_WAY), name
            assert max(losses, default=0) - min(losses, default=0) < 1e-5, name
    assert "## evaluation" in (tmp_path / "out" / "gpu.md").read_text()
