"""Files that were never read: a crash or a hang costs one clip, what is found is said by check and in the records."""

import json
import random
import sys

import pytest

import media_files
from emorealm_tasks import media
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.harness import media_log
from emorealm_tasks.media import guard
from media_files import Clip

FRAIL = """
import json, os, signal, sys, time
from emorealm_tasks.media import guard
for line in sys.stdin:
    file = json.loads(line)
    if file.endswith("crash.mp4"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if file.endswith("hang.mp4"):
        time.sleep(60)
    if file.endswith("leave.mp4"):
        sys.exit(3)
    print(json.dumps(guard.looked_at(file)), flush=True)
"""


@pytest.mark.slow
def test_a_crash_costs_one_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "COMMAND", [sys.executable, "-c", FRAIL])
    names = ["1.mp4", "crash.mp4", "2.mp4", "hang.mp4", "leave.mp4", "3.mp4", "4.mp4"]
    for name in names:
        media_files.write(tmp_path / name, Clip(frames=6))
    found = guard.examine_all([str(tmp_path / name) for name in names], patience=5)
    said = {file.rsplit("/", 1)[1]: what["unreadable"].split(": ", 1)[-1] for file, what in found.items()}
    assert said == {
        "1.mp4": "",
        "2.mp4": "",
        "3.mp4": "",
        "4.mp4": "",
        "crash.mp4": "it crashes the decoder (SIGSEGV); copy or download it again",
        "leave.mp4": "it crashes the decoder (status 3); copy or download it again",
        "hang.mp4": "it takes too long to decode; copy or download it again",
    }


def test_nothing_to_look_at_starts_nothing(monkeypatch):
    monkeypatch.setattr(guard, "COMMAND", ["/no/such/program"])
    assert guard.examine_all([]) == {}


@pytest.mark.parametrize("seed", range(3))
def test_damaged_headers_do_not_end_a_process(tmp_path, seed):
    chance = random.Random(seed)
    sources = [
        media_files.write(tmp_path / "a.mp4", Clip(frames=12)),
        media_files.write(tmp_path / "b.mkv", Clip(container="mkv", frames=12, layout="7.1")),
        media_files.write(tmp_path / "c.avi", Clip(container="avi", video="mpeg4", audio="mp3", rate=44100, frames=12)),
        media_files.write(tmp_path / "d.flv", Clip(container="flv", frames=12, rate=44100)),
        media_files.write(tmp_path / "e.mpg", Clip(container="mpg", video="mpeg2video", audio="mp2", rate=44100)),
        media_files.write(tmp_path / "f.wav", Clip(container="wav", video=None, audio="pcm_s16le", frames=12)),
    ]
    files = []
    for index in range(60):
        source = sources[index % len(sources)]
        data = bytearray(source.read_bytes())
        first = data.rindex(b"moov") if source.suffix == ".mp4" else 0  # its header stands at the end
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(first, min(first + 1500, len(data)))] = chance.randrange(256)
        files.append(tmp_path / f"{index}{source.suffix}")
        files[-1].write_bytes(data)
    found = guard.examine_all([str(file) for file in files], patience=30)
    assert len(found) == len(files)
    assert [what["unreadable"] for what in found.values() if "crashes" in what["unreadable"]] == []


def _row(video, audio="", **more):
    return {"clip": video.name, "video": str(video), "audio": str(audio or ""), **more}


def test_check_and_run_agree(tmp_path):
    import numpy as np
    import soundfile

    film = media_files.write(tmp_path / "film.mp4", Clip(frames=6))
    mute = media_files.write(tmp_path / "mute.mp4", Clip(frames=6, audio=None))
    song = media_files.write(tmp_path / "song.m4a", Clip(video=None), cover=True).rename(tmp_path / "song.wav")
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan, 0.0]), 16000, subtype="FLOAT")
    rows = [
        _row(film),
        _row(mute),
        _row(mute.rename(tmp_path / "mute2.mp4"), song),
        _row(song),
        _row(film.rename(tmp_path / "film2.mp4"), tmp_path / "nan.wav"),
    ]
    rows[0]["video"], rows[1]["video"] = rows[4]["video"], rows[2]["video"]
    problems = availability.find_problems(rows, tmp_path / "cache")
    assert {clip: problem.kind for clip, problem in problems.items()} == {
        "mute.mp4": "soundless",
        "song.wav": "unreadable",
        "film2.mp4": "unreadable",
    }
    for row in rows:
        try:
            media.read_frames(row["video"], 2)
            media.read_audio(row["audio"] or row["video"])
            readable = True
        except media.MediaError:
            readable = False
        assert readable == (row["clip"] not in problems)


def test_what_decodes_in_part_is_listed(tmp_path):
    whole = media_files.write(tmp_path / "whole.mp4", Clip())
    damaged = media_files.damage(media_files.write(tmp_path / "damaged.mp4", Clip()), "audio", 5)
    short = media_files.cut(media_files.write(tmp_path / "a.mkv", Clip(container="mkv")), tmp_path / "short.mkv", 0.5)
    lines = availability.incomplete([str(path) for path in (whole, damaged, short)], tmp_path / "cache")
    assert len(lines) == 2
    assert "damaged.mp4: 9" in lines[0]
    assert lines[0].endswith("% decodes (1 damaged packets)")
    assert "short.mkv" in lines[1]
    assert "cut short" in lines[1]


def test_records_say_how_a_clip_was_read(tmp_path, monkeypatch):
    path = str(media_files.damage(media_files.write(tmp_path / "clip.mp4", Clip()), "audio", 5))
    monkeypatch.setenv(media_log.VARIABLE, str(tmp_path / "log.jsonl"))
    frames, times = media.read_frames(path, 4)
    wave = media.read_audio(path)
    entry = {"clip": path, "audio": path, "frames": len(frames), "times": times.tolist()}
    media_log.append(entry | {"audio_seconds": len(wave) / 16000})
    given = media_log.find(path, path)
    assert (given["decoder"], given["damaged_packets"], given["cut_short"]) == ("pyav", 1, False)
    assert 0.9 < given["decoded"] < 1
    assert json.loads((tmp_path / "log.jsonl").read_text()) == given
