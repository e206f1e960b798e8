"""A model of this package as a client: real avere-nano on a clip of the embedded world."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from avem_train.curation.asking import requests
from avem_train.curation.asking.narrowing import narrowed
from avem_train.curation.asking.requests import Picture, Request, Sound
from avem_train.curation.clients import setup
from avem_train.curation.clients.settings import ClientSettings
from avem_train.curation.prompts import Prompt
from avem_train.curation.stages.captions import PictureCaption
from avem_train.curation.stages.emotions import EmotionGuess
from emorealm_tasks.mini.language import wording
from faulty_server import chat


def caption_request(path, sense):
    medium = Picture(Path(path), 8) if sense == "video" else Sound(Path(path))
    return Request(Prompt("nano", 1, wording.CAPTION[sense]), {}, PictureCaption, (medium,))


@pytest.fixture(scope="module")
def nano():
    settings = ClientSettings(kind="adapter", model="avere", args={"pretrained": "avere_nano"}, max_tokens=64)
    return setup.source(settings, 0).client


def test_an_adapter_answers_requests_of_several_threads_as_a_batch(nano, clips):
    asked = [caption_request(clip, sense) for clip in clips for sense in ("video", "audio")]
    with ThreadPoolExecutor(6) as pool:
        together = [completion.text for completion in pool.map(nano.complete, asked)]
    assert all(together)
    assert together == [nano.complete(request).text for request in asked]


def test_the_cache_key_knows_weights_media_and_text(nano, clips):
    request = caption_request(clips[0], "video")
    key = requests.key(request, nano.identity, 0)
    assert nano.identity["weights"]
    assert key == requests.key(caption_request(clips[0], "video"), nano.identity, 0)
    others = [
        requests.key(caption_request(clips[1], "video"), nano.identity, 0),
        requests.key(caption_request(clips[0], "audio"), nano.identity, 0),
        requests.key(request, {**nano.identity, "weights": "others"}, 0),
        requests.key(request, nano.identity, 1),
    ]
    assert len({key, *others}) == 5


def test_an_unknown_kind_model_or_lacking_key_ends_in_a_line(monkeypatch, capsys):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for wrong, message in (
        (ClientSettings("adaptor", "avere"), "one of openai, gemini, adapter"),
        (ClientSettings("adapter", "averr"), "none of `emorealm models`"),
        (ClientSettings("openai", "gpt"), "set OPENAI_API_KEY"),
    ):
        with pytest.raises(SystemExit):
            setup.source(wrong, 0)
        assert message in capsys.readouterr().err


def test_forms_of_one_name_are_asked_for_with_their_own_schema(server):
    wide, narrow = (narrowed(EmotionGuess, "emotion", labels) for labels in (("anger", "fear"), ("joy",)))
    settings = ClientSettings("openai", "m", base_url=server.url)
    client = setup.source(settings, 0).client
    server.script = lambda body, number: (200, {}, chat('{"emotion": "joy"}'))
    for form in (wide, narrow):
        client.complete(Request(Prompt("p", 1, "which?"), {}, form))
    schemas = [body["response_format"]["json_schema"]["schema"] for body in server.asked]
    first, second = (schema["properties"]["emotion"] for schema in schemas)
    assert (first["enum"], second["const"]) == (["anger", "fear"], "joy")
