"""Each adapter notes how it asks, and the results file holds it by task; no model's notes are taken for another's."""

import json
from types import SimpleNamespace

import pytest
from lmms_eval.loggers import EvaluationTracker

from chat_requests import ask
from emorealm_tasks import plugin
from emorealm_tasks.harness import request_settings
from emorealm_tasks.harness.response_cache import register
from model_adapters.avere.adapter import AvereChat
from model_adapters.engines.openai_server import OpenAIAV
from model_adapters.external_worker.adapter import ExternalWorker
from model_adapters.in_process.audio_visual import Qwen25OmniAV

CONFIGS = {"t": {"output_type": "generate_until", "generation_kwargs": {"max_new_tokens": 16, "temperature": 0}}}


@pytest.fixture(autouse=True)
def nothing_noted():
    request_settings.forget()
    yield
    request_settings.forget()


def saved(folder):
    """What lmms-eval's writer leaves in the results file of how the model was asked."""
    plugin.register()
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.model_name_sanitized = "m"
    tracker.general_config_tracker.start_time = 0.0
    tracker.save_results_aggregated(results={"results": {"t": {}}, "configs": CONFIGS}, samples={}, datetime_str="now")
    [path] = folder.rglob("*_results.json")
    return json.loads(path.read_text()).get("asked")


def test_a_chat_models_run_holds_how_it_was_asked(tiny_omni, clips, tmp_path):
    model = Qwen25OmniAV(pretrained=str(tiny_omni), device="cpu", interleave=False, frames=4, vcd_alpha=1)
    ask(model, [("Why?", clips[0], clips[0])])
    asked = saved(tmp_path)["t"]
    prompt = asked.pop("prompt")
    assert "<|VIDEO|><|vision_eos|><|audio_bos|><|AUDIO|>" in prompt
    assert "{question}" in prompt
    assert asked.pop("system").startswith("You are Qwen")
    assert asked.pop("picture")["shortest_edge"] > 0
    assert asked == {
        "modalities": "av",
        "fps": 2.0,
        "frames": 4,
        "least_frames": 4,
        "contrastive": {"alpha": 1.0, "beta": 0.1, "step": 500, "modalities": "av"},
        "dtype": "float32",
        "interleave": False,
        "decoder": "pyav",
        "av_mode": None,
        "answer": "generate_until",
        "max_new_tokens": 16,
        "temperature": 0,
    }


def test_avere_notes_its_prompt_and_frames(tiny_avere, clips, tmp_path):
    ask(AvereChat(pretrained=str(tiny_avere), device="cpu"), [("Why?", clips[0], clips[0])])
    asked = saved(tmp_path)["t"]
    assert asked["prompt"].endswith("<audio>\n{question} ASSISTANT:")
    assert (asked["frames"], asked["dtype"], asked["contrastive"]) == (4, "float32", None)


def test_a_worker_notes_what_its_script_is_told():
    worker = ExternalWorker(worker="tests/helpers/echo_worker.py", options="b=2;a=1", device="cpu")
    try:
        assert worker.ways()["options"] == ["a=1", "b=2"]
        assert "video+audio" in worker.ways()["modalities"]
    finally:
        worker.clean()


def test_a_server_that_takes_the_frames_has_none_of_ours():
    by_frames = OpenAIAV(model="m", base_url="http://127.0.0.1:9/v1", frames=6).ways()
    whole = OpenAIAV(model="m", base_url="http://127.0.0.1:9/v1", video_as="video").ways()
    assert (by_frames["frames"], by_frames["video_as"]) == (6, "frames")
    assert (whole["frames"], whole["video_as"]) == (None, "video")


def test_answers_from_the_cache_are_no_reason_not_to_know(monkeypatch, tmp_path):
    from lmms_eval.caching.response_cache import ResponseCache

    monkeypatch.setattr(ResponseCache, "execute", lambda self, lm, reqtype, requests: [])
    register()
    ResponseCache.execute(None, SimpleNamespace(ways=lambda: {"frames": 8}), "generate_until", [])
    assert saved(tmp_path)["t"]["frames"] == 8


@pytest.mark.slow
def test_of_a_foreign_model_nothing_is_said(tmp_path):
    request_settings.note({"frames": 8})
    from lmms_eval.tasks import TaskManager

    plugin.register()
    TaskManager()  # lmms-eval builds one an evaluation, before its model
    request_settings.note_of(SimpleNamespace())
    assert saved(tmp_path) is None
