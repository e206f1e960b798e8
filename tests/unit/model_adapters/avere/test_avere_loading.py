"""Which weights are loaded, what is merged into them, and what a mistake in the arguments says."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from avem_train import config
from avem_train.dpo.settings import DpoSettings
from avere_requests import chat_requests, inputs_of
from model_adapters.avere import AvereConfig, AvereForConditionalGeneration, folders, loading
from model_adapters.avere.adapter import AvereChat
from model_adapters.base import embedded, liger


@pytest.fixture(scope="module")
def docs(make_clip, tmp_path_factory):
    clip = str(make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", seconds=1))
    return [{"video": clip, "text": text, "kind": "both"} for text in ("Why is the person sad? (A) tears", "What?")]


def test_a_lora_folder_is_merged(tiny_avere, docs, tmp_path):
    from peft import LoraConfig, get_peft_model

    plain = AvereChat(pretrained=str(tiny_avere))
    torch.manual_seed(1)
    tuned = get_peft_model(
        AvereForConditionalGeneration.from_pretrained(tiny_avere),
        LoraConfig(r=4, target_modules=r".*language_model.*(q|v)_proj", init_lora_weights=False),
    ).eval()
    tuned.save_pretrained(tmp_path / "lora")
    model = AvereChat(pretrained=str(tiny_avere), adapter=str(tmp_path / "lora"))
    inputs = inputs_of(model, docs[0])
    torch.testing.assert_close(model.model(**inputs).logits, tuned(**inputs).logits, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(model.model(**inputs).logits, plain.model(**inputs).logits, atol=1e-2)


def test_in_half_precision_a_small_update_is_not_rounded_away(tiny_avere, docs, tmp_path):
    """Adapters stay beside the weights: the harness's logits are training's, to the last bit."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    whole = AvereForConditionalGeneration.from_pretrained(tiny_avere, dtype=torch.bfloat16)
    tuned = get_peft_model(whole, LoraConfig(r=4, target_modules=r".*language_model.*(q|v|o|up|down)_proj")).eval()
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=5e-7 * 200)  # 200 steps of the paper's learning rate
    tuned.save_pretrained(tmp_path / "lora")
    model = AvereChat(pretrained=str(tiny_avere), adapter=str(tmp_path / "lora"), dtype="bfloat16")
    inputs = inputs_of(model, docs[0])
    with torch.no_grad():
        found, wanted = model.model(**inputs).logits, tuned(**inputs).logits
        with tuned.disable_adapter():
            before = tuned(**inputs).logits
    assert torch.equal(found, wanted)
    assert not torch.equal(found, before)


def test_the_embedded_model_says_so_and_answers_mini_tasks_only(tiny_avere, docs, monkeypatch, capsys, log):
    monkeypatch.setattr(folders, "NANO", tiny_avere)
    monkeypatch.delenv("EMOREALM_AVERE", raising=False)
    model = AvereChat()
    assert [line for line in log if "embedded avere-nano" in line]
    assert len(model.generate_until(chat_requests(model, docs[:2], task="emorealm_blind_mini_x"))) == 2
    with pytest.raises(SystemExit) as caught:
        model.generate_until(chat_requests(model, docs[:2], task="emorealm_modality_agreement"))
    assert caught.value.code == 2
    refusal = capsys.readouterr().err
    assert "not emorealm_modality_agreement" in refusal
    assert "nano_anyway=true" in refusal
    insisting = AvereChat(nano_anyway=True)
    assert len(insisting.generate_until(chat_requests(insisting, docs[:2], task="dfew"))) == 2


def test_what_ships_is_found_by_its_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert folders.find_weights("avere_nano") == folders.Weights(folders.NANO, embedded=False)
    second = folders.find_weights("avere_nano_2")
    assert second == folders.Weights(folders.NANO.with_name("avere_nano_2"), embedded=False)
    for name, base in embedded.ADAPTERS.items():
        tuned = folders.find_weights(name)
        assert (tuned.folder, tuned.adapter) == (base, folders.NANO.with_name(name))
        assert embedded.parameter_count(name) == embedded.parameter_count(base.name)


@pytest.mark.parametrize("name", ["avere_nano_2_dpo", "avere_nano_2_plus"])
def test_the_recipe_of_shipped_adapters_says_what_they_were_trained_with(name):
    folder = folders.NANO.with_name(name)
    content = config.read(str(folder / "recipe.yaml"), [])
    assert content.pop("program") == "preference"
    told = config.decided(config.from_mapping(DpoSettings, content))
    trained = json.loads((folder / "training.json").read_text())
    assert trained["settings"].items() <= json.loads(json.dumps(told, default=str)).items()
    assert trained["steps"] == told["optimiser"]["steps"]


def test_weights_named_by_the_settings(tiny_avere, docs, monkeypatch):
    monkeypatch.setenv("EMOREALM_AVERE", str(tiny_avere))
    model = AvereChat()
    assert len(model.generate_until(chat_requests(model, docs[:1], task="emorealm_modality_agreement"))) == 1


def without(folder, source, name):
    shutil.copytree(source, folder)
    (folder / name).unlink()
    return str(folder)


def test_bad_arguments_end_in_one_line(tiny_avere, tmp_path, capsys):
    other = shutil.copytree(tiny_avere, tmp_path / "other")
    (other / "config.json").write_text('{"model_type": "videollava"}')
    torn = shutil.copytree(tiny_avere, tmp_path / "torn")
    (torn / "model.safetensors").write_bytes((torn / "model.safetensors").read_bytes()[:1000])
    holes = shutil.copytree(tiny_avere, tmp_path / "holes")
    grown = AvereConfig.from_pretrained(holes)
    grown.text_config.num_hidden_layers = 3
    grown.save_pretrained(holes)
    good = {"pretrained": str(tiny_avere)}
    cases = [
        ({"pretrianed": "x"}, "unknown model argument 'pretrianed'; did you mean 'pretrained'?"),
        ({"pretrained": str(tmp_path / "nowhere")}, "nowhere cannot be used as weights: there is no such folder"),
        ({"pretrained": str(tmp_path)}, "there is no config.json in it"),
        ({"pretrained": str(other)}, "its model_type is 'videollava', not 'avere'; make one with `python -m"),
        ({"pretrained": without(tmp_path / "a", tiny_avere, "model.safetensors")}, "model.safetensors is missing"),
        ({"pretrained": str(torn)}, "torn cannot be used as weights: its model.safetensors is cut"),
        ({"pretrained": str(holes)}, "tensor(s): model.language_model.layers.2"),
        ({"pretrained": without(tmp_path / "b", tiny_avere, "processor_config.json")}, "processor_config.json is mis"),
        (good | {"dtype": "float7"}, "unknown dtype 'float7'"),
        (good | {"device": "gpu"}, "unknown device 'gpu'"),
        (good | {"batch_size": "many"}, "batch_size='many' is not a number"),
        (good | {"max_errors": 2}, "max_errors=2 is out of range"),
        (good | {"attn_implementation": "flashy"}, "its weights cannot be loaded"),
        (good | {"adapter": str(tmp_path)}, "there is no adapter_config.json there"),
    ]
    for arguments, said in cases:
        with pytest.raises(SystemExit) as caught:
            AvereChat(**arguments)
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("emorealm:")]
        assert caught.value.code == 2
        assert len(lines) == 1, arguments
        assert said in lines[0], lines[0]


BROKEN = ["", "[]", "5", "[" * 100_000, '{"model_type": ["avere"]}', "\xff", '{"a": ' + "9" * 5000 + "}"]


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors.index.json", "processor_config.json", "tokenizer.json", "adapter_config.json"],
)
def test_any_file_of_the_weights_ends_in_one_line(tiny_avere, tmp_path, capsys, name, content):
    folder = Path(shutil.copytree(tiny_avere, tmp_path / "weights"))
    if name == "adapter_config.json":
        (folder / "config.json").unlink()
    (folder / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(SystemExit) as stopped:
        loading.load_processor(folders.find_weights(str(folder)).folder)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert len(said) < 1500
    assert str(folder) in said


@pytest.mark.parametrize("shard", ["../../secret.safetensors", "/etc/passwd", 5, "", None])
def test_an_index_names_files_of_its_own_folder(tiny_avere, tmp_path, capsys, shard):
    folder = Path(shutil.copytree(tiny_avere, tmp_path / "weights"))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(SystemExit):
        folders.find_weights(str(folder))
    assert "does not name the files of its tensors" in capsys.readouterr().err


def test_ligers_kernels_are_refused_before_anything_is_loaded(tiny_avere, monkeypatch, capsys):
    for installed, said in ((None, "liger-kernel is not installed: pip install liger-kernel"), ("there", "need a GPU")):
        monkeypatch.setattr(liger, "find_spec", lambda name, found=installed: found)
        with pytest.raises(SystemExit):
            AvereChat(pretrained=str(tiny_avere), device="cpu", liger=True)
        refusal = capsys.readouterr().err
        assert "avere: liger=true: " in refusal
        assert said in refusal
