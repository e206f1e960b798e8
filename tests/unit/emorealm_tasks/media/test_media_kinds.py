"""Every kind of oddity that clips in the wild have, against what a player would show and play."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import media_files
from emorealm_tasks import media
from emorealm_tasks.media import MediaError, examine, probe, read_audio, read_frames, report
from media_files import FPS, Clip

UPRIGHT = ["TL", "TR", "BL", "BR"]


def numbers(path, count=8):
    frames, times = read_frames(path, count)
    return [media_files.number(frame) for frame in frames], times


def expected(available, count=8):
    return media.frame_indices(available, count).tolist()


OLDER = [
    Clip(container="avi", video="mpeg4", audio="mp3", rate=44100, b_frames=2),
    Clip(container="avi", video="libx264", audio="mp3", rate=44100, b_frames=2),
    Clip(container="avi", video="mjpeg", audio="pcm_s16le"),
    Clip(container="mpg", video="mpeg2video", audio="mp2", rate=44100, b_frames=2),
    Clip(container="ts", b_frames=2),
    Clip(container="wmv", video="wmv2", audio="wmav2", rate=44100, layout="stereo"),
    Clip(container="flv", rate=44100, b_frames=2),
    Clip(container="mkv", b_frames=2),
    Clip(container="webm", video="libvpx", audio="libopus", rate=48000),
    Clip(container="mp4", video="mpeg4", b_frames=2),
    Clip(container="mp4", gop=250, b_frames=3),
]


@pytest.mark.parametrize("clip", OLDER, ids=lambda clip: f"{clip.video}.{clip.container}")
def test_every_codec_and_container_gives_the_frames_asked_for(tmp_path, clip):
    path = media_files.write(tmp_path / f"clip.{clip.container}", clip)
    found, times = numbers(path)
    assert found == expected(48)
    np.testing.assert_allclose(times, np.array(expected(48)) / FPS, atol=0.06)
    wave = read_audio(path)
    assert len(wave) == pytest.approx(32000, abs=2500)
    assert media_files.tone(wave[2000:30000]) == pytest.approx(440, abs=2)
    assert examine(path).report == {"decoder": "pyav", "decoded": 1.0, "damaged_packets": 0, "cut_short": False}


# (a, b, c, d): a stored point (x, y) is shown at (a x + c y, b x + d y)
TURNS = [
    (1, 0, 0, 1),
    (-1, 0, 0, -1),
    (-1, 0, 0, 1),
    (1, 0, 0, -1),
    (0, 1, -1, 0),
    (0, -1, 1, 0),
    (0, 1, 1, 0),
    (0, -1, -1, 0),
]


@pytest.mark.parametrize("matrix", TURNS)
def test_frames_stand_as_the_container_says(tmp_path, matrix):
    path = media_files.turn(media_files.write(tmp_path / "clip.mp4", Clip(frames=6)), matrix)
    a, b, c, d = matrix
    stored = {"TL": (-1, -1), "TR": (1, -1), "BL": (-1, 1), "BR": (1, 1)}
    shown = {(a * x + c * y, b * x + d * y): name for name, (x, y) in stored.items()}
    frames, _ = read_frames(path, 2)
    assert media_files.corners(frames[0]) == [shown[place] for place in ((-1, -1), (1, -1), (-1, 1), (1, 1))]
    info = probe(path)
    assert (info.height, info.width) == frames.shape[1:3]


def test_an_edit_list_hides_frames(tmp_path):
    path = media_files.hide(media_files.write(tmp_path / "clip.mp4", Clip(b_frames=2, gop=48)), 20)
    found, times = numbers(path)
    assert found == [20 + index for index in expected(28)]
    np.testing.assert_allclose(times, np.array(expected(28)) / FPS, atol=1e-3)


@pytest.mark.parametrize("container", ["mkv", "ts"])
def test_times_start_at_zero(tmp_path, container):
    path = media_files.write(tmp_path / f"clip.{container}", Clip(container=container, start=10.0))
    found, times = numbers(path)
    assert found == expected(48)
    assert times[0] == 0
    assert times[-1] == pytest.approx(47 / FPS, abs=2e-3)
    assert media_files.tone(read_audio(path)[:16000]) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_sound_that_starts_late_begins_with_silence(tmp_path, container):
    path = media_files.write(tmp_path / f"clip.{container}", Clip(container=container, frames=72, late=1.5))
    wave = read_audio(path)
    assert media_files.tone(wave[:22000]) == 0
    assert media_files.tone(wave[25000:40000]) == pytest.approx(440, abs=2)
    assert len(wave) == pytest.approx(48000, abs=2500)
    assert numbers(path)[1][0] == pytest.approx(0, abs=1e-3)


def test_a_picture_that_starts_late_is_on_the_sounds_clock(tmp_path):
    path = media_files.write(tmp_path / "clip.mkv", Clip(container="mkv", start=1.0, late=-1.0))
    found, times = numbers(path)
    assert found == expected(48)
    assert times[0] == pytest.approx(1.0, abs=0.05)
    assert media_files.tone(read_audio(path)[:16000]) == pytest.approx(440, abs=2)


def test_a_cover_is_no_video(tmp_path):
    path = media_files.write(tmp_path / "song.mp4", Clip(video=None), cover=True)
    with pytest.raises(MediaError, match="no video track"):
        read_frames(path, 8)
    assert not probe(path).has_video
    path = media_files.write(tmp_path / "clip.mp4", Clip(), cover=True)
    assert numbers(path)[0] == expected(48)


def test_the_default_track_is_read_not_the_first(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("mpeg4", rate=FPS) for _ in range(2)]
        for stream, disposition in zip(streams, (0, av.stream.Disposition.default.value), strict=True):
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            stream.disposition = disposition
        for index in range(12):
            for which, stream in enumerate(streams):
                frame = av.VideoFrame.from_ndarray(media_files.picture(100 * which + index), "rgb24")
                frame.pts = index
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    assert numbers(path, 12)[0] == [100 + index for index in range(12)]


def test_one_damaged_packet_costs_one_packet(tmp_path):
    path = media_files.write(tmp_path / "clip.mp4", Clip())
    media_files.damage(path, "audio", 10)
    media_files.damage(path, "video", 30)
    wave = read_audio(path)
    assert len(wave) == pytest.approx(32000, abs=1100)
    assert media_files.tone(wave[16000:]) == pytest.approx(440, abs=2)
    found, times = numbers(path)
    assert found[-1] == 47
    assert times[-1] == pytest.approx(47 / FPS, abs=1e-3)
    read = report(path, path)
    assert (read["damaged_packets"], read["cut_short"]) == (2, False)
    assert 0.9 < read["decoded"] < 1
    assert examine(path).report == read


CUT = ["mkv", "flv", "avi", "mp4"]


@pytest.mark.parametrize("container", CUT)
def test_a_file_cut_short_is_told_from_a_damaged_packet(tmp_path, container):
    kind = {"avi": ("mpeg4", "mp3")}.get(container, ("libx264", "aac"))
    clip = Clip(container=container, video=kind[0], audio=kind[1], rate=44100)
    whole = media_files.write(tmp_path / f"whole.{container}", clip)
    if container == "mp4":
        moved = tmp_path / "moved.mp4"
        with av.open(str(whole)) as source, av.open(str(moved), "w", options={"movflags": "faststart"}) as out:
            streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)
        whole = moved
    path = media_files.cut(whole, tmp_path / f"cut.{container}", 0.6)
    found, _ = numbers(path)
    assert found[0] == 0
    assert 15 < found[-1] < 40
    read = examine(path).report
    assert read["cut_short"]
    assert read["damaged_packets"] <= 1
    assert 0.3 < read["decoded"] < 0.8


def test_a_wav_cut_short(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(32000, 0.1), 16000)
    read = examine(media_files.cut(tmp_path / "a.wav", tmp_path / "b.wav", 0.5)).report
    assert (read["cut_short"], read["damaged_packets"]) == (True, 0)
    assert read["decoded"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("layout", ["7.1", "hexadecagonal", "6.1", "5.1", "stereo"])
@pytest.mark.parametrize("codec", ["aac", "wavpack", "pcm_s16le"])
def test_sound_of_many_channels_does_not_end_the_process(tmp_path, layout, codec):
    if (layout, codec) == ("hexadecagonal", "wavpack"):
        pytest.skip("FFmpeg writes such a file but cannot read it")
    clip = Clip(video=None, container="mkv", audio=codec, layout=layout, frames=24)
    path = media_files.write(tmp_path / "a.mkv", clip)
    code = "import sys; from emorealm_tasks import media; print(len(media.read_audio(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == pytest.approx(16000, abs=2500)
    assert media_files.tone(read_audio(path)[2000:14000]) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("lost", [(b"V_MPEG4",), (b"A_AAC",), (b"V_MPEG4", b"A_AAC")])
def test_an_unknown_codec_is_refused_and_the_other_track_is_used(tmp_path, lost):
    path = media_files.write(tmp_path / "clip.mkv", Clip(container="mkv"))
    data = path.read_bytes()
    for name in lost:
        data = data.replace(name, name[:2] + b"Z" * (len(name) - 2))
    path.write_bytes(data)
    code = """import sys
from emorealm_tasks import media
for read in (lambda path: media.read_frames(path, 8), media.read_audio, media.probe, media.examine):
    try:
        read(sys.argv[1])
        print("read")
    except media.MediaError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    wrong = ["no decoder is known" in line for line in done.stdout.splitlines()]
    assert wrong == [b"V_MPEG4" in lost, b"A_AAC" in lost, len(lost) == 2, len(lost) == 2]


def test_frames_that_change_size_come_in_the_size_of_the_first(tmp_path):
    path = tmp_path / "call.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
        for index in range(24):
            size = (160, 96) if index < 12 else (240, 144)
            frame = av.VideoFrame.from_ndarray(media_files.picture(index, size), "rgb24")
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = *size, "yuvj420p"
            encoder.time_base = Fraction(1, FPS)
            for packet in [*encoder.encode(frame), *encoder.encode(None)]:
                packet.stream, packet.pts, packet.dts = stream, index, index
                packet.time_base = Fraction(1, FPS)
                out.mux(packet)
    frames, _ = read_frames(path, 24)
    assert frames.shape == (24, 96, 160, 3)
    assert [media_files.number(frame) for frame in frames] == list(range(24))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", ["bt709", "bt470bg", None])
def test_colours_follow_the_tags(tmp_path, matrix, full):
    path = tmp_path / "clip.mp4"
    tags = [f"colormatrix={matrix}"] if matrix else []
    tags += ["fullrange=on"] if full else []
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "4", "x264-params": ":".join(tags)})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        space = av.video.reformatter.Colorspace.ITU709 if matrix == "bt709" else av.video.reformatter.Colorspace.ITU601
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(media_files.picture(0), "rgb24").reformat(
                format="yuv420p", src_colorspace=5, dst_colorspace=int(space), dst_color_range=2 if full else 0
            )
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    frames, _ = read_frames(path, 1)
    assert media_files.corners(frames[0]) == UPRIGHT
    np.testing.assert_allclose(frames[0][8, 8], media_files.CORNERS["TL"], atol=8)


def test_titles_in_another_encoding(tmp_path):
    path = tmp_path / "clip.avi"
    media_files.write(path, Clip(container="avi", video="mpeg4", audio="mp3", rate=44100))
    with av.open(str(path)) as source, av.open(str(tmp_path / "titled.avi"), "w") as out:
        out.metadata["title"] = "Cafe-title"
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    data = (tmp_path / "titled.avi").read_bytes()
    assert b"Cafe-title" in data
    (tmp_path / "titled.avi").write_bytes(data.replace(b"Cafe-title", b"Caf\xe9-title"))
    assert numbers(tmp_path / "titled.avi")[0] == expected(48)


def test_names_that_look_like_something_else(tmp_path):
    for name in ("a:b.mp4", "http:x.mp4", "%03d.mp4", b"caf\xe9.mp4"):
        path = Path(tmp_path) / (name.decode(errors="surrogateescape") if isinstance(name, bytes) else name)
        media_files.write(tmp_path / "plain.mp4", Clip(frames=12)).rename(path)
        assert numbers(path, 3)[0] == expected(12, 3)
        assert len(read_audio(path)) == pytest.approx(8000, abs=1100)
        media.separate_wav(path, tmp_path / "cache")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_samples_that_are_no_numbers_are_refused(tmp_path, value, rate):
    wave = np.zeros(rate)
    wave[rate // 2] = value
    soundfile.write(tmp_path / "a.wav", wave, rate, subtype="FLOAT")
    for read in (read_audio, examine, lambda path: media.separate_wav(path, tmp_path)):
        with pytest.raises(MediaError, match=r"a\.wav: samples of its sound are no numbers"):
            read(tmp_path / "a.wav")


def test_what_a_file_is_decides_not_its_name(tmp_path):
    path = media_files.write(tmp_path / "a.m4a", Clip(video=None)).rename(tmp_path / "a.wav")
    assert len(read_audio(path)) == pytest.approx(32000, abs=1100)
    assert examine(path).audio
    wav = media.as_wav(path, tmp_path / "cache")
    assert wav != path
    assert soundfile.info(wav).samplerate == 16000


def test_a_wav_that_is_sent_is_16_khz_and_mono(tmp_path):
    soundfile.write(tmp_path / "right.wav", np.zeros(1600), 16000, subtype="PCM_16")
    assert media.as_wav(tmp_path / "right.wav", tmp_path) == tmp_path / "right.wav"
    for name, samples, rate in (("rate", np.zeros(4410), 44100), ("stereo", np.zeros((1600, 2)), 16000)):
        soundfile.write(tmp_path / f"{name}.wav", samples, rate)
        info = soundfile.info(media.as_wav(tmp_path / f"{name}.wav", tmp_path / "cache"))
        assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAV", "PCM_16", 16000, 1)


def test_a_pipe_is_no_file(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.mp4")
    for read in (read_audio, probe, examine, lambda path: read_frames(path, 8)):
        with pytest.raises(MediaError, match="is no file but a pipe"):
            read(tmp_path / "pipe.mp4")


LIMITS = {"EMOREALM_MAX_PIXELS": "1000", "EMOREALM_MAX_SECONDS": "1", "EMOREALM_MAX_FRAMES": "20"}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_what_is_beyond_a_limit_is_refused_by_name(tmp_path, monkeypatch, name, container):
    path = media_files.write(tmp_path / "clip.mp4", Clip(container=container))
    read_frames(path, 8)
    monkeypatch.setenv(name, LIMITS[name])
    with pytest.raises(MediaError, match=name) as refused:
        read_frames(path, 8)
    assert "\n" not in str(refused.value)
    if name == "EMOREALM_MAX_SECONDS":
        with pytest.raises(MediaError, match=name):
            read_audio(path)


ABSURD = {  # offsets of the header of an avi's first stream and of its picture
    "frames": (b"strh", 4 + 4 + 32, 2**31 - 1),
    "width": (b"strf", 4 + 4 + 4, 30000),
}


@pytest.mark.parametrize("what", ABSURD)
def test_absurd_headers_are_refused_before_anything_is_decoded(tmp_path, what):
    clip = Clip(container="avi", video="mpeg4", audio=None, frames=6)
    path = media_files.write(tmp_path / "clip.avi", clip)
    data = bytearray(path.read_bytes())
    box, offset, value = ABSURD[what]
    at = data.index(box) + offset
    data[at : at + 4] = value.to_bytes(4, "little")
    if what == "width":
        data[at + 4 : at + 8] = value.to_bytes(4, "little")
    path.write_bytes(data)
    if what == "width":  # the stream itself knows better, and is believed
        assert read_frames(path, 2)[0].shape == (2, 96, 160, 3)
        return
    with pytest.raises(MediaError, match=r"its header says .* above the limit"):
        read_frames(path, 8)


def test_a_picture_that_grows_beyond_the_limit_is_not_decoded(tmp_path, monkeypatch):
    path = tmp_path / "bomb.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
        for index, size in enumerate([(160, 96)] * 3 + [(1600, 960)]):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = *size, "yuvj420p"
            encoder.time_base = Fraction(1, FPS)
            frame = av.VideoFrame.from_ndarray(media_files.picture(index, size), "rgb24")
            for packet in [*encoder.encode(frame), *encoder.encode(None)]:
                packet.stream, packet.pts, packet.dts = stream, index, index
                packet.time_base = Fraction(1, FPS)
                out.mux(packet)
    monkeypatch.setenv("EMOREALM_MAX_PIXELS", "100000")
    assert numbers(path, 3)[0] == [0, 1, 2]
    assert report(path, None)["damaged_packets"] == 1


def test_long_sound_takes_memory_for_what_is_kept(tmp_path):
    path = tmp_path / "long.wav"
    minutes = 10
    with soundfile.SoundFile(path, "w", 48000, 2) as file:
        for _ in range(minutes):
            file.write(np.zeros((48000 * 60, 2), np.int16))
    code = """import resource, sys
from emorealm_tasks import media
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wave = media.read_audio(sys.argv[1])
print(len(wave), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    samples, grown = map(int, done.stdout.split())
    assert samples == minutes * 60 * 16000
    assert grown < 3 * 4 * samples


def test_the_choice_of_decord_is_recorded(tmp_path, monkeypatch):
    pytest.importorskip("decord")
    path = media_files.write(tmp_path / "clip.mp4", Clip())
    monkeypatch.setenv("EMOREALM_DECODER", "decord")
    read_frames(path, 8)
    assert report(path, None)["decoder"] == "decord"
    assert report(tmp_path / "never.mp4", None) == {
        "decoder": None,
        "decoded": None,
        "damaged_packets": None,
        "cut_short": None,
    }


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_skipping_gives_what_decoding_gives(tmp_path, monkeypatch, container, b_frames, count):
    clip = Clip(container=container, frames=96, gop=6, b_frames=b_frames)
    path = media_files.write(tmp_path / f"clip.{container}", clip)
    frames, times = read_frames(path, count)
    assert [media_files.number(frame) for frame in frames] == expected(96, count)
    monkeypatch.setattr("emorealm_tasks.media.skipping.gather", lambda decoding: [])
    all_frames, all_times = read_frames(path, count)
    np.testing.assert_array_equal(frames, all_frames)
    np.testing.assert_array_equal(times, all_times)


def test_a_stretch_that_is_damaged_is_not_trusted(tmp_path):
    clip = Clip(frames=96, gop=6)
    path = media_files.damage(media_files.write(tmp_path / "clip.mp4", clip), "video", 13)  # a frame that is asked for
    found, times = numbers(path, 8)
    assert found[0] == 0
    assert found[-1] == 95
    np.testing.assert_allclose(times, np.array(found) / FPS, atol=1e-3)
    assert report(path, None)["damaged_packets"] == 1


def test_nothing_is_read_of_a_file_that_was_closed(tmp_path):
    """Freed memory is overwritten at once in the child process, as a busy process does now and then."""
    clips = [clip for clip in OLDER if clip.container in ("avi", "mp4", "ts")]
    paths = [str(media_files.write(tmp_path / f"{at}.{clip.container}", clip)) for at, clip in enumerate(clips)]
    code = "import json, sys; from emorealm_tasks.media import read_frames;"
    code += "print(json.dumps([read_frames(path, 8)[1].tolist() for path in sys.argv[1:]]))"
    python = [sys.executable, "-c", code, *paths]
    child = subprocess.run(python, capture_output=True, env={**os.environ, "MALLOC_PERTURB_": "165"}, check=True)
    for times in json.loads(child.stdout):
        np.testing.assert_allclose(times, np.array(expected(48)) / FPS, atol=0.06)
