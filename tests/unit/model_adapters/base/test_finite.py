"""Weights, adapters or logits that are no numbers are told, and never read as an empty answer."""

import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from avere_requests import chat_requests, option_requests
from chat_requests import ask, requests_for
from model_adapters.avere.adapter import AvereChat
from model_adapters.base import finite, lora_folders
from model_adapters.in_process.audio_visual import Qwen25OmniAV

INF, NAN = float("inf"), float("nan")


def stopped(capsys, call):
    with pytest.raises(SystemExit) as caught:
        call()
    assert caught.value.code == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if "emorealm: " in line]
    return line


def broken_copy(folder, place, value):
    """A copy of a model folder in which one token has the weights `value`."""
    shutil.copytree(folder, place)
    file = place / "model.safetensors"
    tensors = load_file(file)
    tensors["lm_head.weight"][0] = value
    save_file(tensors, file, {"format": "pt"})
    return str(place)


def test_which_rows_name_no_token():
    rows = torch.tensor([[0.0, 1.0], [-INF, 1.0], [NAN, 1.0], [INF, 1.0], [-INF, -INF]])
    assert finite.broken(rows).tolist() == [False, False, True, True, True]


@pytest.mark.slow
@pytest.mark.parametrize("value", [NAN, INF])
def test_answers_and_scores_of_avere(tiny_avere, clips, tmp_path, capsys, value):
    folder = broken_copy(tiny_avere, tmp_path / "weights", value)
    model = AvereChat(pretrained=folder, device="cpu", batch_size=4)
    docs = [{"video": clip, "kind": "both", "text": "Why?"} for clip in clips]
    for call, requests in (
        (model.generate_until, chat_requests(model, docs)),
        (model.loglikelihood, option_requests(model, docs, ["A", "B"])),
    ):
        assert finite.NO_NUMBERS in stopped(capsys, lambda call=call, requests=requests: call(requests))
    model.max_errors = 1.0
    said = [answer.text for answer in model.generate_until(chat_requests(model, docs))]
    assert said == [f"[LMMS_EVAL_REQUEST_FAILED] {finite.NO_NUMBERS}"] * 3
    assert model.loglikelihood(option_requests(model, docs, ["A"])) == [(-INF, False)] * 3
    model.clean()


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0, "do_sample": True}, {"num_beams": 2}])
def test_answers_of_a_model_in_this_process(tiny_omni, clips, tmp_path, capsys, settings):
    model = Qwen25OmniAV(pretrained=broken_copy(tiny_omni, tmp_path / "weights", NAN), device="cpu", batch_size=2)
    docs = [("Why?", clips[0], clips[0]), ("Why?", clips[1], None)]
    line = stopped(capsys, lambda: model.generate_until(requests_for(model, docs, **settings)))
    assert finite.NO_NUMBERS in line


def test_contrastive_decoding_rules_tokens_out_without_a_fault(tiny_omni, clips):
    model = Qwen25OmniAV(pretrained=str(tiny_omni), device="cpu", batch_size=2, vcd_alpha=1.0)
    assert not any("FAILED" in said for said in ask(model, [("Why?", clips[0], clips[0])]))


@pytest.mark.parametrize("value", [NAN, INF])
def test_adapters_are_looked_at_when_they_are_loaded(tiny_avere, tmp_path, capsys, value):
    from model_adapters.avere.modeling import AvereForConditionalGeneration

    whole = AvereForConditionalGeneration.from_pretrained(tiny_avere)
    get_peft_model(whole, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path / "lora")
    file = tmp_path / "lora" / "adapter_model.safetensors"
    tensors = load_file(file)
    next(iter(tensors.values()))[0, 0] = value
    save_file(tensors, file, {"format": "pt"})
    line = stopped(capsys, lambda: AvereChat(pretrained=str(tiny_avere), device="cpu", adapter=str(tmp_path / "lora")))
    assert "1 of its tensors hold NaN or infinite values" in line
    assert lora_folders.CONFIG not in line
