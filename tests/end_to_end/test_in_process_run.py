"""A model of transformers answers the embedded benchmark through the real command line, with tiny random weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def answered(tmp_path_factory, tiny_omni):
    """One run over two questions of each of the five tasks: the process and its samples by task."""
    folder = tmp_path_factory.mktemp("in_process")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    variables = kept | {"EMOREALM_MINI": str(folder / "mini"), "EMOREALM_CACHE": str(folder / "cache")}
    variables |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}

    def run(*command):
        line = [str(BIN / command[0]), *command[1:]]
        return subprocess.run(line, env=variables, cwd=folder, capture_output=True, text=True, check=False)

    built = run("emorealm-mini", "build", "--out", str(folder / "mini"), "--clips", "40")
    assert built.returncode == 0, built.stderr
    done = run("lmms-eval", "--model", "qwen2_5_omni_av", "--model_args", f"pretrained={tiny_omni},frames=4",
               "--tasks", "emorealm_mini", "--limit", "2", "--batch_size", "4", "--log_samples",
               "--output_path", str(folder / "run"))  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    files = (folder / "run").rglob("*_samples_*.jsonl")
    return done, {path.name: [json.loads(line) for line in path.open()] for path in files}


def test_every_task_is_answered_and_scored(answered):
    done, samples = answered
    assert len(samples) == 5
    assert all(len(lines) == 2 for lines in samples.values())
    for task in ("modality_agreement", "reasoning_basic_audio", "reasoning_stress_video"):
        assert f"emorealm_mini_{task}" in done.stdout


def test_each_question_was_asked_with_picture_and_sound(answered):
    records = [line["emorealm_score"]["record"] for lines in answered[1].values() for line in lines]
    assert len(records) == 10
    for record in records:
        assert record["media"]["frames"] == len(record["media"]["times"]) == 4
        assert record["media"]["audio_seconds"] >= 2
        assert not record["raw"].startswith("[LMMS_EVAL")
