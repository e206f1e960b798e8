"""The real command lines: train, be killed, go on, train on two processes, and answer the benchmark with the result."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

import two_ranks
import warm_commands
from avem_train import cli
from emorealm_tasks import files
from model_adapters.avere import AvereForConditionalGeneration, folders, loading

ROOT = Path(__file__).resolve().parents[2]
HELPERS = ROOT / "tests" / "helpers"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As the processes below: another number of threads adds in another order, and equal means equal here."""
    kept = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(kept)


@pytest.fixture(scope="module")
def recipe(tiny_avere, preference_file, tmp_path_factory):
    """Arguments of a short training: 8 updates of 4 records, a checkpoint at each."""
    kept = tmp_path_factory.mktemp("kept")
    settings = {
        "model": tiny_avere,
        "data": preference_file,
        "optimiser.learning_rate": 1e-2,
        "optimiser.epochs": 3,
        "optimiser.batch": 2,
        "optimiser.accumulation": 2,
        "running.device": "cpu",
        "running.save_every": 1,
        "running.reference": kept,
    }
    return ["run", "avem_dpo", *(f"{key}={value}" for key, value in settings.items())]


@pytest.fixture(scope="module")
def unbroken(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("unbroken") / "out"
    assert cli.main([*recipe, f"out={out}"]) == 0
    return out


def weights(folder):
    return load_file(folder / "adapter_model.safetensors")


def steps(folder):
    log = folder / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def on_two_processes(recipe, out, kept):
    """The command that makes the same updates on two processes."""
    command = [sys.executable, *two_ranks.FORKS, "avem_train.cli", *recipe]
    return [*command, f"out={out}", "optimiser.accumulation=1", f"running.reference={kept}"]


@pytest.fixture(scope="module")
def halved(recipe, tmp_path_factory):
    """What two processes said, and the folder that they wrote, unbroken; the reference beside it is theirs."""
    out = tmp_path_factory.mktemp("halved") / "out"
    done = warm_commands.run([*on_two_processes(recipe, out, out.parent / "kept"), "running.save_every=0"], ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done.stdout, out


def killed(command, out, steps):
    """Run a command until a checkpoint of at least so many steps is whole, then kill it and all that it started."""
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None and max(checkpoints(out), default=0) < steps:
        time.sleep(0.005)
    assert process.poll() is None, process.stderr.read().decode()
    for one in (*psutil.Process(process.pid).children(recursive=True), process):
        one.kill()
    process.wait()
    process.stderr.close()
    assert not (out / "adapter_model.safetensors").exists()


def checkpoints(out):
    """Whole checkpoints by their steps."""
    whole = (out / "checkpoints").glob("checkpoint-*/trainer_state.json")
    return {int(path.parent.name.partition("-")[2]): path.parent for path in whole}


def test_killed_it_goes_on_to_the_same_weights(recipe, unbroken, tmp_path):
    out = tmp_path / "out"
    killed([sys.executable, "-m", "avem_train.cli", *recipe, f"out={out}"], out, steps=1)
    (out / "checkpoints" / "checkpoint-99").mkdir()  # as a kill during a save leaves it
    assert cli.main([*recipe, f"out={out}"]) == 0
    wanted, found = weights(unbroken), weights(out)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    logged = [[line["step"], line["loss"]] for line in steps(out) if "loss" in line]
    assert logged == [[line["step"], line["loss"]] for line in steps(unbroken) if "loss" in line]
    assert len(logged) == 9


def terminated(command, out, steps=1):
    """Run a command until a checkpoint of at least so many steps is whole, then send it SIGTERM.

    Returns its status and what it said.
    """
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and max(checkpoints(out), default=0) < steps:
        time.sleep(0.005)
    process.terminate()
    said = process.communicate(timeout=100)[1]
    return process.returncode, said


def test_sigterm_saves_and_ends_and_the_folder_is_one_trainings_own(recipe, unbroken, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "avem_train.cli", *recipe, f"out={out}"]
    with files.locked(out, "out="):
        refused = warm_commands.run(command, ENVIRONMENT)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("emorealm: ")]
    assert line.startswith(f"emorealm: {out}: is being written by process {os.getpid()} on ")
    assert "name another with out=" in line
    status, said = terminated(command, out)
    assert status == 143
    *at_the_signal, line = [line for line in said.splitlines() if line.startswith("emorealm: ")]
    assert all("saves as soon as it can, then ends" in first for first in at_the_signal)  # none between two updates
    assert "Traceback" not in said
    done = max(checkpoints(out))
    assert f"after step {done} of 9, which is saved; the same command goes on from there" in line
    assert not (out / "adapter_model.safetensors").exists()
    assert cli.main([*recipe, f"out={out}"]) == 0
    wanted, found = weights(unbroken), weights(out)
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_two_processes_end_after_the_same_update_and_go_on_to_the_same_weights(recipe, halved, tmp_path):
    """Three updates are an epoch: after the fourth, fifth, seventh or eighth it is in the middle of a later one."""
    out = tmp_path / "out"
    command = on_two_processes(recipe, out, halved[1].parent / "kept")
    status, said = terminated(command, out, steps=4)
    assert status != 0
    assert said.count("which is saved; the same command goes on from there") == 1
    assert not (out / "adapter_model.safetensors").exists()
    for done, folder in checkpoints(out).items():
        if done % 3 == 0:
            shutil.rmtree(folder)
    assert max(checkpoints(out)) in (4, 5, 7, 8)
    again = warm_commands.run(command, ENVIRONMENT)
    assert again.returncode == 0, again.stderr
    wanted, found = weights(halved[1]), weights(out)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    assert json.loads((out / "training.json").read_text())["machine"] == {"processes": 2, "device": "cpu"}


@pytest.fixture
def sharded(tmp_path):
    """Arguments of `accelerate launch` in front of a training's: FSDP2 as for 8 GPUs, on two CPUs."""
    (tmp_path / "launch.yaml").write_text(two_ranks.configuration("gpus_8_fsdp"))
    script = [str(HELPERS / "sharding_on_cpus.py"), "avem_train.cli"]
    return ["--config_file", str(tmp_path / "launch.yaml"), "--main_process_port", "0", *script]


def test_sharded_over_two_processes_it_is_the_same_training_and_goes_on(recipe, unbroken, sharded, tmp_path):
    """Ended in the second epoch, gone on with, loaded by the harness."""
    out = tmp_path / "out"
    command = [*sharded, *recipe, f"out={out}", "optimiser.accumulation=1"]
    status, said = terminated([sys.executable, "-m", "accelerate.commands.launch", *command], out, steps=4)
    assert status != 0
    assert said.count("which is saved; the same command goes on from there") == 1
    again = warm_commands.run([sys.executable, str(HELPERS / "two_ranks.py"), *command], ENVIRONMENT)
    assert again.returncode == 0, again.stderr
    wanted, found = weights(unbroken), weights(out)
    assert wanted.keys() == found.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=2e-4, rtol=0)
    adapted = folders.find_weights(str(out))
    loading.load_model(adapted.folder, torch.device("cpu"), torch.float32, None, adapted.adapter)


def steps_logged(out):
    """Loss and norm of the gradient of each step."""
    lines = map(json.loads, (out / "log.jsonl").read_text().splitlines())
    return [(line["loss"], line["grad_norm"]) for line in lines if "grad_norm" in line]


def test_sharded_supervised_training_of_all_weights_is_the_same(tiny_avere, conversation_file, sharded, tmp_path):
    alone, out = tmp_path / "alone", tmp_path / "out"
    recipe = ["run", "avere_sft", f"model={tiny_avere}", f"data={conversation_file}", "trained=all", "projectors=false"]
    recipe += ["optimiser.learning_rate=1e-3", "optimiser.steps=4", "optimiser.batch=2", "running.device=cpu"]
    assert cli.main([*recipe, f"out={alone}", "optimiser.accumulation=2"]) == 0
    command = [sys.executable, str(HELPERS / "two_ranks.py"), *sharded, *recipe, f"out={out}"]
    done = warm_commands.run([*command, "optimiser.accumulation=1"], ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    for one, other in zip(*map(steps_logged, (alone, out)), strict=True):  # AdamW alone would not see a factor
        assert other == pytest.approx(one, rel=1e-3)
    wanted, found, base = (load_file(folder / "model.safetensors") for folder in (alone, out, tiny_avere))
    assert wanted.keys() == found.keys()
    assert any(not torch.equal(wanted[name], base[name]) for name in wanted)
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=2e-4, rtol=0)


def test_two_processes_give_the_same_update_as_one(unbroken, halved):
    said, out = halved
    assert said.count("training ") == 1
    assert "9 steps of 4 records" in said
    wanted, found = weights(unbroken), weights(out)
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=2e-4, rtol=0)
    for ours, theirs in zip(steps(unbroken)[:9], steps(out)[:9], strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-4)
        assert ours["margins/media"] == pytest.approx(theirs["margins/media"], abs=1e-3)
        # not accuracies: where policy and reference still agree, rounding alone says which is ahead
        assert ours["margins/response"] == pytest.approx(theirs["margins/response"], abs=1e-3)


def test_merged_weights_are_the_base_with_the_adapter(recipe, unbroken, tmp_path):
    out = tmp_path / "out"
    assert cli.main([*recipe, f"out={out}", "merge=true"]) == 0
    cpu = torch.device("cpu")
    merged = folders.find_weights(str(out))
    adapted = folders.find_weights(str(unbroken))
    assert (merged.adapter, merged.folder) == (None, out)
    assert adapted.adapter == unbroken
    whole = loading.load_model(merged.folder, cpu, torch.float32, None, None).state_dict()
    joined = loading.load_model(adapted.folder, cpu, torch.float32, None, adapted.adapter).state_dict()
    base = AvereForConditionalGeneration.from_pretrained(adapted.folder).state_dict()
    moved = {name for name in base if not torch.equal(base[name], joined[name])}
    assert moved
    assert all(".language_model.layers." in name for name in moved)
    for name in base:
        torch.testing.assert_close(whole[name], joined[name], atol=1e-5, rtol=1e-5)
    loading.load_processor(out)


def test_adapters_of_other_weights_are_refused(unbroken, tmp_path, capsys):
    folder = tmp_path / "adapter"
    folder.mkdir()
    for path in unbroken.glob("*.json"):
        (folder / path.name).write_text(path.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    with pytest.raises(SystemExit):
        folders.find_weights(str(folder))
    assert "were trained on other weights" in capsys.readouterr().err


def test_the_embedded_model_trained_answers_the_benchmark(preference_file, make_clip, tmp_path, capsys):
    """The two commands of the README, on clips of the test's own."""
    out = tmp_path / "trained"
    arguments = ["run", "avem_dpo", "optimiser.steps=2", "running.device=cpu", f"running.reference={tmp_path}"]
    assert cli.main([*arguments, f"data={preference_file}", f"out={out}", "optimiser.learning_rate=1e-3"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{out}: 2 steps are done, ")
    assert last.endswith(f"emorealm eval --tasks emorealm_mini --model avere --model_args pretrained={out}")
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "avere_nano"
    mini = tmp_path / "mini"
    make_clip(mini / "videos/part_1/1.mp4", seconds=0.5)
    item = {"id": "1", "task": "modality_agreement", "video": "part_1/1.mp4", "question": "Do they agree?"}
    item |= {"choices": ["(A) Yes", "(B) No"], "answer": "A", "emotion": "anger", "subtask": ""}
    (mini / "emorealm_v1.json").write_text(json.dumps([item]))
    command = [str(Path(sys.executable).with_name("lmms-eval")), "--model", "avere"]
    command += ["--tasks", "emorealm_mini_modality_agreement"]
    command += ["--model_args", f"pretrained={out},device=cpu", "--output_path", str(tmp_path / "run"), "--log_samples"]
    done = warm_commands.run(command, ENVIRONMENT | {"EMOREALM_MINI": str(mini)})
    assert done.returncode == 0, done.stderr[-3000:]
    assert list((tmp_path / "run").rglob("*samples_emorealm_mini_modality_agreement.jsonl"))
