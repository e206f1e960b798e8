"""A recipe over a few clips, and a server that answers each form of reply."""

import csv
import json
from pathlib import Path

from pydantic import ValidationError

from avem_train.curation.asking.asker import Rejected
from avem_train.curation.data.rows import Clip
from avem_train.curation.stages.base import Context
from emorealm_tasks.emotions import EMOTIONS
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


def asking(replies):
    """A stage's `ask` without a server: each form's reply, a value or a function of the request; and what was asked."""
    asked = []

    def ask(client, request):
        asked.append((client, request))
        reply = replies[request.reply.__name__]
        value = reply(request) if callable(reply) else reply
        try:
            return request.reply.model_validate(value)
        except ValidationError as error:
            raise Rejected("no valid reply", str(error)) from None

    return ask, asked


def cue(text, modality="video", relevant=True):
    """A cue as rows hold it."""
    return CUE | {"text": text, "modality": modality, "relevant": relevant}


def described(identity="clip", emotion="happiness", **more):
    """A clip with captions and guesses, both of which give its label."""
    return {
        **Clip(id=identity, video=f"{identity}.mp4", emotion=emotion).model_dump(),
        "caption_video": "A person smiles broadly at a dog. The sweater is yellow.",
        "caption_audio": "Laughter and a bright voice. Rain falls outside.",
        "transcript": "",
        "language": "",
        "cues": [
            cue("a broad smile"),
            cue("a yellow sweater", relevant=False),
            cue("laughter", "audio"),
            cue("falling rain", "audio", relevant=False),
        ],
        "guess_video": emotion,
        "guess_audio": emotion,
        "explained_by": ["video", "audio"],
        **more,
    }


def context(settings, **more):
    """What a stage knows, with those settings."""
    return Context(**{"root": Path(), "emotions": EMOTIONS, "seed": 0, "settings": settings, **more})


def _option(cue):
    return {"cue": cue, "text": f"{cue} shows it."}


def _written(body):
    wrong = [_option("clapping hands"), _option("a loud cheer")]
    sound = "the clip's audio" in json.dumps(body)
    right, idle = ("a bright voice", "falling rain") if sound else ("a broad smile", "a yellow sweater")
    return {"question": "Which?", "right": _option(right), "irrelevant": [_option(idle)], "hallucinated": wrong}


def _idle(kind, text):
    return CUE | {"kind": kind, "text": text, "relevant": False}


ORACLE = {
    "PictureCaption": REPLIES["PictureCaption"] | {"cues": [CUE, _idle("clothes", "a yellow sweater")]},
    "SoundCaption": REPLIES["SoundCaption"]
    | {"cues": [CUE | {"kind": "voice", "text": "a bright voice"}, _idle("background", "falling rain")]},
    "EmotionGuess": {"emotion": "happiness"},
    "BasicQuestion": _written,
    "AbsentCues": {"cues": ["clapping hands"]},
    "CueMatches": {"matches": []},
    "TextGuess": {"answer": "A"},
}
"""Form of reply -> a reply, of the stages from captions to filter."""
