"""A training sharded by DeepSpeed's ZeRO over two processes on CPUs; skipped where DeepSpeed is missing.

DS_BUILD_OPS=0 pip install deepspeed
DS_ACCELERATOR=cpu python -m pytest tests/end_to_end/test_zero.py
"""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import two_ranks
from avem_train import cli

pytest.importorskip("deepspeed")
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "DS_ACCELERATOR": "cpu"}


@pytest.fixture(params=[2, 3])
def launched(request, tmp_path):
    """Runs `avem-train` with these arguments on two processes, as on the 8 GPUs of the file that ships."""
    (tmp_path / "launch.yaml").write_text(two_ranks.configuration(f"gpus_8_zero{request.param}"))
    launch = ["--config_file", str(tmp_path / "launch.yaml"), "--main_process_port", "0", "-m", "avem_train.cli"]

    def run(*arguments):
        command = [sys.executable, "-m", "accelerate.commands.launch", *launch, *arguments]
        done = subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run


def same_weights(one, other, name="adapter_model.safetensors"):
    wanted, found = (load_file(folder / name) for folder in (one, other))
    assert wanted.keys() == found.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    ("family", "kept"), [("avere", True), ("avere", False), ("emotion_llama", True), ("qwen2_5_omni_av", True)]
)
def test_preference_training_is_the_same_and_goes_on(tiny_base, preference_file, tmp_path, launched, family, kept):
    settings = {
        "model": tiny_base(family),
        "data": preference_file,
        "optimiser.learning_rate": 3e-3,
        "optimiser.steps": 4,
        "optimiser.batch": 2,
        "running.device": "cpu",
        "running.save_every": 2,
        "running.keep": 2,
        "running.keep_reference": str(kept).lower(),
        "running.reference": tmp_path / "kept",
    }
    recipe = ["run", "avem_dpo", *(f"{key}={value}" for key, value in settings.items())]
    alone, out = tmp_path / "alone", tmp_path / "out"
    assert cli.main([*recipe, f"out={alone}", "optimiser.accumulation=2"]) == 0
    shared = [*recipe, f"out={out}", "optimiser.accumulation=1"]
    launched(*shared)
    same_weights(alone, out)
    shutil.rmtree(out / "checkpoints" / "checkpoint-4")
    for name in ("training.json", "adapter_model.safetensors"):  # as if it had been killed before
        (out / name).unlink()
    launched(*shared)
    same_weights(alone, out)


@pytest.mark.parametrize("trained", ["lora", "all"])
def test_supervised_training_is_the_same(tiny_avere, conversation_file, tmp_path, launched, trained):
    settings = {
        "model": tiny_avere,
        "data": conversation_file,
        "trained": trained,
        "projectors": "false",
        "optimiser.learning_rate": 1e-2 if trained == "lora" else 1e-3,
        "optimiser.steps": 4,
        "optimiser.batch": 2,
        "running.device": "cpu",
    }
    recipe = ["run", "avere_sft", *(f"{key}={value}" for key, value in settings.items())]
    alone, out = tmp_path / "alone", tmp_path / "out"
    assert cli.main([*recipe, f"out={alone}", "optimiser.accumulation=2"]) == 0
    launched(*recipe, f"out={out}", "optimiser.accumulation=1")
    same_weights(alone, out, "model.safetensors" if trained == "all" else "adapter_model.safetensors")
