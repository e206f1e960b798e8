"""`emorealm curate run` killed in five stages: it goes on, asks nothing twice, and ends the same."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter

import pytest
import yaml

import mini_server
from curation import form
from emorealm_tasks.mini.build.split import build

KILLED_AT = {
    "captions": ("PictureCaption", 3),
    "emotions": ("EmotionGuess", 3),
    "questions": ("BasicQuestion", 2),
    "filter": ("TextGuess", 5),
    "preferences": ("VerdictVariations", 3),
}
"""Stage -> a form of reply that it asks for, and at which of its requests the run is killed."""
CONCURRENCY = 2


def written(folder, clips, url):
    """A recipe whose every stage asks one server."""
    stages = {
        "captions": {"picture": "server", "sound": "server", "frames": 2},
        "emotions": {"client": "server"},
        "questions": {"client": "server"},
        "filter": {"clients": ["server"]},
        "preferences": {"client": "server"},
    }
    server = {"kind": "openai", "model": "m", "base_url": url, "concurrency": CONCURRENCY, "retries": 0}
    content = {"manifest": {"reader": "mini", "path": str(clips)}, "clients": {"server": server}, "stages": stages}
    folder.mkdir()
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content | {"out": str(folder / "out")}, sort_keys=False))
    return path


def start(path):
    command = [sys.executable, "-m", "emorealm_results.cli", "curate", "run", str(path)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finished(path):
    process = start(path)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error


def outputs(folder):
    return {file.name: file.read_bytes() for file in sorted((folder / "out").glob("*.jsonl"))}


@pytest.mark.slow
def test_a_run_killed_in_five_stages_asks_nothing_twice_and_ends_the_same(tmp_path):
    clips = tmp_path / "clips"
    build(clips, "train", 6, 1, 0.4)
    videos = sorted((clips / "videos").rglob("*.mp4"))
    reached, release = threading.Event(), threading.Event()
    waiting_for, seen, lock = [None, 0], Counter(), threading.Lock()

    def wait(body):
        with lock:
            seen[form(body)] += 1
            name, number = waiting_for
            here = name == form(body) and seen[name] >= number
        if here:
            reached.set()
            release.wait(30)

    server = mini_server.answering(videos, 2, wait=wait)
    try:
        finished(written(tmp_path / "undisturbed", clips, server.url))
        whole = Counter(map(str, server.asked))
        del server.asked[:]
        path = written(tmp_path / "killed", clips, server.url)
        for name, number in KILLED_AT.values():
            seen.clear()
            waiting_for[:] = [name, number]
            process = start(path)
            assert reached.wait(60), process.communicate(timeout=5)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            waiting_for[:] = [None, 0]
            release.set()
            reached.clear()
            release.clear()
        finished(path)
        again = Counter(map(str, server.asked)) - whole
        assert sum(again.values()) <= CONCURRENCY * len(KILLED_AT)
        assert set(map(str, server.asked)) == set(whole)
        assert outputs(tmp_path / "killed") == outputs(tmp_path / "undisturbed")
    finally:
        server.stop()
