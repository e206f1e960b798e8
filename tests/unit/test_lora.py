"""Folders of adapters in front of a chat model of transformers: found, merged in, told apart, refused in one line."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen2_5OmniThinkerForConditionalGeneration

from avem_train.backbone import LINEARS
from model_adapters import lora
from model_adapters.fingerprint import fingerprint
from model_adapters.in_process import loading
from model_adapters.in_process.omni import Qwen25OmniAV

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
    """The folder, its weights named `base`."""
    file = folder / lora.CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": base}))
    return folder


def refusal(capsys, folder):
    with pytest.raises(SystemExit) as caught:
        Qwen25OmniAV(pretrained=str(folder), device="cpu")
    assert caught.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("emorealm:")]
    return line


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
    assert "cannot be put on this model" in refusal(capsys, adapter)
