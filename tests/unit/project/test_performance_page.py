"""The pages of speeds and of the large training say what the measurements and the arithmetic say."""

import json
import runpy
from pathlib import Path

import pytest

from model_adapters.avere import AvereConfig

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_of_speeds_is_made_of_the_measurements_beside_it():
    summary = runpy.run_path(str(ROOT / "tests/benchmarks/summary.py"))
    written = (summary["FOLDER"] / "README.md").read_text(encoding="utf-8")
    assert written == summary["page"](summary["FOLDER"])


@pytest.mark.slow
def test_the_page_of_the_large_training_is_its_arithmetic():
    plan = runpy.run_path(str(ROOT / "tests/benchmarks/plan.py"))
    assert plan["PAGE"].read_text(encoding="utf-8") == plan["page"]()


@pytest.mark.parametrize("kind", ["picture", "sound"])
@pytest.mark.parametrize("mode", ["plain, live", "plain, kept", "packed, live", "packed, kept"])
def test_its_count_is_torchs_of_a_real_step(kind, mode):
    """Of the small model that the benchmark of training takes, whose counts are in its report."""
    plan = runpy.run_path(str(ROOT / "tests/benchmarks/plan.py"))
    report = json.loads((ROOT / "results/performance/training.json").read_text())
    small = {"hidden_size": 1024, "intermediate_size": 2752, "num_hidden_layers": 2, "num_attention_heads": 8}
    config = AvereConfig(text_config={"vocab_size": 1000, **small}).text_config
    sizes = (report["prefix"], report["response"], 42)
    counted = plan["record"](config, "packed" in mode, "kept" in mode, kind == "picture", sizes)
    assert counted == pytest.approx(report["kinds"][kind]["work"][mode], rel=0.06)
