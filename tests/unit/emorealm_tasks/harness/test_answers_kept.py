"""Every adapter keeps answers as they come: what a broken-off run was told is not asked again."""

import sys
import tempfile
from pathlib import Path

import pytest
from lmms_eval.caching.response_cache import ResponseCache

from avere_requests import chat_requests, option_requests
from chat_requests import requests_for
from emorealm_tasks.harness import response_cache
from faulty_server import FaultyServer, chat
from model_adapters.avere.adapter import AvereChat
from model_adapters.engines.openai_server import OpenAIAV
from model_adapters.external_worker.adapter import ExternalWorker
from model_adapters.in_process.audio_visual import Qwen25OmniAV

ECHO = Path(__file__).parents[3] / "helpers" / "echo_worker.py"


@pytest.fixture
def broken_off(tmp_path, monkeypatch):
    """broken_off(model, requests) -> answers kept before a run was broken off at the second, and in the next run."""
    response_cache.register()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "emorealm"))
    kept, keep = [], response_cache.keep

    def once(model, requests):
        cache = ResponseCache.create(str(tmp_path / "answers"), model="m", model_args="")
        kept.clear()
        try:
            return cache.execute(model, requests[0].request_type, requests)
        finally:
            cache.finalize(success=False)

    def run(model, requests):
        def keep_two(request, answer):
            keep(request, answer)
            kept.append(request)
            if len(kept) == 2:
                raise KeyboardInterrupt

        monkeypatch.setattr(response_cache, "keep", keep_two)
        with pytest.raises(KeyboardInterrupt):
            once(model, requests)
        monkeypatch.setattr(response_cache, "keep", lambda request, answer: kept.append(request))
        answers = once(model, requests)
        assert all(getattr(answer, "text", answer) for answer in answers)
        return len(kept)

    return run


@pytest.fixture
def docs(clips):
    return [(f"Why {number}?", clips[0], clips[0]) for number in range(5)]


@pytest.fixture
def avere(tiny_avere):
    model = AvereChat(pretrained=str(tiny_avere), device="cpu", nano_anyway=True)
    yield model
    model.clean()


def avere_docs(clips):
    return [{"video": clips[0], "kind": "both", "text": f"Why {number}?"} for number in range(5)]


def test_answers_of_avere(broken_off, avere, clips):
    assert broken_off(avere, chat_requests(avere, avere_docs(clips))) == 3


def test_likelihoods_of_avere(broken_off, avere, clips):
    assert broken_off(avere, option_requests(avere, avere_docs(clips)[:2], ["A", "B", "C"])) == 4


def test_a_model_in_this_process(broken_off, tiny_omni, docs):
    model = Qwen25OmniAV(pretrained=str(tiny_omni), device="cpu", frames=4)
    assert broken_off(model, requests_for(model, docs, min_new_tokens=2)) == 3


def test_a_server(broken_off, docs):
    server = FaultyServer(lambda body, number: (200, {}, chat("A")))
    model = OpenAIAV(model="m", base_url=server.url, device="cpu", frames=2, concurrency=1)
    try:
        assert broken_off(model, requests_for(model, docs)) == 3
    finally:
        server.stop()


def test_a_worker(broken_off, docs, tmp_path):
    model = ExternalWorker(worker=str(ECHO), python=sys.executable, options=f"marks={tmp_path}", device="cpu")
    try:
        assert broken_off(model, requests_for(model, docs)) == 3
    finally:
        model.clean()
