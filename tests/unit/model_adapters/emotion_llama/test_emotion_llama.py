"""Emotion-LLaMA natively: the converter's checks, missing media, batches, and what the released LoRA is to peft."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoProcessor, HubertConfig, HubertModel

import emotion_llama_files
from model_adapters.avere.conversion import read_tokenizer
from model_adapters.emotion_llama import (
    EmotionLlamaConfig,
    EmotionLlamaForConditionalGeneration,
    EmotionLlamaProcessor,
)
from model_adapters.emotion_llama.conversion import convert

WAVE = np.random.RandomState(0).standard_normal(9000).astype(np.float32)
FRAMES = np.random.RandomState(1).randint(0, 255, (1, 40, 60, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def hubert(tmp_path_factory):
    """A folder with the audio encoder's released names."""
    folder = tmp_path_factory.mktemp("hubert")
    torch.manual_seed(0)
    model = HubertModel(HubertConfig(**emotion_llama_files.HUBERT))
    model.config.save_pretrained(folder)
    ends = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    state = model.state_dict()
    for new, old in ends.items():
        state = {key.replace(new, old): value for key, value in state.items()}
    torch.save(state, folder / "pytorch_model.bin")
    return folder, model.eval()


def converted(folder, audio=None, spelling="", change=None):
    files = emotion_llama_files.write(folder / "files", 1, spelling)
    if change:
        saved = torch.load(files / "checkpoint.pth", weights_only=True)
        change(saved["model"])
        torch.save(saved, files / "checkpoint.pth")
    paths = (files / "checkpoint.pth", files / "eva_vit_g.pth", files / "llama", audio)
    convert(*paths, folder / "out", **emotion_llama_files.sizes(1))
    return folder / "out"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, hubert):
    return converted(tmp_path_factory.mktemp("emotion_llama"), hubert[0])


@pytest.fixture(scope="module")
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def processor(folder):
    return AutoProcessor.from_pretrained(folder)


def test_both_spellings_of_peft_give_the_same_weights(folder, tmp_path):
    from safetensors.torch import load_file

    other = load_file(converted(tmp_path, spelling=".default") / "model.safetensors")
    weights = load_file(folder / "model.safetensors")
    assert any(name.endswith("q_proj.up.weight") for name in other)
    assert all(torch.equal(value, weights[name]) for name, value in other.items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.update(surprise=torch.zeros(1)), "no known part of the model (the first: surprise)"),
        (lambda state: state.pop("cls_tk_llama_proj.bias"), "1 tensors missing (the first, under its name here: clip_"),
        (lambda state: state.update({"llama_proj.bias": torch.zeros(3)}), "bias is (3,), the configs say (16,)"),
    ],
)  # fmt: skip
def test_a_checkpoint_with_other_keys_is_refused(change, said, tmp_path, capsys):
    with pytest.raises(SystemExit):
        converted(tmp_path, change=change)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_sound_is_the_mean_of_huberts_last_states(model, processor, hubert):
    inputs = processor.media(FRAMES, WAVE)
    expected = hubert[1](inputs["input_values"]).last_hidden_state.mean(1)
    given = processor.media(FRAMES, WAVE, torch.stack([torch.zeros_like(expected[0])] * 2 + [expected[0].detach()]))
    torch.testing.assert_close(model.encode(**inputs), model.encode(**given), atol=1e-5, rtol=0)
    silent = model.encode(**processor.media(FRAMES, None))
    changed = (silent - model.encode(**inputs)).abs().amax((0, 2))
    assert changed.nonzero().flatten().tolist() == [model.config.image_tokens + 2]


def test_a_batch_of_every_kind_of_clip_answers_as_each_alone(model, processor):
    asked = [(FRAMES, WAVE), (FRAMES, WAVE[:7000]), (None, WAVE), (FRAMES, None), None]
    prompts = [processor.prompt("Why?" * (1 + n), bool(clip), "reason") for n, clip in enumerate(asked)]
    clips = [clip for clip in asked if clip]
    together = processor(prompts, videos=[v for v, _ in clips], audio=[a for _, a in clips])
    logits = model(**together).logits[:, -1]
    for number, (prompt, clip) in enumerate(zip(prompts, asked, strict=True)):
        given = {"videos": [clip[0]], "audio": [clip[1]]} if clip else {}
        alone = model(**processor([prompt], **given)).logits[0, -1]
        torch.testing.assert_close(logits[number], alone, atol=1e-4, rtol=0)


def test_a_new_lora_leaves_the_released_one_frozen_and_begins_as_the_released_model(folder, processor):
    from peft import LoraConfig, get_peft_model

    released = AutoModelForCausalLM.from_pretrained(folder).eval()
    inputs = processor([processor.prompt("Why?", True, "reason")], videos=[FRAMES], audio=[WAVE])
    before = released(**inputs).logits
    wrapped = get_peft_model(released, LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    torch.testing.assert_close(wrapped(**inputs).logits, before)
    trainable = {name for name, value in wrapped.named_parameters() if value.requires_grad}
    assert trainable
    assert not any(".down." in name or ".up." in name for name in trainable)


def test_the_released_sizes():
    assert EmotionLlamaConfig().media_tokens == 260
    assert EmotionLlamaConfig(version=2).media_tokens == 448
    with pytest.raises(ValueError, match="version is 3"):
        EmotionLlamaConfig(version=3)


def test_slots_stand_where_the_placement_says(processor):
    processor.config.placement = "training"
    prompt = processor.prompt("Why?", True, "reason", subtitle="so what")
    ids = processor.encode_prompt(prompt)
    places = [place for place, one in enumerate(ids) if one == processor.config.media_token_id]
    assert np.diff(places).tolist().count(1) == len(places) - 2  # one gap, before the last four
    assert places[-4] - places[-5] > 1
    processor.config.placement = "released"
    assert ids.count(processor.tokenizer.bos_token_id) + 1 == processor.encode_prompt(prompt).count(
        processor.tokenizer.bos_token_id
    )
    with pytest.raises(ValueError, match="must not hold"):
        processor.prompt("<VideoHere>", True, "reason")


@pytest.fixture(scope="module")
def second():
    """Version 2 at small sizes with random weights."""
    torch.manual_seed(0)
    whisper = {"d_model": emotion_llama_files.AUDIO, "encoder_layers": 1, "encoder_attention_heads": 2}
    whisper |= {"encoder_ffn_dim": 16, "num_mel_bins": 8, "max_source_positions": 1500}
    text = {**emotion_llama_files.LLAMA, "initializer_range": 0.3}
    sizes = {"text_config": text, "whisper_config": whisper} | emotion_llama_files.sizes(2)
    config = EmotionLlamaConfig(version=2, lora_rank=4, placement="training", **sizes)
    tokenizer = read_tokenizer(emotion_llama_files.TOKENIZER)
    return EmotionLlamaForConditionalGeneration(config).eval(), EmotionLlamaProcessor(tokenizer, config)


@pytest.mark.parametrize("missing", ["audio", "video"])
def test_version_2_masks_exactly_the_tokens_of_what_is_missing(second, missing):
    model, processor = second
    frames, wave = (FRAMES.repeat(4, 0), None) if missing == "audio" else (None, WAVE)
    inputs = processor([processor.prompt("Why?", True, "emotion")], videos=[frames], audio=[wave])
    places = (inputs["input_ids"][0] == model.config.media_token_id).nonzero().flatten()
    assert len(places) == model.config.media_tokens
    hidden = [number for number, place in enumerate(places) if not inputs["attention_mask"][0, place]]
    pooled, end = model.config.pooled_tokens, model.config.media_tokens
    assert hidden == (list(range(end - pooled, end)) if missing == "audio" else list(range(pooled, end - pooled)))
    assert model(**inputs).logits.isfinite().all()
