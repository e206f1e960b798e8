import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from emorealm_tasks import media
from emorealm_tasks.media import MediaError, probe, read_audio, read_frames, separate_wav
from media_files import cut


@pytest.fixture(scope="module")
def clip(make_clip, tmp_path_factory) -> Path:
    return make_clip(tmp_path_factory.mktemp("media") / "clip.mp4", seconds=3, fps=12, size=96)


def dominant_frequency(wave: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() * rate / len(wave))


def test_probe_tells_what_is_in_the_file(clip):
    info = probe(clip)
    assert (info.frames, info.fps, info.width, info.height, info.audio_rate) == (36, 12.0, 96, 96, 16000)
    assert info.has_video
    assert info.has_audio
    assert info.seconds == pytest.approx(3.0, abs=0.1)


def test_probe_of_a_wav(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(24000), 16000)
    info = probe(tmp_path / "a.wav")
    assert (info.has_video, info.has_audio, info.frames, info.audio_rate) == (False, True, 0, 16000)
    assert info.seconds == pytest.approx(1.5)


def test_probe_of_a_silent_clip(make_clip, tmp_path):
    info = probe(make_clip(tmp_path / "mute.mp4", sound=False))
    assert (info.has_video, info.has_audio, info.audio_rate) == (True, False, 0)


@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_frames_are_the_released_ones_in_order_with_their_times(clip, monkeypatch, backend):
    if backend == "decord":
        pytest.importorskip("decord", reason="decord has no wheels for this platform")
    monkeypatch.setenv("EMOREALM_DECODER", backend)
    frames, times = read_frames(clip, 8)
    expected = np.array([0, 5, 10, 15, 20, 25, 30, 35])  # linspace(0, 35, 8) cut to int
    assert frames.shape == (8, 96, 96, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_allclose(frames[:, 48, 48].astype(int), (16 + 4 * expected)[:, None].repeat(3, 1), atol=2)
    np.testing.assert_allclose(times, expected / 12, atol=1e-3)


LAYOUTS = {
    "plain": {},
    "released rate": {"fps": 24},
    "25 fps, larger": {"fps": 25, "seconds": 3, "size": 224},
    "odd macroblocks": {"fps": 30, "size": 98},
    "index in front": {"fps": 24, "size": 130, "faststart": True},
    "silent": {"fps": 24, "sound": False},
    "short, stereo": {"fps": 24, "seconds": 0.5, "rate": 44100, "channels": 2},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_decoders_give_the_same_frames_and_times(make_clip, tmp_path, monkeypatch, layout):
    pytest.importorskip("decord", reason="decord has no wheels for this platform")
    path = make_clip(tmp_path / "clip.mp4", **LAYOUTS[layout])
    for count in (1, 8, 33):
        monkeypatch.setenv("EMOREALM_DECODER", "pyav")
        frames, times = read_frames(path, count)
        monkeypatch.setenv("EMOREALM_DECODER", "decord")
        others, their_times = read_frames(path, count)
        np.testing.assert_array_equal(frames, others)
        np.testing.assert_allclose(times, their_times, atol=1e-6)


def test_a_short_clip_repeats_frames(make_clip, tmp_path):
    frames, times = read_frames(make_clip(tmp_path / "short.mp4", seconds=0.25, fps=12), 8)
    np.testing.assert_allclose(times * 12, [0, 0, 0, 0, 1, 1, 1, 2], atol=1e-3)
    assert len(frames) == 8


def test_a_cut_clip_is_sampled_over_the_frames_that_decode(make_clip, tmp_path):
    whole = make_clip(tmp_path / "whole.mp4", seconds=3, fps=12, faststart=True)
    short = cut(whole, tmp_path / "cut.mp4", 0.6)
    assert probe(short).frames == 36  # the container still promises them all
    frames, times = read_frames(short, 8)
    assert 0.5 < times[-1] < 2.5
    np.testing.assert_allclose(frames[:, 48, 48, 0], 16 + 4 * np.round(times * 12), atol=2)


READERS = {"probe": probe, "audio": read_audio, "frames": lambda path: read_frames(path, 8)}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("content", [b"", b"\x00\x01garbage" * 500, None], ids=["empty", "corrupt", "missing"])
@pytest.mark.parametrize("name", ["bad.mp4", "bad.wav"])
def test_unusable_files_are_named_with_a_remedy(tmp_path, reader, content, name):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError, match=rf"{name}: .*; (copy|check|extract)") as caught:
        reader(path)
    assert "\n" not in str(caught.value)


def test_a_clip_cut_before_its_index_is_unusable(clip, tmp_path):
    with pytest.raises(MediaError, match="cannot be decoded"):
        read_frames(cut(clip, tmp_path / "headless.mp4", 0.5), 8)


def test_sound_of_an_mp4(clip):
    wave = read_audio(clip)
    assert wave.dtype == np.float32
    assert len(wave) == pytest.approx(48000, abs=2048)
    assert dominant_frequency(wave, 16000) == pytest.approx(440, abs=1)
    assert np.abs(wave).max() == pytest.approx(0.5, abs=0.05)


def test_missing_sound_track(make_clip, tmp_path):
    with pytest.raises(MediaError, match=r"mute\.mp4: there is no sound track"):
        read_audio(make_clip(tmp_path / "mute.mp4", sound=False))


def test_missing_video_track(tmp_path):
    soundfile.write(tmp_path / "only.wav", np.zeros(16000), 16000)
    with pytest.raises(MediaError, match=r"only\.wav: there is no video track"):
        read_frames(tmp_path / "only.wav", 8)


def test_zero_length_sound(tmp_path):
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0), 16000)
    with pytest.raises(MediaError, match=r"nothing\.wav: its sound has zero length"):
        read_audio(tmp_path / "nothing.wav")
    with pytest.raises(MediaError, match=r"nothing\.wav: neither a picture nor a sound"):
        probe(tmp_path / "nothing.wav")


def test_stereo_takes_the_first_channel_unmixed(make_clip, tmp_path):
    wave = read_audio(make_clip(tmp_path / "stereo.mp4", channels=2))
    assert np.abs(wave).max() == pytest.approx(0.5, abs=0.05)  # a mix with the silent channel would halve it
    left, right = np.linspace(-0.5, 0.5, 800), np.ones(800) * 0.9
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "stereo.wav"), left, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_other_rates_are_resampled(tmp_path, rate):
    seconds = np.arange(2 * rate) / rate
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 440 * seconds), rate, subtype="FLOAT")
    wave = read_audio(tmp_path / "tone.wav")
    assert len(wave) == pytest.approx(32000, abs=64)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(wave)) / 16000)
    np.testing.assert_allclose(wave[200:-200], expected[200:-200], atol=5e-3)


def test_44_khz_track_of_an_mp4(make_clip, tmp_path):
    wave = read_audio(make_clip(tmp_path / "cd.mp4", rate=44100))
    assert len(wave) == pytest.approx(32000, abs=1024)
    assert dominant_frequency(wave, 16000) == pytest.approx(440, abs=1)


def test_samples_stay_in_range(tmp_path):
    soundfile.write(tmp_path / "loud.wav", np.array([3.0, -3.0, 0.25] * 100), 16000, subtype="FLOAT")
    wave = read_audio(tmp_path / "loud.wav")
    np.testing.assert_allclose(wave[:3], [1.0, -1.0, 0.25])


def test_separate_wav_is_extracted_once_and_follows_the_clip(make_clip, clip, tmp_path):
    source = tmp_path / "clip.mp4"
    shutil.copy(clip, source)
    wav = separate_wav(source, tmp_path / "cache")
    assert wav.parent == tmp_path / "cache" / "wav"
    assert soundfile.info(wav).samplerate == 16000
    np.testing.assert_allclose(read_audio(wav), read_audio(source), atol=1e-4)
    before = wav.stat().st_mtime_ns
    assert separate_wav(source, tmp_path / "cache") == wav
    assert wav.stat().st_mtime_ns == before
    make_clip(source, seconds=1)
    assert separate_wav(source, tmp_path / "cache") != wav


def test_separate_wav_with_several_processes(clip, tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        wavs = pool.starmap(separate_wav, [(clip, tmp_path)] * 6)
    assert len(set(wavs)) == 1
    assert [path.name for path in (tmp_path / "wav").iterdir()] == [wavs[0].name]


def test_separate_wav_leaves_nothing_behind_on_failure(make_clip, tmp_path):
    with pytest.raises(MediaError):
        separate_wav(make_clip(tmp_path / "mute.mp4", sound=False), tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.wav"))


@given(available=st.integers(1, 5000), count=st.integers(2, 64))
def test_indices_stay_inside_in_order_and_span_the_clip(available, count):
    indices = media.frame_indices(available, count)
    assert indices[0] == 0
    assert indices[-1] == available - 1
    assert (np.diff(indices) >= 0).all()
    assert len(indices) == count
