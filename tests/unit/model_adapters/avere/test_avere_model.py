"""The model at a nano size: batches, caches, masks, precision, saving."""

from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoProcessor,
    DynamicCache,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from model_adapters.avere import AvereConfig, AvereForConditionalGeneration, AvereModel, AvereProcessor
from model_adapters.avere.conversion import read_tokenizer
from model_adapters.avere.modeling import CACHE

TOKENIZER = Path(__file__).parents[3] / "golden" / "data" / "avere_dev" / "dev"


def nano(**changes):
    """Two layers everywhere, 3 frames of 96 x 96, a window of 4 s."""
    heads = {"num_hidden_layers": 2, "num_attention_heads": 4}
    parts = {
        "text_config": {"vocab_size": 384, "hidden_size": 64, "intermediate_size": 112, "pad_token_id": 0, **heads},
        "vision_config": {
            "image_size": 96, "patch_size": 24, "num_frames": 3, "hidden_size": 128, "intermediate_size": 256, **heads
        },
        "audio_config": {
            "window_seconds": 4, "num_mel_bins": 40, "d_model": 128, "encoder_layers": 2, "encoder_attention_heads": 4,
            "encoder_ffn_dim": 256,
        },
        "qformer_config": {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4},
        "vision_feature_layer": -1,
    }  # fmt: skip
    return AvereConfig(**parts | changes)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = AvereForConditionalGeneration(nano()).eval().requires_grad_(False)
    for weight in model.parameters():
        weight.mul_(3)  # fresh weights are too small to tell one clip from another
    return model


@pytest.fixture(scope="module")
def processor():
    return AvereProcessor(read_tokenizer(TOKENIZER), nano())


@pytest.fixture(scope="module")
def clips():
    draw = np.random.default_rng(0)
    frames = [draw.integers(0, 256, (3, 72, 100, 3), dtype=np.uint8) for _ in range(2)]
    return frames, [draw.normal(0, 0.1, size).astype(np.float32) for size in (20000, 100000)]


@pytest.fixture(scope="module")
def asked(clips):
    """(question, frames or None, wave or None): both, video only, audio only, both again, neither."""
    frames, waves = clips
    return [
        ("Is the person happy?", frames[0], waves[0]),
        ("What do you see? (A) joy (B) anger", frames[1], None),
        ("Who?", None, waves[1]),
        ("Is the voice of this person angry or is it calm?", frames[1], waves[1]),
        ("Well?", None, None),
    ]


def batch(processor, asked, **options):
    prompts = [processor.prompt(text, video is not None, wave is not None) for text, video, wave in asked]
    videos = [video for _, video, _ in asked if video is not None]
    waves = [wave for *_, wave in asked if wave is not None]
    return processor(prompts, videos=videos, audio=waves, **options)


def close(actual, expected, tolerance):
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_left_padded_mixed_batch_equals_single_samples(model, processor, asked, implementation):
    model.set_attn_implementation(implementation)
    together = batch(processor, asked)
    logits = model(**together, logits_to_keep=1).logits
    answers = model.generate(**together, max_new_tokens=6, min_new_tokens=6, do_sample=False)[:, -6:]
    for row, sample in enumerate(asked):
        alone = batch(processor, [sample])
        close(logits[row], model(**alone, logits_to_keep=1).logits[0], 1e-4)
        answer = model.generate(**alone, max_new_tokens=6, min_new_tokens=6, do_sample=False)[0, -6:]
        assert torch.equal(answers[row], answer)
    model.set_attn_implementation("sdpa")


def test_every_part_follows_attn_implementation(model, processor, asked):
    calls = Counter()

    def probe(module, *tensors, **options):
        calls[type(module).__name__] += 1
        return sdpa_attention_forward(module, *tensors, **options)

    AttentionInterface.register("probe", probe)
    AttentionMaskInterface.register("probe", sdpa_mask)
    inputs = batch(processor, asked)
    wanted = model(**inputs).logits
    model.set_attn_implementation("probe")
    assert torch.equal(model(**inputs).logits, wanted)
    model.set_attn_implementation("sdpa")
    # two layers each: CLIP over space and time, the Q-Former with itself and with the sound
    assert calls == {
        "CLIPAttention": 4, "WhisperAttention": 2, "Blip2QFormerMultiHeadAttention": 4, "LlamaAttention": 2
    }  # fmt: skip


def test_clips_matter(model, processor, asked):
    inputs = batch(processor, asked[:1])
    seen = model(**inputs, logits_to_keep=1).logits
    for name in ("pixel_values_videos", "input_features"):
        changed = model(**inputs | {name: -inputs[name]}, logits_to_keep=1).logits
        assert (changed - seen).abs().max() > 1e-3


def test_features_in_place_of_media(model, processor, asked):
    inputs = batch(processor, asked)
    wanted = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    video = model.get_video_features(inputs.pop("pixel_values_videos"))
    audio = model.get_audio_features(inputs.pop("input_features"))
    assert video.shape == (3, 3 * 17, 64)
    assert audio.shape == (3, 11, 64)
    features = {"video_features": video, "audio_features": audio}
    assert torch.equal(model.generate(**inputs, **features, max_new_tokens=5, do_sample=False), wanted)
    without_cache = model.generate(**inputs, **features, max_new_tokens=5, do_sample=False, use_cache=False)
    assert torch.equal(without_cache, wanted)


def test_several_beams(model, processor, asked):
    inputs = batch(processor, asked[:3])
    together = model.generate(**inputs, max_new_tokens=4, min_new_tokens=4, num_beams=2, do_sample=False)[:, -4:]
    for row, sample in enumerate(asked[:3]):
        alone = batch(processor, [sample])
        beams = model.generate(**alone, max_new_tokens=4, min_new_tokens=4, num_beams=2, do_sample=False)
        assert torch.equal(together[row], beams[0, -4:])


def test_saved_and_loaded_through_the_auto_classes(model, processor, asked, tmp_path):
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(again, AvereProcessor)
    assert again.config.to_dict() == processor.config.to_dict()
    loaded, report = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    assert isinstance(loaded, AvereForConditionalGeneration)
    assert isinstance(AutoModel.from_pretrained(tmp_path), AvereModel)
    config = AutoConfig.from_pretrained(tmp_path)
    assert (config.video_tokens, config.audio_tokens) == (51, 11)
    inputs = batch(again, asked)
    assert all(torch.equal(inputs[name], value) for name, value in batch(processor, asked).items())
    assert torch.equal(loaded.eval()(**inputs).logits, model(**inputs).logits)


def test_bfloat16(model, processor, asked, tmp_path):
    model.save_pretrained(tmp_path)
    half = AvereForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    assert {weight.dtype for weight in half.parameters()} == {torch.bfloat16}
    inputs = batch(processor, asked)
    logits = half(**inputs).logits
    assert logits.dtype == torch.bfloat16
    assert logits[inputs["attention_mask"].bool()].isfinite().all()
    assert half.generate(**inputs, max_new_tokens=3, do_sample=False).shape[0] == len(asked)


def test_training_step(processor, asked):
    torch.manual_seed(0)
    model = AvereForConditionalGeneration(nano())
    inputs = batch(processor, asked, padding_side="right")
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    labels = labels.masked_fill(labels >= 384, -100)
    model.train()(**inputs, labels=labels).loss.backward()
    unused = {name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None}
    assert not unused
    assert model.model.video_tower.layers[0].temporal_embedding.grad.abs().max() > 0


@pytest.fixture(scope="module")
def shared(model, processor, clips):
    """Media, ids of three questions about them, how many first ids are shared, each question's own logits, alone."""
    questions = ("Is she sad?", "What is the emotion of the person in the clip? (A) joy (B) fear", "Why?")
    rows = [processor.encode_prompt(processor.prompt(question, video=True, audio=True)) for question in questions]
    length = max(index for index in range(min(map(len, rows))) if len({tuple(row[:index]) for row in rows}) == 1)
    media = {
        "pixel_values_videos": processor.pixel_values(clips[0][0])[None],
        "input_features": processor.input_features(clips[1][0])[None],
    }
    return media, rows, length, [model(input_ids=torch.tensor([row]), **media).logits[0, length:] for row in rows]


class TestSharedPrefix:
    def test_branches_of_one_packed_sequence(self, model, shared):
        """prefix | branch | branch: a branch sees the prefix and itself, and its positions go on from the prefix."""
        media, rows, length, logits = shared
        branches = [row[length:] for row in rows]
        ids = torch.tensor([[*rows[0][:length], *chain.from_iterable(branches)]])
        owner = torch.tensor([0] * length + [1 + i for i, branch in enumerate(branches) for _ in branch])
        visible = (owner[:, None] == owner) | (owner == 0)
        mask = torch.zeros(1, 1, len(owner), len(owner)).masked_fill(~visible.tril(), torch.finfo(torch.float32).min)
        positions = torch.cat([torch.arange(length)] + [length + torch.arange(len(branch)) for branch in branches])
        packed = model(input_ids=ids, attention_mask=mask, position_ids=positions[None], **media).logits[0]
        for number, alone in enumerate(logits, 1):
            close(packed[owner == number], alone, 1e-5)

    def test_one_cache_repeated_for_padded_suffixes(self, model, shared):
        """The prefix is run once; its cache is repeated for every suffix, and suffixes are padded on the left."""
        media, rows, length, logits = shared
        cache = DynamicCache()
        model(input_ids=torch.tensor([rows[0][:length]]), cache=cache, use_cache=True, **media)
        cache.batch_repeat_interleave(len(rows))
        suffixes = [row[length:] for row in rows]
        width = max(map(len, suffixes))
        ids = torch.tensor([[0] * (width - len(suffix)) + suffix for suffix in suffixes])
        mask = torch.tensor([[0] * (width - len(suffix)) + [1] * len(suffix) for suffix in suffixes])
        positions = length + (mask.cumsum(1) - 1).clamp(min=0)
        mask = torch.cat([torch.ones(len(rows), length, dtype=torch.long), mask], 1)
        output = model(input_ids=ids, attention_mask=mask, position_ids=positions, cache=cache)
        for row, alone in enumerate(logits):
            close(output.logits[row, width - len(alone) :], alone, 1e-5)

    @pytest.mark.parametrize("name", ["cache", "past_key_values"])
    def test_the_cache_has_either_name(self, model, shared, name):
        """transformers 5.24 renamed it: what was written for either version gives the same logits."""
        media, rows, length, logits = shared
        cache = DynamicCache()
        model(input_ids=torch.tensor([rows[0][:length]]), use_cache=True, **media, **{name: cache})
        assert cache.get_seq_length() == length
        output = model(input_ids=torch.tensor([rows[0][length:]]), **{name: cache})
        close(output.logits[0], logits[0], 1e-5)

    def test_two_caches_are_refused(self, model):
        with pytest.raises(ValueError, match="give either past_key_values or cache"):
            model(input_ids=torch.tensor([[1]]), cache=DynamicCache(), past_key_values=DynamicCache())

    def test_generate_goes_on_from_a_cache(self, model, shared):
        """`generate` takes the whole ids and the cache of their beginning; the media are in the cache already."""
        media, rows, length, _ = shared
        cache = DynamicCache()
        model(input_ids=torch.tensor([rows[1][:length]]), cache=cache, use_cache=True, **media)
        whole = torch.tensor([rows[1]])
        wanted = model.generate(whole, **media, max_new_tokens=5, do_sample=False)
        answer = model.generate(whole, **{CACHE: cache}, max_new_tokens=5, do_sample=False)
        assert torch.equal(answer, wanted)


class TestMistakes:
    def test_media_without_placeholders(self, model, processor, asked):
        inputs = batch(processor, asked[:1])
        inputs["input_ids"] = inputs["input_ids"][:, -5:]
        inputs["attention_mask"] = inputs["attention_mask"][:, -5:]
        with pytest.raises(ValueError, match="0 video placeholders, the video features are 51"):
            model(**inputs)

    def test_placeholders_without_media(self, model, processor, asked):
        inputs = batch(processor, asked[:1])
        del inputs["input_features"]
        with pytest.raises(ValueError, match="11 audio placeholders, the audio features are 0"):
            model(**inputs)

    def test_media_twice(self, model, processor, asked):
        inputs = batch(processor, asked[:1])
        features = model.get_video_features(inputs["pixel_values_videos"])
        with pytest.raises(ValueError, match="either pixel_values_videos or video_features"):
            model(**inputs, video_features=features)

    def test_wrong_number_of_frames(self, model):
        with pytest.raises(ValueError, match="clips of 3 frames, not of 8"):
            model.get_video_features(torch.zeros(1, 8, 3, 96, 96))


def test_released_sizes_are_the_defaults():
    config = AvereConfig()
    assert (config.video_tokens, config.audio_tokens, config.vision_layers_run) == (2056, 88, 23)
    assert (config.video_token_id, config.audio_token_id) == (32000, 32001)
