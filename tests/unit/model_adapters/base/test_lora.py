"""Folders of adapters in front of a chat model of transformers: found, put to work, told apart, refused in one line."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen2_5OmniThinkerForConditionalGeneration

from avem_train.backbones.lora_targets import LINEARS
from model_adapters.base import lora_folders
from model_adapters.base.fingerprint import fingerprint
from model_adapters.in_process import loading
from model_adapters.in_process.audio_visual import Qwen25OmniAV

OWNER = "qwen2_5_omni_av"


@pytest.fixture(scope="module")
def base(tiny_omni, tmp_path_factory):
    return shutil.copytree(tiny_omni, tmp_path_factory.mktemp("base") / "whole")


@pytest.fixture(scope="module")
def tuned(base):
    """The model with adapters that do something, for comparison."""
    torch.manual_seed(1)
    model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(base)
    return get_peft_model(model, LoraConfig(r=4, target_modules=LINEARS, init_lora_weights=False)).eval()


@pytest.fixture
def adapter(tuned, base, tmp_path):
    tuned.save_pretrained(tmp_path / "lora")
    return named(tmp_path / "lora", str(base))


def named(folder, base):
    """The folder, its weights named `base`, with the training.json of a training."""
    (folder / "training.json").write_text('{"steps": 1}')
    file = folder / lora_folders.CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": base}))
    return folder


def refusal(capsys, folder):
    with pytest.raises(SystemExit) as caught:
        Qwen25OmniAV(pretrained=str(folder), device="cpu")
    assert caught.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("emorealm:")]
    return line


class TestHalfPrecision:
    """An update as small as the paper's learning rate makes it (5e-7 a step) is lost when weights are rounded."""

    STEP = 5e-7

    @pytest.fixture
    def small(self, base, tmp_path):
        """A bfloat16 model in training, its adapters after a few steps, and the folder they were saved in."""
        torch.manual_seed(2)
        model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(base, dtype=torch.bfloat16)
        training = get_peft_model(model, LoraConfig(r=4, target_modules=LINEARS)).eval()
        for name, parameter in training.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=self.STEP * 100)
        training.save_pretrained(tmp_path / "small")
        return training, named(tmp_path / "small", str(base))

    def test_the_harness_answers_as_training_would(self, small, base):
        training, folder = small
        harness = Qwen25OmniAV(pretrained=str(folder), device="cpu", dtype="bfloat16").model
        ids = torch.arange(10, 60)[None]
        with torch.no_grad():
            wanted, found = training(input_ids=ids).logits, harness(input_ids=ids).logits
            with training.disable_adapter():
                before = training(input_ids=ids).logits
        assert harness.dtype == torch.bfloat16
        assert torch.equal(found, wanted)
        assert not torch.equal(found, before)

    def test_merging_it_is_refused_with_the_share_that_survives(self, small, base, capsys):
        _, folder = small
        model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(base, dtype=torch.bfloat16)
        with pytest.raises(SystemExit):
            lora_folders.merge("avem-train", model, folder)
        line = capsys.readouterr().err
        assert "outlives the rounding to bfloat16" in line
        assert float(line.split("only ")[1].split("%")[0]) < 50

    def test_an_update_that_survives_is_merged_and_the_share_is_said(self, adapter, base, capsys):
        model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(base, dtype=torch.bfloat16)
        assert lora_folders.merge("avem-train", model, adapter) is model
        share = float(capsys.readouterr().err.split("avem-train: ")[1].split("%")[0])
        assert 99 <= share <= 101

    def test_the_share_by_hand(self):
        """One weight moves to the next bfloat16 number, one is too large to move: (1/128 x 1/128) / (2/128^2)."""
        layer = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False, dtype=torch.bfloat16))
        layer[0].weight.data = torch.tensor([[1.0, 256.0]], dtype=torch.bfloat16)
        adapted = get_peft_model(layer, LoraConfig(r=1, lora_alpha=1, target_modules=["0"]))
        for name, parameter in adapted.named_parameters():
            if "lora" in name:
                parameter.data.fill_(1.0 if "lora_A" in name else 1 / 128)
        assert lora_folders.surviving_share(adapted) == 0.5


def test_adapters_without_their_training_are_refused_unless_it_is_said_how_to_ask(adapter, base, capsys):
    """Two files copied: the model would be asked in another way than in training, without a word."""
    (adapter / "training.json").unlink()
    line = refusal(capsys, adapter)
    assert "without the training.json" in line
    assert "interleave=..." in line
    said = {"interleave": False, "fps": 2.0, "frames": 16}
    assert Qwen25OmniAV(pretrained=str(adapter), device="cpu", **said).interleave is False


def test_a_checkpoint_of_a_training_is_asked_as_the_training(adapter, base):
    folder = adapter.parent / "out" / "checkpoints" / "checkpoint-50"
    shutil.copytree(adapter, folder)
    (folder / "training.json").unlink()
    said = {"interleave": False, "fps": 2.0, "frames": 16, "least": 4}
    (folder.parents[1] / "training.json").write_text(json.dumps({"answering": said}))
    model = Qwen25OmniAV(pretrained=str(folder), device="cpu")
    assert (model.interleave, model.sampling.most) == (False, 16)


def test_adapters_are_merged_into_the_weights_they_name(tuned, base, adapter):
    model = Qwen25OmniAV(pretrained=str(adapter), device="cpu")
    ids = torch.arange(10, 40)[None]
    with torch.no_grad():
        merged, wanted = model.model(input_ids=ids).logits, tuned(input_ids=ids).logits
        torch.testing.assert_close(merged, wanted, atol=1e-4, rtol=1e-4)
        with tuned.disable_adapter():
            assert (merged - tuned(input_ids=ids).logits).abs().max() > 0.1
    assert not any("lora" in name for name, _ in model.model.named_parameters())
    assert model.fingerprint == f"{fingerprint(base)}+{fingerprint(adapter)}"


def test_weights_may_lie_beside_the_adapters_or_on_the_hub(base, adapter):
    assert loading.find(OWNER, str(named(adapter, f"../../{base.parent.name}/{base.name}"))).whole.endswith("/whole")
    on_hub = loading.find(OWNER, str(named(adapter, "Qwen/Qwen2.5-Omni-7B")))
    assert on_hub == loading.Weights("Qwen/Qwen2.5-Omni-7B", adapter)
    config = json.loads((adapter / lora_folders.CONFIG).read_text())
    (adapter / lora_folders.CONFIG).write_text(json.dumps(config | {"revision": "0123abcd"}))
    assert loading.find(OWNER, str(adapter)).revision == "0123abcd"
    assert loading.find(OWNER, str(base)) == loading.Weights(str(base))


def test_weights_that_are_gone_or_others_are_said_in_one_line(base, adapter, capsys):
    (adapter / "training.json").write_text(json.dumps({"model": {"fingerprint": "0123"}}))
    assert "were trained on other weights than those now in" in refusal(capsys, adapter)
    (adapter / "training.json").write_text(json.dumps({"model": {"fingerprint": fingerprint(base)}}))
    assert loading.find(OWNER, str(adapter)).adapter == adapter
    named(adapter, "/gone/omni")
    line = refusal(capsys, adapter)
    assert f"{adapter}: the weights its adapters belong to are not there: /gone/omni" in line
    named(adapter, "")
    assert "must name the weights it belongs to in base_model_name_or_path" in refusal(capsys, adapter)


def test_adapters_that_do_not_fit_are_refused_not_left_out(base, adapter, capsys):
    """PEFT itself would answer with whatever finds a place."""
    from safetensors.torch import load_file, save_file

    weights = load_file(adapter / "adapter_model.safetensors")
    other = {name.replace("layers.1.", "layers.7."): tensor for name, tensor in weights.items()}
    save_file(other, adapter / "adapter_model.safetensors")
    assert "cannot be put on this model" in refusal(capsys, adapter)
    (adapter / "adapter_model.safetensors").unlink()
    assert "its adapter_model.safetensors is missing" in refusal(capsys, adapter)


@pytest.mark.parametrize("content", ["", "[]", "5", "[" * 100_000, "\xff"])
def test_any_training_json_ends_in_one_line(tmp_path, capsys, content):
    (tmp_path / "training.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(SystemExit) as stopped:
        lora_folders.training(tmp_path)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
