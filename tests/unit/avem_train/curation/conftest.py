"""Three clips beside their manifest, and a server that answers."""

import functools
import http.server
import shutil

import pytest

from curation import answering, manifest
from stand_in_server import StandInServer


@pytest.fixture
def folder(tmp_path, make_clip):
    """A folder with three clips of one second and `clips.csv`."""
    clip = make_clip(tmp_path / "0.mp4")
    videos = [clip, *(shutil.copy(clip, tmp_path / f"{number}.mp4") for number in (1, 2))]
    for number, video in enumerate(videos):  # content of their own, so that no reply serves two clips
        with open(video, "ab") as file:
            file.write(bytes([number]))
    manifest(tmp_path, videos)
    return tmp_path


@pytest.fixture
def server():
    """A server that answers every form of reply."""
    running = answering()
    yield running
    running.stop()


@pytest.fixture
def site(folder):
    """The folder on a web server, its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with StandInServer(handler) as running:
        yield running.address


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass
