"""Clips made at random, against what they were made of and against ffmpeg's own reading where it is at hand."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import media_files
from emorealm_tasks import media
from media_files import FPS, Clip

pytestmark = pytest.mark.slow

ENCODINGS = [  # container, picture, sound, rates of the sound
    ("mp4", "libx264", "aac", (16000, 44100, 48000)),
    ("mp4", "mpeg4", "aac", (22050, 44100)),
    ("mkv", "libx264", "flac", (8000, 44100)),
    ("mkv", "mpeg4", "mp3", (16000, 48000)),
    ("webm", "libvpx", "libopus", (48000,)),
    ("avi", "mpeg4", "mp3", (44100,)),
    ("avi", "libx264", "pcm_s16le", (16000,)),
    ("avi", "mjpeg", "pcm_s16le", (44100,)),
    ("ts", "libx264", "aac", (44100,)),
    ("ts", "mpeg2video", "mp2", (48000,)),
    ("mpg", "mpeg2video", "mp2", (44100,)),
    ("flv", "libx264", "aac", (44100,)),
]
TURNED = {"mp4": [(1, 0, 0, 1), (-1, 0, 0, -1), (0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, 1), (0, 1, 1, 0)]}


@st.composite
def made(draw):
    container, video, audio, rates = draw(st.sampled_from(ENCODINGS))
    stamped = container not in ("avi", "mpg", "flv", "mp4")  # these start at 0, or their writer sees to it
    clip = Clip(
        frames=draw(st.integers(8, 60)),
        container=container,
        video=video,
        audio=audio,
        layout=draw(
            st.sampled_from(["mono", "stereo"] + ["5.1", "7.1"] * (audio in ("aac", "flac") and container != "flv"))
        ),
        rate=draw(st.sampled_from(rates)),
        start=draw(st.sampled_from([0.0, 0.0, 3.0])) if stamped else 0.0,
        late=draw(st.sampled_from([0.0, 0.0, 0.25])) if container in ("mp4", "mkv", "ts") else 0.0,
        gop=draw(st.sampled_from([1, 6, 12, 250])),
        b_frames=draw(st.integers(0, 3)) if video in ("libx264", "mpeg4", "mpeg2video") else 0,
    )
    matrix = draw(st.sampled_from(TURNED.get(container, [(1, 0, 0, 1)])))
    hidden = draw(st.integers(0, 5)) if container == "mp4" and not clip.late else 0
    return clip, matrix, hidden, draw(st.integers(1, 12))


def written(folder: str, clip: Clip, matrix, hidden: int) -> Path:
    path = media_files.write(Path(folder) / f"clip.{clip.container}", clip)
    if matrix != (1, 0, 0, 1):
        media_files.turn(path, matrix)
    return media_files.hide(path, hidden) if hidden else path


def stored(image: np.ndarray, matrix) -> np.ndarray:
    """The upright frame as it was stored: the display matrix undone."""
    a, b, c, d = matrix
    if a == d == 0:
        return image[::b, ::c].swapaxes(0, 1)
    return image[::d, ::a]


@given(made())
@settings(max_examples=40)
def test_clips_are_read_as_they_were_made(drawn):
    clip, matrix, hidden, count = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, clip, matrix, hidden)
        frames, times = media.read_frames(path, count)
        wave = media.read_audio(path)
        read = media.report(path, path)
    indices = media.frame_indices(clip.frames - hidden, count)
    assert [media_files.number(stored(frame, matrix)) for frame in frames] == (hidden + indices).tolist()
    assert media_files.corners(stored(frames[0], matrix)) == ["TL", "TR", "BL", "BR"]
    np.testing.assert_allclose(times, indices / FPS, atol=0.06)
    if clip.frames >= 24:
        silent, heard = round(16000 * clip.late), wave[round(16000 * clip.late) + 2500 :]
        assert not silent or media_files.tone(wave[: silent - 800]) == 0
        assert media_files.tone(heard[:8000]) == pytest.approx(clip.tone, abs=4)
    assert read["damaged_packets"] == 0


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program is not at hand")
@given(made())
@settings(max_examples=15)
def test_pixels_are_those_of_ffmpeg(drawn):
    clip, _, hidden, count = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, clip, (1, 0, 0, 1), hidden)
        frames, _ = media.read_frames(path, count)
        asked = ["-map", "0:v:0", "-vsync", "0", "-f", "rawvideo", "-pix_fmt", "rgb24", "-sws_flags", "bilinear", "-"]
        raw = subprocess.run(["ffmpeg", "-loglevel", "error", "-i", str(path), *asked], capture_output=True, check=True)
    theirs = np.frombuffer(raw.stdout, np.uint8).reshape(-1, *frames.shape[1:])
    assert len(theirs) == clip.frames - hidden
    chosen = theirs[media.frame_indices(len(theirs), count)]
    assert np.abs(frames.astype(int) - chosen).max() <= 3  # other versions round differently
