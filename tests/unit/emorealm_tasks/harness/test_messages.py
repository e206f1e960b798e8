"""What simple and chat models are handed."""

import base64

import numpy as np
import pytest

from emorealm_tasks import media
from emorealm_tasks.harness import messages


@pytest.fixture(autouse=True)
def _settings(monkeypatch, tmp_path):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EMOREALM_AV_MODE", raising=False)
    monkeypatch.delenv("EMOREALM_SETTINGS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory, make_clip):
    return str(make_clip(tmp_path_factory.mktemp("clip") / "1.mp4", seconds=1.0))


@pytest.fixture
def doc(clip):
    return {"video": clip, "audio": "", "question": "Why?", "choices": ["(A) Yes", "(B) No"]}


def _items(doc, **kwargs):
    (turn,) = messages.doc_to_messages(doc, kwargs)
    assert turn["role"] == "user"
    return {item["type"]: item.get("url", item.get("text")) for item in turn["content"]}


def test_the_prompt_is_the_released_one(doc):
    assert messages.doc_to_text(doc) == "Why? (A) Yes (B) No"
    assert messages.doc_to_choice(doc) == ["A", "B"]


def test_separate_extracts_a_16_khz_wav_into_the_cache(doc, tmp_path):
    items = _items(doc)
    assert list(items) == ["video", "audio", "text"]
    assert items["audio"].startswith(str(tmp_path / "cache/wav"))
    assert len(media.read_audio(items["audio"])) == pytest.approx(16000, abs=2048)
    assert _items(doc)["audio"] == items["audio"]


def test_separate_takes_the_wav_that_is_there(doc):
    assert _items(doc | {"audio": "/w/1.wav"})["audio"] == "/w/1.wav"


@pytest.mark.parametrize("mode", ["embedded", "video"])
def test_a_model_that_takes_the_mp4s_sound_or_none_gets_no_audio_item(doc, mode):
    assert list(_items(doc, av_mode=mode)) == ["video", "text"]


def test_source_names_the_file_that_holds_the_sound(doc):
    assert _items(doc, av_mode="source")["audio"] == doc["video"]
    assert _items(doc | {"audio": "/w/1.wav"}, av_mode="source")["audio"] == "/w/1.wav"


def test_inline_is_the_wav_itself(doc):
    kind, data = _items(doc, av_mode="inline")["audio"].split(",")
    assert kind == "data:audio/wav;base64"
    assert base64.b64decode(data)[:4] == b"RIFF"


def test_the_setting_overrides_the_family(doc, monkeypatch):
    monkeypatch.setenv("EMOREALM_AV_MODE", "video")
    assert list(_items(doc, av_mode="source")) == ["video", "text"]


def test_blind_is_text_only(doc):
    blind = doc | {"video": "", "audio": ""}
    assert list(_items(blind)) == ["text"]
    assert messages.doc_to_visual(blind, {"simple": "both"}) == []


def test_what_simple_models_get(doc):
    with_wav = doc | {"audio": "/w/1.wav"}
    assert messages.doc_to_visual(doc) == [doc["video"]]
    assert messages.doc_to_visual(doc, {"simple": "source"}) == [doc["video"]]
    assert messages.doc_to_visual(with_wav, {"simple": "source"}) == [doc["video"], "/w/1.wav"]
    video, wav = messages.doc_to_visual(doc, {"simple": "separate"})
    assert (video, wav[-4:]) == (doc["video"], ".wav")
    (heard,) = messages.doc_to_visual(doc, {"simple": "audio"})
    assert heard["sampling_rate"] == 16000
    assert np.abs(heard["array"]).max() > 0.3
    assert messages.doc_to_visual(doc, {"simple": "both"})[1] == doc["video"]


def test_a_description_has_no_choices_and_no_trailing_space(doc):
    assert messages.doc_to_text(doc | {"choices": []}) == "Why?"


def test_a_silent_row_hands_over_its_picture_alone(doc):
    silent = doc | {"silent": True}
    for mode in ("separate", "source", "embedded", "video", "inline"):
        assert list(_items(silent, av_mode=mode)) == ["video", "text"]
    for simple in ("embedded", "separate", "source", "both"):
        assert messages.doc_to_visual(silent, {"simple": simple}) == [doc["video"]]
    assert messages.doc_to_visual(silent, {"simple": "audio"}) == []


def test_a_row_without_picture_hands_over_its_sound_alone(doc):
    heard = doc | {"video": "", "audio": doc["video"]}
    for mode in ("separate", "source", "embedded"):
        assert _items(heard, av_mode=mode) == {"audio": doc["video"], "text": "Why? (A) Yes (B) No"}
    assert _items(heard, av_mode="inline")["audio"].startswith("data:audio/wav;base64,")
    assert list(_items(heard, av_mode="video")) == ["text"]
    assert messages.doc_to_visual(heard, {"simple": "embedded"}) == [doc["video"]]
    (wave,) = messages.doc_to_visual(heard, {"simple": "both"})
    assert wave["sampling_rate"] == 16000
