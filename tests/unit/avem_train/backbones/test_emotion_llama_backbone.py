"""Emotion-LLaMA in training: the reference is the released model, its LoRA included; prompts are the harness's."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tiny_models
from avem_train.backbones import loading
from avem_train.backbones.base import UnreadableMedium
from avem_train.data.negatives import Medium
from avem_train.data.responses import Response, Source
from avem_train.dpo import logprobs, train
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Optimiser
from avem_train.dpo.termination import Termination
from avem_train.packing.tree import Packing
from chat_requests import requests_for
from model_adapters.emotion_llama.adapter import EmotionLlama, EmotionLlamaV2

CPU = torch.device("cpu")
QUESTION = "Is she sad? (A) Yes (B) No"


@pytest.fixture(scope="module")
def backbone(tiny_emotion_llama):
    loaded = loading.load(tiny_emotion_llama, CPU, torch.float32, 1 << 26)
    yield loaded
    loaded.close()


def released(folder, film, kind, answer, family=EmotionLlama, placement=None):
    """Summed log-probability (nats) of an answer and the closing token, by the harness's model of the folder."""
    model = family(pretrained=str(folder), device="cpu", placement=placement)
    doc = (QUESTION, film if "v" in kind else None, film if "a" in kind else None)
    asked = model.read_request(requests_for(model, [doc])[0])
    inputs = dict(model.inputs(asked.question, asked.clip)[0])
    ids = [*model.processor.encode_piece(answer), model.tokenizer.eos_token_id]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([ids])], 1)
    seen = torch.cat([inputs["attention_mask"], torch.ones(1, len(ids), dtype=torch.long)], 1)
    inputs |= {"attention_mask": seen, "position_ids": seen.cumsum(-1) - 1}
    with torch.inference_mode():
        logps = model.model(**inputs).logits[0].log_softmax(-1)[-len(ids) - 1 : -1]
    return float(logps.gather(-1, torch.tensor(ids)[:, None]).sum())


@pytest.mark.parametrize("kind", ["va", "v", "a", ""])
def test_the_reference_is_the_released_model(backbone, tiny_emotion_llama, clips, kind, tmp_path):
    """In training mode, dropout of the released LoRA included, with adapters that were moved and are switched off."""
    expected = released(tiny_emotion_llama, clips[1], kind, "yes tears")
    names = {"v": "video", "a": "audio"}
    sources = tuple(Source(names[letter], clips[1]) for letter in kind)
    asked = [Response(sources, QUESTION, "Yes, tears.".replace(",", ""))]
    settings = DpoSettings(tmp_path / "none", tmp_path / "out", str(tiny_emotion_llama), running=Running(device="cpu"))
    with train.adapters(settings, backbone) as model, torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        model.train()
        moved = float(logprobs.score(model, backbone, asked).total[0])
        with model.disable_adapter():
            reference = float(logprobs.score(model, backbone, asked).total[0])
    assert reference == pytest.approx(expected, abs=1e-5 * max(1.0, abs(expected)))
    assert abs(moved - expected) > 1e-3


@pytest.mark.parametrize("kind", ["va", "v", "a"])
def test_features_from_files_are_those_of_the_evaluation(tiny_emotion_llama, clips, kind, tmp_path):
    """The folder's config.json names them, for training and evaluation alike."""
    folder = shutil.copytree(tiny_emotion_llama, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    for place, name in enumerate(("mae_340_UTT", "maeV_399_UTT", "HL-UTT"), 1):
        (tmp_path / "features" / name).mkdir(parents=True)
        values = np.linspace(-place, place, config["feature_size"], dtype=np.float32)
        np.save(tmp_path / "features" / name / f"{Path(clips[1]).stem}.npy", values)
    without = released(folder, clips[1], kind, "yes tears")
    for file in ("config.json", "processor_config.json"):
        written = json.loads((folder / file).read_text())
        (written if file == "config.json" else written["config"])["features"] = str(tmp_path / "features")
        (folder / file).write_text(json.dumps(written))
    expected = released(folder, clips[1], kind, "yes tears")
    loaded = loading.load(folder, CPU, torch.float32, 1 << 26)
    sources = tuple(Source({"v": "video", "a": "audio"}[letter], clips[1]) for letter in kind)
    with torch.no_grad():
        found = float(logprobs.score(loaded.model, loaded, [Response(sources, QUESTION, "Yes tears")]).total[0])
        noise = Source("video", clips[1], Medium("random", seed=1))
        encoded = loaded.encode([(sources[0],), (noise,)])
        missing = Source(sources[0].kind, clips[0])
        with pytest.raises(UnreadableMedium, match="there is no such file"):
            loaded.encode([(missing,)])
    assert " features=files " in loaded.template
    loaded.close()
    assert found == pytest.approx(expected, abs=1e-5 * max(1.0, abs(expected)))
    assert abs(expected - without) > 1e-3
    assert not torch.allclose(encoded[noise][-3:], encoded[sources[0]][-3:]) or kind == "a"


def test_the_released_lora_counts_and_stays(backbone, clips, tmp_path, tiny_emotion_llama):
    """It is part of every value, and nothing of it is trained."""
    asked = [Response((Source("video", clips[0]),), QUESTION, "yes")]
    layers = [m for name, m in backbone.model.named_modules() if name.endswith(("q_proj", "v_proj"))]
    with torch.no_grad():
        whole = logprobs.score(backbone.model, backbone, asked).total
        scales = [layer.scale for layer in layers]
        for layer in layers:
            layer.scale = 0.0
        without = logprobs.score(backbone.model, backbone, asked).total
        for layer, scale in zip(layers, scales, strict=True):
            layer.scale = scale
    assert len(layers) == 2 * backbone.model.config.text_config.num_hidden_layers
    assert (whole - without).abs() > 1e-3
    settings = DpoSettings(tmp_path / "none", tmp_path / "out", str(tiny_emotion_llama), running=Running(device="cpu"))
    with train.adapters(settings, backbone) as model:
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained
    assert all("lora_" in name and ".down." not in name and ".up." not in name for name in trained)


def test_what_was_trained_answers_in_the_harness_also_when_training_was_ended(
    backbone, tiny_emotion_llama, preference_file, clips, tmp_path
):
    """Ended after its first update, the training goes on to the same weights; the harness computes what it computed."""
    from peft import PeftModel

    running = Running(device="cpu", save_every=0, tensorboard=False, reference=str(tmp_path / "kept"))
    fast = Optimiser(learning_rate=1e-2, batch=2, accumulation=1, steps=3)
    settings = DpoSettings(
        preference_file, tmp_path / "out", str(tiny_emotion_llama), optimiser=fast, running=running, merge=True
    )
    train.train(settings, backbone)
    ended, termination = replace(settings, out=tmp_path / "ended", merge=False), Termination()
    termination.requested = True
    with pytest.raises(SystemExit):
        train.train(ended, backbone, termination)
    assert train.train(ended, backbone).steps == 3
    wanted, found = (load_file(place / "adapter_model.safetensors") for place in (settings.out / "adapter", ended.out))
    assert all(torch.equal(value, found[name]) for name, value in wanted.items())
    adapted = PeftModel.from_pretrained(backbone.model, str(ended.out))
    with torch.no_grad():
        asked = [Response((Source("video", clips[1]), Source("audio", clips[1])), QUESTION, "yes tears")]
        expected = float(logprobs.score(adapted, backbone, asked).total[0])
    adapted.unload()
    for folder in (settings.out, ended.out):  # merged, and adapters alone
        assert released(folder, clips[1], "va", "yes tears") == pytest.approx(expected, abs=1e-4)
    assert abs(released(tiny_emotion_llama, clips[1], "va", "yes tears") - expected) > 1e-2


def test_responses_are_in_the_form_of_the_models_answers(backbone):
    same = backbone.response("yes the tears"), backbone.response('"Yes": the (tears).')
    assert same[0] == same[1]
    assert same[0][-1] == backbone.processor.tokenizer.eos_token_id


@pytest.mark.parametrize("kind", ["va", "v", "a", ""])
@pytest.mark.parametrize("placement", ["released", "training"])
def test_version_2_is_scored_as_the_harness_scores_it(second, clips, kind, placement):
    """Missing media too, whose tokens the training placement masks; of one picture with two sounds each is its own."""
    folder, loaded = second
    loaded.processor.config.placement = placement
    names = {"v": "video", "a": "audio"}
    sources = tuple(Source(names[letter], clips[1]) for letter in kind)
    asked = [Response(sources, QUESTION, "yes"), Response(sources[:-1], QUESTION, "yes")]
    if kind == "va":
        asked.append(Response((sources[0], Source("audio", clips[2])), QUESTION, "yes"))
    with torch.no_grad():
        packed, plain = (logprobs.score(loaded.model, loaded, asked, Packing(share)).total for share in (True, False))
    torch.testing.assert_close(packed, plain, atol=2e-5, rtol=1e-5)
    assert len({round(value, 3) for value in packed.tolist()}) == len(set(asked))
    expected = released(folder, clips[1], kind, "yes", EmotionLlamaV2, placement)
    assert float(packed[0]) == pytest.approx(expected, abs=1e-5 * max(1.0, abs(expected)))


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """Folder and backbone of version 2."""
    folder = tiny_models.emotion_llama(tmp_path_factory.mktemp("second"), version=2)
    loaded = loading.load(Path(folder), CPU, torch.float32, 1 << 26)
    yield folder, loaded
    loaded.close()


def test_the_harness_has_a_name_for_what_was_trained(second, tiny_emotion_llama, tiny_avere, tiny_omni):
    folders = (tiny_emotion_llama, second[0], tiny_avere, tiny_omni)
    names = ["emotion_llama", "emotion_llama_v2", "avere", "qwen2_5_omni_av"]
    assert [loading.evaluated_by(Path(folder)) for folder in folders] == names


def test_a_model_without_hubert_says_that_it_cannot_hear(backbone, clips, capsys):
    encoder = backbone._encoders.clip_encoder
    hubert, encoder.hubert = encoder.hubert, None
    try:
        with pytest.raises(SystemExit) as caught:
            backbone.encode([(Source("audio", clips[0], Medium("random", seed=1)),)])
    finally:
        encoder.hubert = hubert
    assert caught.value.code == 2
    assert "has no HuBERT and cannot hear" in capsys.readouterr().err
