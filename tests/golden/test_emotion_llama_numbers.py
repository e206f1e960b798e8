"""What the released Emotion-LLaMA codes computed on small random weights, from the converted files (float32)."""

from pathlib import Path

import numpy as np
import pytest
import torch

import emotion_llama_files
from model_adapters.emotion_llama import EmotionLlamaForConditionalGeneration, EmotionLlamaProcessor
from model_adapters.emotion_llama.conversion import convert

DATA = Path(__file__).parent / "data" / "emotion_llama_dev"
QUESTIONS = {
    1: (
        ("Why is she sad?  (A) tears (B) rain", "reason", None),
        ("Which emotion, do you think?", "emotion", "so what."),
    ),
    2: (("Why is she sad?  (A) tears", "emotion", None), (" Who?", "emotion", None)),
}
ANSWERS = ("because of tears", "sad")


def whisper(folder):
    """A folder of version 2's audio encoder, which the released model does not hold."""
    from transformers import WhisperConfig, WhisperModel

    small = {"d_model": emotion_llama_files.AUDIO, "encoder_layers": 1, "decoder_layers": 1, "num_mel_bins": 8}
    small |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    ids = {"vocab_size": 20, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    WhisperModel(WhisperConfig(**small, **ids, max_source_positions=64)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=[1, 2])
def released(request, tmp_path_factory):
    """Version, model, processor, the released code's numbers."""
    version, folder = request.param, tmp_path_factory.mktemp("emotion_llama")
    files = emotion_llama_files.write(folder / "files", version)
    audio = whisper(folder / "whisper") if version == 2 else None
    paths = (files / "checkpoint.pth", files / "eva_vit_g.pth", files / "llama", audio)
    convert(*paths, folder / "out", **emotion_llama_files.sizes(version))
    model = EmotionLlamaForConditionalGeneration.from_pretrained(folder / "out").eval().requires_grad_(False)
    stored = np.load(DATA / f"version_{version}.npz")
    numbers = {name: torch.from_numpy(stored[name]) for name in stored}
    return version, model, EmotionLlamaProcessor.from_pretrained(folder / "out"), numbers


@pytest.fixture(scope="module")
def media(released):
    """The media embeddings of both clips: the inputs are drawn as the released code's were."""
    version, model, _, _ = released
    drawn, size = emotion_llama_files.Drawn(7), emotion_llama_files.SIDE
    image = drawn(2, 3, size, size, scale=1.0)
    if version == 1:
        return image, model.encode(
            pixel_values=image, clip_features=drawn(2, 3, emotion_llama_files.FEATURE, scale=1.0)
        )
    video = drawn(2, 64, emotion_llama_files.WIDTH, scale=1.0)
    audio = drawn(2, 64, emotion_llama_files.AUDIO, scale=1.0)
    return image, model.clip_encoder.join(model.clip_encoder.image(image), video, audio)


def close(actual, expected, tolerance=1e-4):
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


def prompts(released):
    version, _, processor, _ = released
    return [processor.prompt(text, True, task, subtitle) for text, task, subtitle in QUESTIONS[version]]


def placed(processor, placement):
    processor.config.placement = placement
    return processor


def test_image_tower_and_every_token_of_a_clip(released, media):
    _, model, _, numbers = released
    image, embeddings = media
    close(model.clip_encoder.image(image), numbers["image"])
    close(embeddings, numbers["media"])
    assert embeddings.shape[1] == model.config.media_tokens


def test_fusion(released):
    version, model, _, numbers = released
    if version == 2:
        drawn = emotion_llama_files.Drawn(7)
        drawn(2, 3, emotion_llama_files.SIDE, emotion_llama_files.SIDE)
        video = drawn(2, 64, emotion_llama_files.WIDTH, scale=1.0)
        audio = drawn(2, 64, emotion_llama_files.AUDIO, scale=1.0)
        cls = numbers["image"][:, :1].expand(-1, 64, -1)
        close(model.clip_encoder.fusion((audio, cls, video)), numbers["fusion"])


@pytest.mark.parametrize("number", [0, 1])
def test_ids_embeddings_and_logits_of_a_prompt(released, media, number):
    _, model, processor, numbers = released
    ids = placed(processor, "released").encode_prompt(prompts(released)[number])
    slot = ids.index(model.config.media_token_id)
    count = ids.count(model.config.media_token_id)
    assert [*ids[:slot], -1, *ids[slot + count :]] == numbers[f"released/{number}/ids"].tolist()
    embeddings = model.merge(torch.tensor([ids]), media[1][number : number + 1])
    close(embeddings, numbers[f"released/{number}/embeddings"])
    output = model(input_ids=torch.tensor([ids]), media_embeds=media[1][number : number + 1])
    close(output.logits, numbers[f"released/{number}/logits"])


def test_loss_and_logits_of_training(released, media):
    """Padded on the right, as released; each answer is a piece of its own and ends in </s>."""
    _, model, processor, numbers = released
    asked = [placed(processor, "training").encode_prompt(prompt) for prompt in prompts(released)]
    answers = [processor.encode_piece(answer + "</s>") for answer in ANSWERS]
    mask, labels = numbers["training/attention_mask"].bool(), numbers["training/labels"]
    ids = torch.zeros_like(labels)
    for row, (question, answer) in enumerate(zip(asked, answers, strict=True)):
        ids[row, : len(question) + len(answer)] = torch.tensor([*question, *answer])
        assert mask[row].sum() == len(question) + len(answer)
        assert labels[row][labels[row] != -100].tolist() == answer
    output = model(input_ids=ids, attention_mask=mask.long(), labels=labels, media_embeds=media[1])
    close(output.logits[mask], numbers["training/logits"][mask])
    close(output.loss, numbers["training/loss"])


@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_answers_of_a_batch_padded_on_the_left(released, media, use_cache):
    from model_adapters.avere.processing import pad

    _, model, processor, numbers = released
    rows = [placed(processor, "released").encode_prompt(prompt) for prompt in prompts(released)]
    inputs = pad(rows, 0)
    new = model.generate(**inputs, media_embeds=media[1], max_new_tokens=6, do_sample=False, use_cache=use_cache)
    expected = numbers["generated"]
    new = new[:, inputs["input_ids"].shape[1] :]
    assert expected[:, -new.shape[1] :].tolist() == new.tolist()
