"""`avere_vllm` beside `avere`, on vLLM itself: the embedded models in float32, on a CPU too; skipped without vLLM.

The docstring of test_vllm.py says how vLLM's environment is made and which variables it wants.
"""

import math

import pytest
import torch

from avere_requests import chat_requests, option_requests, texts
from model_adapters.avere.adapter import AvereChat
from model_adapters.engines.avere_vllm import AvereVLLM, Row

pytest.importorskip("vllm", reason="vLLM needs an environment of its own: see test_vllm.py")
pytestmark = pytest.mark.slow
SMALL = {"enforce_eager": True, "max_num_seqs": 8, "dtype": "float32", "block_size": 32}
SMALL |= {} if torch.cuda.is_available() else {"distributed_executor_backend": "uni"}
KINDS = ("both", "video", "audio", "blind")
QUESTIONS = ("Why is the person sad? (A) tears (B) a hat", "Is it rain? (A) Yes (B) No", "What is heard?")
OPTIONS = ("A", "B", "falling tears")


@pytest.fixture(scope="module")
def clips(make_clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    looks = ({"level": 16, "tone": 200.0}, {"level": 120, "tone": 900.0}, {"level": 200, "tone": 440.0})
    return [str(make_clip(folder / f"{number}.mp4", **look)) for number, look in enumerate(looks)]


@pytest.fixture(scope="module")
def docs(clips):
    return [{"video": clip, "text": text, "kind": kind} for text in QUESTIONS for clip in clips for kind in KINDS]


@pytest.fixture(scope="module")
def model():
    """AVEm-DPO's adapters on avere-nano: the language model's layers with and without LoRA are both vLLM's."""
    return AvereVLLM(pretrained="avere_nano_dpo", max_errors=0.5, **SMALL)


@pytest.fixture(scope="module")
def base():
    return AvereChat(pretrained="avere_nano", device="cpu")


@pytest.fixture(scope="module")
def trained():
    return AvereChat(pretrained="avere_nano_dpo", device="cpu")


@pytest.fixture(params=["base", "trained"])
def pair(request, model, monkeypatch):
    """vLLM's model and ours with the same weights, with the adapters and without them."""
    if request.param == "base":
        monkeypatch.setattr(model, "lora", None)
    return model, request.getfixturevalue(request.param)


def test_greedy_answers_are_equal(pair, docs):
    found, expected = (model.generate_until(chat_requests(model, docs, max_new_tokens=12)) for model in pair)
    assert texts(found) == texts(expected)
    assert [one.token_counts for one in found] == [one.token_counts for one in expected]
    assert len(set(texts(found))) > 3  # clips and kinds matter, so a mix-up would show


def test_log_probabilities_of_options_are_equal(pair, docs):
    found, expected = (model.loglikelihood(option_requests(model, docs, OPTIONS)) for model in pair)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert max(abs(a - b) for (a, _), (b, _) in zip(found, expected, strict=True)) < 2e-3
    assert len({round(total, 3) for total, _ in found}) > len(OPTIONS)


def test_adapters_are_at_work(model, docs, monkeypatch):
    adapted = model.loglikelihood(option_requests(model, docs[:4], OPTIONS))
    monkeypatch.setattr(model, "lora", None)
    bare = model.loglikelihood(option_requests(model, docs[:4], OPTIONS))
    assert max(abs(a - b) for (a, _), (b, _) in zip(adapted, bare, strict=True)) > 0.01


def test_modalities_leave_a_medium_out(model, docs, monkeypatch):
    both, silent = [doc for doc in docs if doc["kind"] == "both"], [doc for doc in docs if doc["kind"] == "video"]
    expected = model.generate_until(chat_requests(model, silent))
    monkeypatch.setattr(model, "hears", False)
    assert texts(model.generate_until(chat_requests(model, both))) == texts(expected)


def test_media_are_encoded_once_and_their_prefix_is_cached(model, make_clip, tmp_path):
    clip = str(make_clip(tmp_path / "new.mp4", level=64, tone=700.0))
    docs = [{"video": clip, "text": text, "kind": "both"} for text in ("Is it rain?", "Why is the person sad?")]
    encoded, cached = [], []
    core = model.engine.llm_engine.engine_core
    if not hasattr(core, "engine_core"):
        pytest.skip("the engine is in another process: VLLM_ENABLE_V1_MULTIPROCESSING=0")
    network = core.engine_core.model_executor.driver_worker.model_runner.get_model()
    embed = network.embed_multimodal
    network.embed_multimodal = lambda **media: encoded.extend(media) or embed(**media)
    for doc in docs:
        [request] = chat_requests(model, [doc])
        chat = model.read_request(request)
        [(_, output)] = model._asked([Row(chat.clip, model._ids(chat))], lambda _: model._scoring([1]))
        cached.append(output.num_cached_tokens)
    assert sorted(encoded) == ["input_features", "pixel_values_videos"]
    assert cached[0] <= 32  # a block of the text before the media, from other clips
    assert cached[1] >= 64  # media too


def test_a_clip_changed_on_disk_is_encoded_again(model, make_clip, tmp_path):
    clip = tmp_path / "clip.mp4"
    answers = []
    for level, tone in ((16, 200.0), (200, 900.0)):
        make_clip(clip, level=level, tone=tone)
        doc = {"video": str(clip), "text": "Why is the person sad?", "kind": "both"}
        answers.append(model.loglikelihood(option_requests(model, [doc], OPTIONS)))
    assert all(abs(a - b) > 1e-3 for (a, _), (b, _) in zip(*answers, strict=True))


def test_an_unreadable_clip_costs_its_own_questions_only(model, docs, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a film")
    broken = {"video": str(tmp_path / "broken.mp4"), "text": "Why?", "kind": "both"}
    alone = texts(model.generate_until(chat_requests(model, docs[:3])))
    mixed = texts(model.generate_until(chat_requests(model, [*docs[:2], broken, docs[2]])))
    assert mixed[2].startswith("[LMMS_EVAL_REQUEST_FAILED]")
    assert [*mixed[:2], mixed[3]] == alone
    scores = model.loglikelihood(option_requests(model, [*docs[:2], broken], OPTIONS))
    assert [math.isfinite(total) for total, _ in scores] == [True] * 6 + [False] * 3


def test_a_prompt_beyond_the_model_fails_by_itself(model, docs):
    endless = docs[0] | {"text": "Why? " * 2000}
    first, second = texts(model.generate_until(chat_requests(model, [endless, docs[1]])))
    assert first.startswith("[LMMS_EVAL_REQUEST_FAILED]")
    assert not second.startswith("[")
