"""Attention weights at the last position, for each family, against transformers' eager attention."""

import pytest
import torch

import tiny_models
from model_adapters.avere.adapter import AvereChat
from model_adapters.base import attention
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.requests import ClipQuestion
from model_adapters.emotion_llama import EmotionLlamaConfig
from model_adapters.emotion_llama.adapter import EmotionLlama, EmotionLlamaV2
from model_adapters.emotion_llama.attention import kinds_of
from model_adapters.in_process.audio_visual import Qwen3OmniAV, Qwen25OmniAV


def eager(model, inputs):
    """All weights of every layer, (layers, batch, heads, queries, keys)."""
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        return torch.stack(model(**inputs, output_attentions=True).attentions)


@pytest.mark.parametrize("family", ["avere", "qwen2_5_omni", "qwen3_omni"])
def test_shares_are_those_of_eager_attention(family, clips, tiny_avere, tmp_path):
    if family == "avere":
        adapter = AvereChat(pretrained=str(tiny_avere), device="cpu")
    else:
        kind = {"qwen2_5_omni": Qwen25OmniAV, "qwen3_omni": Qwen3OmniAV}[family]
        adapter = kind(pretrained=str(getattr(tiny_models, family)(tmp_path)), device="cpu")
    seen, run = [], adapter.model.forward

    def noting(**inputs):
        seen.append(inputs)
        return run(**inputs)

    adapter.model.forward = noting
    question = ClipQuestion(ClipFiles(clips[0], clips[0]), "Why? (A) tears (B) rain")
    found = adapter.attention_shares(question)
    adapter.model.forward = run
    inputs = seen[0]
    whole = eager(adapter.model, inputs)[:, 0, :, -1]
    ids, config = inputs["input_ids"][0], adapter.model.config
    by_hand = [whole[..., ids == token].sum(-1) for token in (config.video_token_id, config.audio_token_id)]
    assert all((part > 0).all() for part in by_hand)
    assert found.shape == (*whole.shape[:2], 2)
    torch.testing.assert_close(found, torch.stack(by_hand, -1), atol=1e-5, rtol=0)
    assert not torch.allclose(found[0], found[1], atol=1e-3)  # so that exchanged layers would be seen


@pytest.mark.parametrize(("kind", "version"), [(EmotionLlama, 1), (EmotionLlamaV2, 2)])
def test_emotion_llama_is_read_too(kind, version, clips, tmp_path):
    adapter = kind(pretrained=str(tiny_models.emotion_llama(tmp_path, version)), device="cpu")
    question = ClipQuestion(ClipFiles(clips[0], clips[0]), "Why? (A) tears (B) rain")
    found = adapter.attention_shares(question)
    inputs = adapter.batch([adapter.inputs(question, question.clip)[0]])
    whole = eager(adapter.model, inputs)[:, 0, :, -1]
    config, ids = adapter.model.config, inputs["input_ids"][0]
    first = int((ids == config.media_token_id).int().argmax())
    if version == 1:  # image, MAE, VideoMAE; sound; CLS
        sound = whole[..., first + config.image_tokens + 2]
        seen = whole[..., first : first + config.media_tokens].sum(-1) - sound
    else:  # fusion; image and video; sound
        pooled = config.pooled_tokens
        sound = whole[..., first + config.media_tokens - pooled : first + config.media_tokens].sum(-1)
        seen = whole[..., first + pooled : first + config.media_tokens - pooled].sum(-1)
    torch.testing.assert_close(found, torch.stack([seen, sound], -1), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="0 media tokens"):
        adapter.attention_shares(ClipQuestion(ClipFiles(None, None), "Why?"))


def test_the_fusion_of_version_2_is_neither_picture_nor_sound():
    tower = {"image_size": 56, "patch_size": 14}
    config = EmotionLlamaConfig(version=2, vision_config=tower, video_config=tower, pooled_tokens=3)
    text = torch.ones(2, dtype=torch.long)
    found = kinds_of(torch.cat([text, torch.full((13,), config.media_token_id), text]), config)
    assert found.tolist() == [0] * 2 + [0] * 3 + [1] * 4 + [1] * 3 + [2] * 3 + [0] * 2


def test_padding_and_positions(tiny_avere):
    """Two prompts of different length in one batch, padded on the left; three positions."""
    from model_adapters.avere import AvereForConditionalGeneration

    model = AvereForConditionalGeneration.from_pretrained(tiny_avere).eval()
    ids = torch.arange(5, 17).view(2, 6)
    inputs = {"input_ids": ids, "attention_mask": torch.tensor([[1] * 6, [0, 0, 1, 1, 1, 1]])}
    with torch.inference_mode(), attention.watched(model, (3, 4, -1)) as found:
        model(**inputs)
    whole = eager(model, inputs)
    torch.testing.assert_close(torch.stack([found[0], found[1]]), whole[:2, :, :, [3, 4, 5]], atol=1e-5, rtol=0)
    plain = attention.weights(torch.ones(1, 2, 3, 4), torch.ones(1, 1, 5, 4), torch.tensor([[0, 1, 1, 1, 1]]), 1, (0,))
    assert plain[0, 0, 0].tolist() == pytest.approx([0, 0.5, 0.5, 0, 0])  # the first of the last three of five
    with pytest.raises(ValueError, match="no decoder"):
        attention.attentions(torch.nn.Linear(1, 1))
