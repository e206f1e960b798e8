"""AVERE from public parts: the parts' weights and fresh projectors, trained at once; misfits are refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, WhisperConfig, WhisperModel

from avem_train import cli
from model_adapters.avere import AvereForConditionalGeneration, assemble

RELEASED = Path(__file__).parents[3] / "golden" / "data" / "avere_dev" / "dev"
VOCABULARY = json.loads((RELEASED / "config.json").read_text())["vocab_size"]
LLAMA = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
WHISPER = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_layers": 1}
WHISPER |= {"decoder_attention_heads": 2, "decoder_ffn_dim": 32, "num_mel_bins": 16, "max_source_positions": 200}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Tiny parts in their public layouts: folders of a Llama, LanguageBind-Video, Whisper, BERT."""
    folder = tmp_path_factory.mktemp("parts")
    torch.manual_seed(0)
    llama = LlamaConfig(vocab_size=VOCABULARY, rope_theta=5e5, pad_token_id=0, **LLAMA)
    LlamaForCausalLM(llama).save_pretrained(folder / "llama")
    for name in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(RELEASED / name, folder / "llama")
    WhisperModel(WhisperConfig(**WHISPER)).save_pretrained(folder / "whisper")
    for ours, name in (("video", "LanguageBind_Video_merge"), ("bert", "bert-base-uncased")):
        shutil.copytree(RELEASED / "backbones" / name, folder / ours)
    return folder


@pytest.fixture
def parts(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "parts"))


def run(parts, out, *more):
    folders = {"language-model": "llama", "video-tower": "video", "audio-tower": "whisper", "qformer": "bert"}
    return assemble.main([*(f"--{name}={parts / folder}" for name, folder in folders.items()), f"--out={out}", *more])


def refusal(parts, capsys):
    with pytest.raises(SystemExit) as end:
        run(parts, parts / "out")
    assert end.value.code == 2
    message = capsys.readouterr().err.strip()
    assert "\n" not in message
    assert not (parts / "out").exists()
    return message


def change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_parts_keep_their_weights_and_the_seed_gives_the_projectors(whole, tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        assert run(whole, tmp_path / name, f"--seed={seed}") == 0
    state = {name: load_file(tmp_path / name / "model.safetensors") for name in ("one", "again", "other")}
    model = AvereForConditionalGeneration.from_pretrained(tmp_path / "one")
    assert model.state_dict().keys() == state["one"].keys()
    assert model.config.text_config.rope_parameters["rope_theta"] == 5e5
    assert (model.config.vision_config.num_frames, model.config.audio_config.window_seconds) == (8, 4)
    llama, whisper = (load_file(whole / name / "model.safetensors") for name in ("llama", "whisper"))
    assert all(torch.equal(state["one"][f"model.language_model.{k[6:]}"], v) for k, v in llama.items() if k[0] == "m")
    assert all(torch.equal(state["one"][f"model.audio_tower.{k[8:]}"], v) for k, v in whisper.items() if k[0] == "e")
    assert all(torch.equal(state["one"][key], value) for key, value in state["again"].items())
    differ = {".".join(key.split(".")[:2]) for key, one in state["one"].items() if (one != state["other"][key]).any()}
    assert differ == {"model.video_projector", "model.audio_projector"}


def test_what_is_assembled_trains_its_projectors_and_then_its_language_model(whole, tmp_path, clips, capsys):
    root = Path(clips[0]).parent
    items = [{"id": n, "prompt": "Why?", "response": f"Tears {n}", "video": str(clips[n % 2])} for n in range(3)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(one) + "\n" for one in items))
    run(whole, tmp_path / "base")
    given = [f"data={tmp_path / 'data.jsonl'}", f"root={root}", "optimiser.steps=1", "optimiser.accumulation=1"]
    given += ["running.device=cpu", "running.tensorboard=false", "optimiser.warm_up=0"]
    for recipe, model, out in (("avere_projectors", "base", "stage1"), ("avere_sft", "stage1", "stage2")):
        assert cli.main(["run", recipe, f"model={tmp_path / model}", f"out={tmp_path / out}", *given]) == 0
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "stage1"))
    moved = {".".join(key.split(".")[:2]) for key, value in before.items() if not torch.equal(value, after[key])}
    assert moved == {"model.video_projector", "model.audio_projector"}
    assert (tmp_path / "stage2" / "adapter_model.safetensors").is_file()
    assert "conversations" in capsys.readouterr().out


def test_a_key_that_no_part_knows(parts, capsys):
    path = parts / "llama" / "model.safetensors"
    save_file(load_file(path) | {"model.extra.weight": torch.zeros(1)}, path)
    assert "llama: 1 keys belong to no known part of the model (the first: model.extra.weight)" in refusal(
        parts, capsys
    )


def test_a_tensor_that_is_missing_names_its_folder(parts, capsys):
    path = parts / "whisper" / "model.safetensors"
    save_file({key: value for key, value in load_file(path).items() if key != "encoder.layer_norm.bias"}, path)
    assert "whisper: 1 tensors missing (the first, under its name here: model.audio_tower.lay" in refusal(parts, capsys)


@pytest.mark.parametrize(
    ("file", "changes", "reason"),
    [
        ("llama", {"model_type": "qwen2"}, "only a Llama ('llama') can be the language model"),
        ("llama", {"tie_word_embeddings": True}, "only a language model with a head of its own"),
        (
            "llama",
            {"max_position_embeddings": 100},
            "max_position_embeddings is 100, and a clip alone takes 147 tokens",
        ),
        ("llama", {"intermediate_size": 64}, "gate_proj.weight is (48, 32), the configs say (64, 32)"),
        ("llama", {"vocab_size": 10}, "tokens, its language model 10; take both of one model"),
        ("video", {"vision_config": {}}, "no attention over time"),
        ("whisper", {"d_model": 20}, "the configs say"),
    ],
)
def test_parts_that_do_not_fit(parts, capsys, file, changes, reason):
    change(parts / file / "config.json", **changes)
    assert reason in refusal(parts, capsys)


def test_a_tokenizer_that_is_not_there(parts, capsys):
    (parts / "llama" / "tokenizer.model").unlink()
    assert "llama: there is no tokenizer.model" in refusal(parts, capsys)


def test_a_part_is_not_written_over(parts, capsys):
    with pytest.raises(SystemExit):
        run(parts, parts / "whisper")
    assert "--out is the checkpoint itself" in capsys.readouterr().err
