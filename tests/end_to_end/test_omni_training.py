"""Qwen2.5-Omni on the real command lines: trained by preference, and what training wrote answers the benchmark."""

import json
import os
import sys
from pathlib import Path

import pytest

import tiny_models
import warm_commands
from emorealm_results import cli as results
from emorealm_tasks.mini import cli as mini

BIN = Path(sys.executable).parent
VARIABLES = {name: value for name, value in os.environ.items() if not name.startswith("EMOREALM_")}
VARIABLES |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A few records and questions of the embedded world."""
    folder = tmp_path_factory.mktemp("world")
    for name, options in (("train", ["--preferences"]), ("test", [])):
        assert not mini.main(["build", "--out", str(folder / name), "--split", name, "--clips", "8", *options])
    return folder


@pytest.fixture(scope="module")
def whole(tiny_omni, tmp_path_factory):
    """The model in its published layout, talker and all."""
    return tiny_models.whole_omni(tiny_omni, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def recipe(whole, world, tmp_path_factory):
    settings = {
        "model": whole,
        "data": world / "train/preferences.jsonl",
        "optimiser.learning_rate": 1e-2,
        "optimiser.steps": 2,
        "optimiser.batch": 2,
        "optimiser.accumulation": 1,
        "running.device": "cpu",
        "running.save_every": 0,
        "running.tensorboard": False,
        "running.reference": tmp_path_factory.mktemp("kept"),
    }
    return ["run", "avem_dpo", *(f"{key}={value}" for key, value in settings.items())]


@pytest.fixture(scope="module")
def trained(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "out"
    command = [str(BIN / "avem-train"), *recipe, f"out={out}"]
    done = warm_commands.run(command, VARIABLES)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_the_adapters_answer_the_benchmark_as_they_were_trained(trained, world, tmp_path):
    record = json.loads((trained / "training.json").read_text())
    assert record["steps"] == 2
    assert record["answering"] == {"interleave": False, "fps": 2.0, "frames": 16, "least": 4}
    assert not (trained / "config.json").exists()
    command = [str(BIN / "lmms-eval"), "--model", "qwen2_5_omni_av", "--tasks", "emorealm_mini_modality_agreement"]
    command += ["--model_args", f"pretrained={trained},device=cpu", "--batch_size", "2", "--limit", "2"]
    command += ["--gen_kwargs", "max_new_tokens=4", "--output_path", str(tmp_path), "--log_samples"]
    variables = VARIABLES | {"EMOREALM_MINI": str(world / "test")}
    done = warm_commands.run(command, variables)
    assert done.returncode == 0, done.stderr[-3000:]
    asked = "is asked as it was trained, where no argument differs: interleave=False, fps=2.0, frames=16"
    assert (done.stdout + done.stderr).count(asked) == 1
    (samples,) = tmp_path.rglob("*samples_emorealm_mini_modality_agreement.jsonl")
    records = [json.loads(line)["emorealm_score"]["record"] for line in samples.read_text().splitlines()]
    assert [(record["error"], record["media"]["frames"]) for record in records] == [("", 6)] * 2


def evaluated(place, arguments, world, output):
    """Two questions of the benchmark asked on the command line; the --output_path, which holds the answers."""
    command = [
        str(BIN / "emorealm"),
        "eval",
        "--model",
        "qwen2_5_omni_av",
        "--output_path",
        str(output),
        "--log_samples",
    ]
    command += ["--tasks", "emorealm_mini_modality_agreement", "--limit", "2", "--gen_kwargs", "max_new_tokens=2"]
    command += ["--model_args", f"pretrained={place},device=cpu{arguments}", "--output_path", str(output)]
    variables = VARIABLES | {"EMOREALM_MINI": str(world / "test")}
    done = warm_commands.run(command, variables)
    assert done.returncode == 0, done.stderr[-3000:]
    return output


def test_a_base_asked_otherwise_than_what_was_trained_on_it_is_refused(trained, whole, world, tmp_path, capsys):
    adapted = evaluated(trained, "", world, tmp_path / "adapted")
    alike = evaluated(whole, ",interleave=false,frames=16", world, tmp_path / "alike")
    otherwise = evaluated(whole, "", world, tmp_path / "otherwise")
    capsys.readouterr()
    assert results.main(["compare", str(alike), str(adapted)]) == 0
    assert "sked in two ways" not in (said := capsys.readouterr().out)
    assert "asked alike" not in said
    assert results.main(["compare", str(otherwise), str(adapted)]) == 0
    said = capsys.readouterr().out
    assert "**Asked in two ways** (emorealm_mini_modality_agreement): " in said
    assert "frames: 768 | 16; " in said
    assert "interleave: True | False" in said
    with pytest.raises(SystemExit) as left:
        results.main(["regress", "--baseline", str(otherwise), "--run", str(adapted)])
    assert left.value.code == 2
    assert "was asked otherwise than in the baseline" in capsys.readouterr().err
