"""A recipe over a few clips, and a server that answers each form of reply."""

import csv
import json
from pathlib import Path

from faulty_server import FaultyServer, chat

CUE = {"kind": "face", "text": "a broad smile", "relevant": True, "start": None, "end": None}
REPLIES = {
    "PictureCaption": {"caption": "A person smiles broadly.", "cues": [CUE]},
    "SoundCaption": {
        "caption": "A bright voice speaks quickly.",
        "cues": [CUE | {"kind": "voice", "text": "a bright voice"}],
        "transcript": "so it is",
        "language": "en",
    },
}
"""Form of reply -> a reply."""


def form(body):
    """The name of the form that a request asks for."""
    return body["response_format"]["json_schema"]["name"]


def answering(replies=REPLIES):
    """A server that answers each form with the reply of that name: a value, or a function of the request's body."""

    def script(body, number):
        reply = replies[form(body)]
        return 200, {}, chat(json.dumps(reply(body) if callable(reply) else reply))

    return FaultyServer(script)


def manifest(folder: Path, videos, emotions=("happiness",)) -> Path:
    """A CSV file that names the videos, which lie in the folder."""
    path = folder / "clips.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "video", "emotion"])
        for number, video in enumerate(videos):
            rows.writerow([f"clip{number}", Path(video).name, emotions[number % len(emotions)]])
    return path


def content(folder: Path, url, stages, **more):
    """A recipe's content: one server for everything."""
    client = {"kind": "openai", "model": "m", "base_url": url, "retries": 1, "price_in": 1.0, "price_out": 2.0}
    return {
        "manifest": {"reader": "csv", "path": str(folder / "clips.csv")},
        "out": folder / "out",
        "clients": {"server": client},
        "stages": stages,
        **more,
    }
