"""The made-up checkpoint of the true size says so in its config files, as the converter reads them."""

import runpy
import shutil
from pathlib import Path

from model_adapters.avere import AvereConfig, conversion

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def sizes(config):
    """How wide, deep and divided a part is."""
    known = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "num_frames")
    known += ("d_model", "encoder_layers", "encoder_ffn_dim", "encoder_attention_heads", "image_size", "patch_size")
    return {name: getattr(config, name) for name in known if hasattr(config, name)}


def test_the_converter_reads_the_true_sizes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    true_size = runpy.run_path(str(BENCHMARKS / "true_size.py"))
    source = tmp_path / "released"
    shutil.copytree(true_size["TEMPLATE"], source, ignore=shutil.ignore_patterns("*.safetensors", "*.npz"))
    true_size["_state_sizes"](source, AvereConfig())
    read, true = conversion.read_released(source, source / "backbones")[0], AvereConfig()
    for part in ("text_config", "vision_config", "audio_config", "qformer_config"):
        assert sizes(getattr(read, part)) == sizes(getattr(true, part))
