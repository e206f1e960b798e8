"""Every family decodes in threads what it is told to encode soon: the same features, once, and faults as without."""

import threading
import time

import pytest
import torch

import tiny_models
from avem_train.backbones import loading
from avem_train.backbones.base import UnreadableMedium
from avem_train.data.negatives import Medium
from avem_train.data.responses import Source
from emorealm_tasks import media
from model_adapters.base.decode_ahead import DecodeAhead
from trained_families import BY_ADAPTER


@pytest.fixture(scope="module", params=[*BY_ADAPTER, "emotion_llama_v2"])
def folder(request, tiny_base, tmp_path_factory):
    if request.param == "emotion_llama_v2":
        return tiny_models.emotion_llama(tmp_path_factory.mktemp(request.param), 2), ("video", "audio")
    return tiny_base(request.param), BY_ADAPTER[request.param].media


@pytest.fixture
def read_in(monkeypatch):
    """Which thread read which file as a picture or a sound, in order."""
    readers = []

    def noted(name):
        read = getattr(media, name)

        def reading(path, *given):
            readers.append((name, str(path), threading.current_thread().name.partition("_")[0]))
            return read(path, *given)

        monkeypatch.setattr(media, name, reading)

    noted("read_frames")
    noted("read_audio")
    return readers


def loaded(folder):
    return loading.load(folder, torch.device("cpu"), torch.float32, 1 << 26)


def test_features_are_those_without_it_and_each_medium_is_read_once(folder, clips, read_in, monkeypatch):
    path, kinds = folder
    sources = [Source(kind, clip) for clip in clips[:2] for kind in kinds]
    sources += [Source(kind, clips[2], Medium("random", seed=1)) for kind in kinds]
    asked = [(source,) for source in sources]
    without = loaded(path)
    with monkeypatch.context() as patched:
        patched.setattr(DecodeAhead, "start", lambda ahead, media: None)
        patched.setattr(DecodeAhead, "take", lambda ahead, medium: ahead._decode(medium))
        expected = without.encode(asked)
    without.close()
    assert "decode" not in {thread for *_, thread in read_in}
    read_in.clear()
    ahead = loaded(path)
    ahead.prefetch(sources)
    ahead.prefetch(sources)
    found = ahead.encode(asked)
    ahead.prefetch(sources)  # all of them are encoded
    again = ahead.encode(asked)
    ahead.close()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) and torch.equal(again[key], expected[key]) for key in found)
    assert {thread for *_, thread in read_in} == {"decode"}
    assert sorted((name, clip) for name, clip, _ in read_in) == sorted(
        ({"video": "read_frames", "audio": "read_audio"}[source.kind], source.path) for source in sources
    )


def test_reading_begins_before_features_are_wanted(folder, clips, read_in):
    path, kinds = folder
    ahead = loaded(path)
    ahead.prefetch([Source(kinds[0], clips[0])])
    until = time.monotonic() + 20
    while not read_in and time.monotonic() < until:
        time.sleep(0.002)
    ahead.close()
    assert [(clip, thread) for _, clip, thread in read_in] == [(clips[0], "decode")]


def test_an_unreadable_medium_is_told_of_where_it_is_wanted(folder, clips, tmp_path):
    path, kinds = folder
    (broken := tmp_path / "broken.mp4").write_bytes(b"no film")
    told = []
    for prefetched in (False, True):
        backbone = loaded(path)
        good, bad = Source(kinds[0], clips[0]), Source(kinds[0], str(broken))
        if prefetched:
            backbone.prefetch([bad, good])
        assert backbone.encode([(good,)])
        with pytest.raises(UnreadableMedium) as error:
            backbone.encode([(bad,)])
        told.append(str(error.value))
        backbone.close()
    assert told[0] == told[1]
    assert "broken.mp4" in told[0]
