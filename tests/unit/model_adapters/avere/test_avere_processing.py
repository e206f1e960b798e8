"""Prompts, ids and media of the processor."""

from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaTokenizer

from model_adapters.avere import AvereConfig, AvereProcessor, from_released_ids, processing
from model_adapters.avere.conversion import read_tokenizer

TOKENIZER = Path(__file__).parents[3] / "golden" / "data" / "avere_dev" / "dev"
CONFIG = AvereConfig(
    text_config={"vocab_size": 384},
    vision_config={"image_size": 96, "patch_size": 24, "num_frames": 3},
    audio_config={"window_seconds": 4, "num_mel_bins": 40},
    max_sequence_length=100,
)
PROCESSOR = AvereProcessor(read_tokenizer(TOKENIZER), CONFIG)
PIECES = sentencepiece.SentencePieceProcessor(str(TOKENIZER / "tokenizer.model"))
TEXT = st.text(st.sampled_from("abe AYNo\n\t.,()?é漢😀▁'"), max_size=20)


def test_a_tokenizer_model_loads(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes((TOKENIZER / "tokenizer.model").read_bytes())
    tokenizer = LlamaTokenizer.from_pretrained(tmp_path)
    assert tokenizer.encode("Is it anger?", add_special_tokens=False) == PIECES.encode("Is it anger?")


@given(TEXT)
def test_text_comes_out_as_sentencepiece_itself_writes_it(text):
    assert PROCESSOR.encode_prompt(text) == [1, *PIECES.encode(text.replace("▁", " "))]


@given(st.lists(st.tuples(TEXT, st.sampled_from(["<image>", "<audio>"]))), TEXT)
def test_pieces_between_tags_are_tokenised_alone(tagged, last):
    placeholders = {"<image>": [384] * 17, "<audio>": [385] * 11}
    wanted = [1]
    for piece, tag in tagged:
        wanted += PIECES.encode(piece.replace("▁", " ")) + placeholders[tag]
    wanted += PIECES.encode(last.replace("▁", " "))
    assert PROCESSOR.encode_prompt("".join(piece + tag for piece, tag in tagged) + last) == wanted


@pytest.mark.parametrize(
    ("video", "audio", "media"),
    [(True, True, "<image><image><image>\n<audio>\n"), (True, False, "<image>" * 3 + "\n"), (False, True, "<audio>\n"),
     (False, False, "")],
)  # fmt: skip
def test_prompt(video, audio, media):
    prompt = PROCESSOR.prompt("Why? (A) x (B) y", video=video, audio=audio)
    assert prompt.startswith("A chat between a curious human and an artificial intelligence assistant. ")
    assert prompt.endswith(f" the human's questions. USER: {media}Why? (A) x (B) y ASSISTANT:")


def test_a_tag_in_a_question_is_refused():
    with pytest.raises(ValueError, match="must not hold <image> or <audio>"):
        PROCESSOR.prompt("What is <audio>?", video=True, audio=False)


def test_padding_sides():
    left, right = (PROCESSOR(["Why?", "Why is she so sad?"], padding_side=side) for side in ("left", "right"))
    short, long = (len(PROCESSOR.encode_prompt(text)) for text in ("Why?", "Why is she so sad?"))
    assert left["attention_mask"].tolist() == [[0] * (long - short) + [1] * short, [1] * long]
    assert right["attention_mask"].tolist() == [[1] * short + [0] * (long - short), [1] * long]
    assert left["input_ids"][0, long - short :].tolist() == right["input_ids"][0, :short].tolist()
    assert set(left) == {"input_ids", "attention_mask"}


@given(st.integers(20, 200), st.integers(20, 200))
def test_any_frame_size_becomes_the_models(height, width):
    pixels = PROCESSOR.pixel_values(np.full((3, height, width, 3), 255, np.uint8))
    assert pixels.shape == (3, 3, 96, 96)
    white = torch.tensor([(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711])
    torch.testing.assert_close(pixels, white[:, None, None].expand_as(pixels), atol=1e-5, rtol=0)


def test_the_centre_of_a_wide_frame_is_kept():
    frames = np.zeros((3, 96, 192, 3), np.uint8)
    frames[:, :, 48:144] = 255
    pixels = PROCESSOR.pixel_values(frames)
    assert (pixels > 0).all()


@pytest.mark.parametrize("width", [224, 230, 320])
def test_pixels_are_those_of_the_released_order(width):
    """Normalise, resize, crop. At 230 the long side rounds down to 229 though the short one is as it should be."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 224, width, 3), np.uint8)
    mean, std = (torch.tensor(three)[:, None, None] for three in (processing._MEAN, processing._STD))
    released = (torch.from_numpy(frames).permute(0, 3, 1, 2) / 255 - mean) / std
    wide = int(width / 224 * 224)
    released = torch.nn.functional.interpolate(released, size=(224, wide), mode="bilinear", align_corners=False)
    left = round((wide - 224) / 2)
    pixels = AvereProcessor(PROCESSOR.tokenizer, AvereConfig()).pixel_values(frames)
    torch.testing.assert_close(pixels, released[..., left : left + 224], atol=1e-5, rtol=0)


def test_waves_are_padded_and_cut_to_the_window():
    wave = np.random.default_rng(0).normal(0, 0.1, 6 * 16000).astype(np.float32)
    assert PROCESSOR.input_features(wave[:100]).shape == (40, 400)
    assert torch.equal(PROCESSOR.input_features(wave), PROCESSOR.input_features(wave[: 4 * 16000]))


def test_an_empty_wave_is_refused():
    with pytest.raises(ValueError, match="no samples"):
        PROCESSOR.input_features(np.zeros(0, np.float32))


def test_released_ids_are_expanded():
    ids = torch.tensor([[1, 7, -200, -300, 8, 9, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 8])
    labels = torch.tensor([[-100, -100, 5, 5, 8, 9, -100, -100], [-100, 2, 3, 4, 5, 6, 7, 8]])
    expanded = from_released_ids(CONFIG, ids, mask, labels)
    assert expanded["input_ids"][0].tolist() == [1, 7] + [384] * 17 + [385] * 11 + [8, 9]
    assert expanded["labels"][0].tolist() == [-100] * 30 + [8, 9]
    assert expanded["attention_mask"].sum(1).tolist() == [32, 8]
    assert expanded["input_ids"][1].tolist() == [1, 2, 3, 4, 5, 6, 7, 8] + [0] * 24
    assert expanded["labels"][1].tolist() == [-100, 2, 3, 4, 5, 6, 7, 8] + [-100] * 24
    assert set(from_released_ids(CONFIG, ids, mask)) == {"input_ids", "attention_mask"}


def test_released_ids_are_cut_behind_the_media_only():
    ids = torch.tensor([[1, -300, *range(2, 120)]])
    assert from_released_ids(CONFIG, ids)["input_ids"].shape == (1, 100)
    with pytest.raises(ValueError, match="do not fit in 100 tokens"):
        from_released_ids(CONFIG, torch.tensor([[1] * 95 + [-300, 2]]))
