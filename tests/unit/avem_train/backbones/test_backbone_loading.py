"""What `model=` can name: a folder, the embedded model, a hub id; and how a name that means nothing ends."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from avem_train import cli
from avem_train.backbones import loading as backbone_loading
from avem_train.dpo.trainer import PreferenceTrainer
from model_adapters.avere import folders
from model_adapters.base.embedded import NANO


@pytest.fixture
def hub(tiny_avere, tmp_path, monkeypatch):
    """A cache of the hub, with no network, in which the tiny model is someone/tiny; the folder of that."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository, commit = tmp_path / "models--someone--tiny", "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / commit).symlink_to(tiny_avere)
    return repository / "snapshots" / commit


def stopped(capsys, action):
    """The one line with which an action ends."""
    with pytest.raises(SystemExit) as left:
        action()
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_model_is_a_folder_the_embedded_one_or_a_hub_id(hub, tiny_avere, tmp_path, monkeypatch):
    assert backbone_loading.find(str(tiny_avere)) == tiny_avere
    assert backbone_loading.find("avere_nano") == NANO
    assert backbone_loading.find("someone/tiny") == hub
    monkeypatch.chdir(tmp_path)
    (tmp_path / "someone").mkdir()
    (tmp_path / "someone" / "tiny").symlink_to(tiny_avere)
    assert backbone_loading.find("someone/tiny") == tiny_avere  # a folder goes before the hub


def test_what_is_trained_on_a_model_of_the_hub_names_it_there(hub, tiny_avere, preference_file, tmp_path, monkeypatch):
    """And the training goes on, and is evaluated, wherever cache, data and folder are moved to."""
    data = tmp_path / "data"
    shutil.copytree(preference_file.parent, data)
    hub.unlink()
    shutil.copytree(tiny_avere, hub)
    (hub / "README.md").write_text("---\nlicense: mit\n---\n")
    command = ["run", "avem_dpo", "model=someone/tiny", f"running.reference={tmp_path / 'kept'}", "running.device=cpu"]
    command += ["optimiser.steps=2", "running.save_every=1", "running.tensorboard=false", "optimiser.batch=2"]

    losses = PreferenceTrainer._losses

    def fail(trainer, *given):
        if trainer.state.global_step == 1:
            raise SystemExit(1)
        return losses(trainer, *given)

    with monkeypatch.context() as broken:
        broken.setattr(PreferenceTrainer, "_losses", fail)
        with pytest.raises(SystemExit):
            cli.main([*command, f"data={data / 'preferences.jsonl'}", f"out={tmp_path / 'out'}"])
    (tmp_path / "cache").mkdir()
    for name, place in (("models--someone--tiny", "cache"), ("data", "mount"), ("out", "moved")):
        (tmp_path / name).rename(tmp_path / place / name if place == "cache" else tmp_path / place)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "moved"
    assert cli.main([*command, f"data={tmp_path / 'mount' / 'preferences.jsonl'}", f"out={out}"]) == 0
    adapters = json.loads((out / "adapter_config.json").read_text())
    assert (adapters["base_model_name_or_path"], adapters["revision"]) == ("someone/tiny", hub.name)
    assert [line["step"] for line in map(json.loads, (out / "log.jsonl").read_text().splitlines())][:2] == [1, 2]
    found = folders.find_weights(str(out))
    assert (found.folder, found.adapter) == (tmp_path / "cache/models--someone--tiny/snapshots" / hub.name, out)
    card = (out / "README.md").read_text()
    digest = hashlib.sha256(preference_file.read_bytes()).hexdigest()
    for part in ("base_model: someone/tiny", "license: mit", hub.name, digest, "lambda_av: 1.0", "| loss |", "2 steps"):
        assert part in card
    assert str(tmp_path) not in card
    assert "More Information Needed" not in card
    usual = (out / "log.jsonl").stat().st_mode
    assert all(path.stat().st_mode == usual for path in out.iterdir() if path.is_file())


def test_what_is_no_model_ends_in_one_line(hub, tmp_path, capsys):
    said = stopped(capsys, lambda: backbone_loading.find("someone/absent"))
    assert "model=someone/absent: there is no such folder, and the hub gives no such model" in said
    assert "hf download someone/absent" in said
    assert "there is no such folder" in stopped(capsys, lambda: backbone_loading.find("/nowhere/at/all"))
    for content, reason in (
        (None, "there is no config.json in it"),
        ("{", "not that of a model"),
        (json.dumps({"model_type": "llama"}), "its model_type is 'llama'"),
    ):
        if content is not None:
            (tmp_path / "config.json").write_text(content)
        assert reason in stopped(capsys, lambda: backbone_loading.find(str(tmp_path)))


def test_the_command_says_so(preference_file, tmp_path, capsys):
    arguments = ["run", "avem_dpo", "model=nowhere", f"data={preference_file}", f"out={tmp_path / 'out'}"]
    said = stopped(capsys, lambda: cli.main([*arguments, "running.device=cpu"]))
    embedded = "avere_nano, avere_nano_2, emotion_llama_nano,"
    assert f"nowhere: there is no such folder; name a folder with a whole model, {embedded}" in said
    assert not (tmp_path / "out").exists()


FAMILIES = ("tiny_avere", "tiny_omni", "nano")


@pytest.fixture
def base(request, tmp_path):
    """A copy of a family's model, to be broken."""
    source = NANO if request.param == "nano" else request.getfixturevalue(request.param)
    return Path(shutil.copytree(source, tmp_path / "base"))


def refused(base, preference_file, tmp_path, capsys):
    """The last line of a training on a broken base, which must leave nothing behind."""
    out = tmp_path / "out"
    arguments = ["run", "avem_dpo", f"model={base}", f"data={preference_file}", f"out={out}", "running.device=cpu"]
    with pytest.raises(SystemExit) as left:
        cli.main([*arguments, "optimiser.steps=1", "running.save_every=0", "negatives.kind=random"])
    assert left.value.code == 2
    assert not out.exists()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("emorealm: ")]
    assert str(base) in line
    return line


@pytest.mark.parametrize("base", FAMILIES, indirect=True)
def test_a_base_whose_tensors_have_another_prefix_is_refused(base, preference_file, tmp_path, capsys):
    file = base / "model.safetensors"
    weights = {f"other.{name}": tensor for name, tensor in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})
    line = refused(base, preference_file, tmp_path, capsys)
    assert "tensor(s): " in line
    assert " is there instead" in line


@pytest.mark.parametrize("base", FAMILIES, indirect=True)
def test_a_base_that_lacks_a_tensor_is_refused(base, preference_file, tmp_path, capsys):
    file = base / "model.safetensors"
    weights = load_file(file)
    gone = next(name for name in weights if name.endswith("q_proj.weight"))
    save_file({name: tensor for name, tensor in weights.items() if name != gone}, file, metadata={"format": "pt"})
    line = refused(base, preference_file, tmp_path, capsys)
    assert "it lacks 1 tensor(s): " in line
    assert "another layout" not in line


@pytest.mark.parametrize("base", FAMILIES, indirect=True)
def test_a_cut_file_ends_in_one_line(base, preference_file, tmp_path, capsys):
    file = base / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    line = refused(base, preference_file, tmp_path, capsys)
    assert "its weights cannot be loaded (" in line or "its model.safetensors has" in line


@pytest.mark.parametrize("base", FAMILIES, indirect=True)
@pytest.mark.parametrize("part", [None, "text_config"])
def test_a_quantised_base_is_refused(base, part, preference_file, tmp_path, capsys):
    config = json.loads((base / "config.json").read_text())
    (config[part] if part else config)["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps(config))
    assert "its weights are quantised" in refused(base, preference_file, tmp_path, capsys)


def test_a_model_whose_layers_see_a_window_of_tokens_is_refused(tiny_base, tmp_path, capsys):
    """The masks of shared prefixes would let them see all."""
    folder = shutil.copytree(tiny_base("qwen2_audio_av"), tmp_path / "narrow")
    about = json.loads((folder / "config.json").read_text())
    about["text_config"] |= {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0}
    about["text_config"]["layer_types"] = ["sliding_attention"] * 2

    def load():
        (folder / "config.json").write_text(json.dumps(about))
        return backbone_loading.load(folder, torch.device("cpu"), torch.float32, 0)

    with pytest.raises(SystemExit) as left:
        load()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "narrow: 2 of its layers see a window of tokens only" in said
    assert "set use_sliding_window to false and take layer_types out" in said
    about["text_config"]["use_sliding_window"] = False
    del about["text_config"]["layer_types"]
    load().close()
