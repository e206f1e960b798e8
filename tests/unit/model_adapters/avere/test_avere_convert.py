"""The converter: every layout of weights it reads, and every mistake ends in one line."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model_adapters.avere import AvereForConditionalGeneration, AvereProcessor, conversion, convert

RELEASED = Path(__file__).parents[3] / "golden" / "data" / "avere_dev" / "dev"
VIDEO = "backbones/LanguageBind_Video_merge"
AUDIO = "backbones/whisper-large-v3"


@pytest.fixture
def source(tmp_path):
    return Path(shutil.copytree(RELEASED, tmp_path / "released"))


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    out = tmp_path_factory.mktemp("avere") / "out"
    convert.main(["--source", str(RELEASED), "--out", str(out)])
    return load_file(out / "model.safetensors")


def run(source, **options):
    out = source.parent / "out"
    convert.main([f"--source={source}", f"--out={out}", *(f"--{name}={value}" for name, value in options.items())])
    return out


def refusal(capsys, source, **options):
    with pytest.raises(SystemExit) as end:
        run(source, **options)
    assert end.value.code == 2
    message = capsys.readouterr().err.strip()
    assert "\n" not in message
    assert not (source.parent / "out" / "config.json").exists()
    return message


def same(out, converted):
    model, report = AvereForConditionalGeneration.from_pretrained(out, output_loading_info=True)
    assert not any(report.values()), report
    state = model.state_dict()
    assert state.keys() == converted.keys()
    return all(torch.equal(state[key], value) for key, value in converted.items())


def to_pytorch(folder, shards=1):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    if shards == 1:
        torch.save(tensors, folder / "pytorch_model.bin")
        return
    names = {key: f"pytorch_model-{number % shards}.bin" for number, key in enumerate(tensors)}
    for name in set(names.values()):
        torch.save({key: tensors[key] for key in tensors if names[key] == name}, folder / name)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": names}))


def change_config(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_pytorch_files(source, converted):
    to_pytorch(source, shards=3)
    to_pytorch(source / VIDEO)
    to_pytorch(source / AUDIO)
    assert same(run(source), converted)


def test_sharded_safetensors_in_and_out(source, converted, monkeypatch):
    tensors = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    names = {key: f"model-{number % 2}.safetensors" for number, key in enumerate(tensors)}
    for name in set(names.values()):
        save_file({key: tensors[key] for key in tensors if names[key] == name}, source / name)
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    monkeypatch.setattr(conversion, "_SHARD_BYTES", 400_000)
    out = run(source)
    assert len(list(out.glob("model-*.safetensors"))) > 2
    assert all(shard.stat().st_size < 450_000 for shard in out.glob("model-*.safetensors"))
    assert same(out, converted)


def test_towers_come_from_the_backbones(source, converted, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.move(source / "backbones", elsewhere)
    path = elsewhere / "LanguageBind_Video_merge" / "model.safetensors"
    tensors = load_file(path)
    tensors["vision_model.embeddings.class_embedding"] += 1
    save_file(tensors, path)
    state = load_file(run(source, backbones=elsewhere) / "model.safetensors")
    changed = {key for key, value in state.items() if not torch.equal(value, converted[key])}
    assert changed == {"model.video_tower.embeddings.class_embedding"}


def test_dtype_and_greedy_decoding_are_kept(source):
    for folder in (source, source / VIDEO, source / AUDIO):
        tensors = load_file(folder / "model.safetensors")
        save_file({key: value.bfloat16() for key, value in tensors.items()}, folder / "model.safetensors")
    change_config(source / "config.json", torch_dtype="bfloat16")
    model = AvereForConditionalGeneration.from_pretrained(run(source))
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert not model.generation_config.do_sample
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (2, 0)


def test_the_tokenizer_pads_with_unk(source):
    tokenizer = AvereProcessor.from_pretrained(run(source)).tokenizer
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 0)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "released: none of model.safetensors.index.json, model.safetensors"),
        ("tokenizer.model", "there is no tokenizer.model"),
        (f"{VIDEO}/config.json", "LanguageBind_Video_merge/config.json: no such file"),
        (f"{VIDEO}/model.safetensors", "LanguageBind_Video_merge: none of"),
        (f"{AUDIO}/model.safetensors", "whisper-large-v3: none of"),
        ("backbones/bert-base-uncased/config.json", "bert-base-uncased/config.json: no such file"),
    ],
)
def test_missing_files(source, capsys, missing, named):
    (source / missing).unlink()
    assert named in refusal(capsys, source)


def test_missing_shard(source, capsys):
    to_pytorch(source, shards=3)
    (source / "pytorch_model-1.bin").unlink()
    assert "pytorch_model-1.bin: this shard is missing" in refusal(capsys, source)


def rewrite(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_missing_key(source, capsys):
    rewrite(source / VIDEO / "model.safetensors", lambda tensors: tensors.pop("vision_model.pre_layrnorm.bias"))
    assert "1 tensors missing (the first, under its name here: model.video_tower.pre_layernorm.bias" in refusal(
        capsys, source
    )


def test_unexpected_key(source, capsys):
    rewrite(source / "model.safetensors", lambda tensors: tensors.update({"model.extra.weight": torch.zeros(1)}))
    assert "1 keys belong to no known part of the model (the first: model.extra.weight)" in refusal(capsys, source)


def test_a_layer_too_many(source, capsys):
    key = "model.layers.7.input_layernorm.weight"
    rewrite(source / "model.safetensors", lambda tensors: tensors.update({key: torch.zeros(64)}))
    assert "1 tensors too many" in refusal(capsys, source)


def test_wrong_shape(source, capsys):
    rewrite(source / "model.safetensors", lambda tensors: tensors.update({"model.norm.weight": torch.zeros(3)}))
    assert "model.norm.weight is (3,), the configs say (64,)" in refusal(capsys, source)


def test_broken_file(source, capsys):
    (source / AUDIO / "model.safetensors").write_bytes(b"not tensors at all")
    assert "whisper-large-v3/model.safetensors: cannot be read" in refusal(capsys, source)


def test_code_in_a_checkpoint_is_not_run(source, capsys, tmp_path):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (source / "model.safetensors").unlink()
    torch.save({"lm_head.weight": Payload()}, source / "pytorch_model.bin")
    assert "code from a checkpoint is not run" in refusal(capsys, source)
    assert not (tmp_path / "ran").exists()


def test_other_architectures_are_refused(source, capsys):
    change_config(source / "config.json", mm_projector_type="linear")
    assert "mm_projector_type is 'linear'; only 'mlp2x_gelu' can be converted" in refusal(capsys, source)


def test_a_config_without_a_field(source, capsys):
    config = json.loads((source / "config.json").read_text())
    del config["mm_vision_select_layer"]
    (source / "config.json").write_text(json.dumps(config))
    assert "config.json: it has no 'mm_vision_select_layer'" in refusal(capsys, source)


def test_the_checkpoint_itself_is_not_overwritten(source, capsys):
    with pytest.raises(SystemExit):
        convert.main(["--source", str(source), "--out", str(source)])
    assert "--out is the checkpoint itself" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.safetensors", "notes/mine.txt", "config.json"])
def test_what_is_there_is_not_written_over(source, capsys, name):
    mine = source.parent / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(SystemExit) as end:
        run(source)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"holds {name.split('/')[0]!r}" in said
    assert [path for path in (source.parent / "out").rglob("*") if path.is_file()] == [mine]


def test_a_whole_conversion_is_not_made_over_and_a_broken_one_is(source, converted, capsys):
    out = run(source)
    with pytest.raises(SystemExit):
        run(source)
    assert "holds converted weights already" in capsys.readouterr().err
    (out / "config.json").unlink()  # it comes last
    (out / "model-00001-of-00009.safetensors").write_text("of a conversion in more parts")
    assert same(run(source), converted)
    assert [path.name for path in out.glob("*.safetensors")] == ["model.safetensors"]
    (out / "config.json").write_text("")  # killed while it was written
    (out / ".tmpA1b2C3").write_text("what safetensors writes to")
    assert same(run(source), converted)
    assert not (out / ".tmpA1b2C3").exists()
