"""The made-up checkpoint of the true size says so in its config files, as the converter reads them."""

import importlib.util
import shutil
import sys
from pathlib import Path

from model_adapters.avere import AvereConfig, conversion

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_converter_reads_the_true_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    spec = importlib.util.spec_from_file_location("true_size", BENCHMARKS / "true_size.py")
    true_size = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(true_size)
    source = tmp_path / "released"
    shutil.copytree(true_size.TEMPLATE, source, ignore=shutil.ignore_patterns("*.safetensors", "*.npz"))
    true_size._state_sizes(source, AvereConfig())
    read = conversion.read_released(source, source / "backbones")[0]
    assert conversion.expected_shapes(read) == conversion.expected_shapes(AvereConfig())
