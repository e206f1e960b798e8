"""Frames and waves come out of the processor as they do from the released preprocessing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_adapters.avere import AvereConfig, AvereProcessor
from model_adapters.avere.conversion import read_tokenizer

DATA = Path(__file__).parent / "data" / "avere_dev"
VIDEO = np.load(DATA / "frontend" / "video_transform.npz")
AUDIO = np.load(DATA / "frontend" / "audio_frontend.npz")


@pytest.fixture(scope="module")
def processor():
    config = AvereConfig(vision_config={"num_frames": 2}, text_config={"vocab_size": 384})
    return AvereProcessor(read_tokenizer(DATA / "dev"), config)


def close(actual, expected, tolerance):
    torch.testing.assert_close(torch.as_tensor(actual), torch.as_tensor(expected), atol=tolerance, rtol=0)


@pytest.mark.parametrize("clip", ["clip0", "clip1", "clip2"])
def test_frames(processor, clip):
    frames = VIDEO[f"{clip}/input_uint8_cthw"].transpose(1, 2, 3, 0)
    pixels = processor.pixel_values(frames).transpose(0, 1)
    assert pixels.shape == (3, 2, 224, 224)
    close(pixels[:, :, ::4, ::4], VIDEO[f"{clip}/plain_sub4"], 1e-5)
    close(pixels[:, :, 0], VIDEO[f"{clip}/plain_row0"], 1e-5)
    close(pixels.mean((2, 3)), VIDEO[f"{clip}/plain_mean_ct"], 1e-5)
    close(pixels.flip(-1)[:, :, ::16, ::16], VIDEO[f"{clip}/flipped_sub4"], 1e-5)


def summary(mel):
    return [float(value) for value in (mel.mean(), mel.std(correction=0), mel.min(), mel.max())]


@pytest.mark.parametrize("clip", ["stereo", "short_mono"])
def test_sounds(processor, clip):
    pcm = AUDIO[f"{clip}/pcm16"].astype(np.float32) / 32768
    mel = processor.input_features(pcm[:, 0] if pcm.ndim == 2 else pcm)
    assert mel.shape == (128, 3000)
    close(mel[:, :160], AUDIO[f"{clip}/mel_first160"], 1e-4)
    close(mel[:, -5:], AUDIO[f"{clip}/mel_last5"], 1e-4)
    np.testing.assert_allclose(summary(mel), AUDIO[f"{clip}/mel_mean_std_min_max"], atol=1e-4)


def test_a_sound_longer_than_the_window_is_cut(processor):
    amplitude, start, slope, count, rate = AUDIO["long_mono/chirp"]
    t = np.arange(int(count)) / rate
    wave = np.round(amplitude * np.sin(2 * np.pi * (start * t + slope * t * t)) * 32767) / 32768
    mel = processor.input_features(wave.astype(np.float32))
    close(mel[:, ::25], AUDIO["long_mono/mel_every25"], 1e-4)
    close(mel[:, -5:], AUDIO["long_mono/mel_last5"], 1e-4)
    np.testing.assert_allclose(summary(mel), AUDIO["long_mono/mel_mean_std_min_max"], atol=1e-4)
