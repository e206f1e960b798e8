"""The models that a study examines: their answers are the harness's, and weights come and go."""

from pathlib import Path

import pytest
import torch

import tiny_models
from avem_train.backbones import loading
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Lora
from avem_train.dpo.train import adapters
from avem_train.study.candidates import EmotionLlamaCandidate
from chat_requests import requests_for
from model_adapters.base import embedded
from model_adapters.emotion_llama.adapter import EmotionLlama
from model_adapters.in_process import loading as in_process


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.emotion_llama(tmp_path_factory.mktemp("emotion_llama"))


def logits(model, docs):
    """Of the prompts' last tokens, each question by itself."""
    rows = []
    for asked in (model.read_request(request) for request in requests_for(model, docs)):
        inputs = model.batch([model.inputs(asked.question, asked.clip)[0]])
        with torch.inference_mode():
            rows.append(model.model(**inputs).logits[0, -1])
    return torch.stack(rows)


def test_emotion_llama_answers_from_clips_encoded_once_as_from_the_clips(folder, clips):
    docs = [("Why?", clips[0], clips[0]), ("How?", clips[0], clips[0]), ("Why?", None, clips[1]), ("Why?", None, None)]
    candidate = EmotionLlamaCandidate(pretrained=str(folder), device="cpu")
    torch.testing.assert_close(
        logits(candidate, docs), logits(EmotionLlama(pretrained=str(folder), device="cpu"), docs)
    )
    encoded = []
    candidate.model.encode = lambda **media: encoded.append(media)
    logits(candidate, docs)
    assert not encoded
    assert candidate.asked_with == {"features": "demo"}


def test_adapters_are_put_in_and_the_base_again(folder, clips, tmp_path):
    docs = [("Why?", clips[0], clips[0])]
    candidate = EmotionLlamaCandidate(pretrained=str(folder), device="cpu")
    before = logits(candidate, docs)
    backbone = loading.load(Path(folder), torch.device("cpu"), torch.float32, 1 << 20)
    settings = DpoSettings(tmp_path, tmp_path, str(folder), lora=Lora(rank=2), running=Running(device="cpu"))
    with adapters(settings, backbone) as adapted:
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.5)
        adapted.save_pretrained(tmp_path / "trained")
    backbone.close()
    candidate.put(tmp_path / "trained")
    assert not torch.allclose(logits(candidate, docs), before)
    candidate.put(Path(folder))
    assert torch.equal(logits(candidate, docs), before)


def test_embedded_weights_go_by_their_names(tmp_path):
    assert in_process.find("emotion_llama", "emotion_llama_nano").whole == str(embedded.EMOTION_LLAMA_NANO)
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "emotion_llama_nano"}')
    if embedded.EMOTION_LLAMA_NANO.is_dir():
        assert in_process.find("emotion_llama", str(tmp_path)) == in_process.Weights(
            str(embedded.EMOTION_LLAMA_NANO), tmp_path
        )
    assert embedded.weights_folder("emotion_llama_nano") == embedded.EMOTION_LLAMA_NANO
