"""What `avere_vllm` hands to its engine, without vLLM; tests/end_to_end/test_vllm_avere.py asks vLLM itself."""

import ast
import dataclasses
import json
import math
import shutil
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from avere_requests import chat_requests, option_requests, texts
from model_adapters.avere.clips import decode
from model_adapters.base.embedded import NANO
from model_adapters.base.media_refs import MediaFile
from model_adapters.engines.avere_vllm import AvereVLLM
from model_adapters.engines.clips_ahead import ClipsAhead

ROOT = Path(__file__).resolve().parents[4]
QUESTIONS = ("Why is the person sad?", "Is it rain?")
EOS = 2


@dataclasses.dataclass
class EngineArgs:
    """A few of vLLM's arguments."""

    model: str = ""
    dtype: str = "auto"
    tensor_parallel_size: int = 1
    skip_tokenizer_init: bool = False


class LLM:
    """Says the tenth token twice, and that log-probabilities are minus a token's id."""

    def __init__(self, model, **options):
        self.model, self.options, self.prompts, self.waiting, self.submissions = model, options, [], [], []
        self.model_config = SimpleNamespace(dtype=torch.float32)

    def enqueue(self, prompt, params, use_tqdm, **more):
        if len(prompt["prompt_token_ids"]) > 300:
            raise ValueError("the prompt is longer than the model")
        self.prompts.append((prompt, params, more))
        self.waiting.append((prompt, params))

    def wait_for_completion(self, use_tqdm):
        done, self.waiting = self.waiting, []
        self.submissions.append(len(done))
        return [self.answer(prompt["prompt_token_ids"], vars(params)) for prompt, params in done]

    def answer(self, prompt_ids, params):
        said = [10, 10, EOS][: params["max_tokens"]]
        wanted = params.get("logprob_token_ids", [])
        steps = [{id_: SimpleNamespace(logprob=-float(id_)) for id_ in {*wanted, token}} for token in said]
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=said, logprobs=steps)], prompt_token_ids=prompt_ids)


@pytest.fixture
def load(monkeypatch, tiny_avere):
    module, model_registry, lora = ModuleType("vllm"), SimpleNamespace(archs={}), ModuleType("vllm.lora.request")
    model_registry.get_supported_archs = model_registry.archs.keys
    model_registry.register_model = model_registry.archs.__setitem__
    module.LLM, module.EngineArgs, module.SamplingParams = LLM, EngineArgs, SimpleNamespace
    module.ModelRegistry = model_registry
    lora.LoRARequest = lambda name, number, path: (name, path)
    for name, one in (("vllm", module), ("vllm.lora", ModuleType("vllm.lora")), ("vllm.lora.request", lora)):
        monkeypatch.setitem(sys.modules, name, one)
    return lambda **arguments: AvereVLLM(**{"pretrained": str(tiny_avere)} | arguments)


@pytest.fixture
def docs(clips):
    return [{"video": clip, "text": text, "kind": "both"} for text in QUESTIONS for clip in clips]


def test_vllm_finds_the_model_by_the_entry_point(load):
    """vLLM's other processes learn of it in no other way."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [entry] = project["entry-points"]["vllm.general_plugins"].values()
    EntryPoint("avere", entry, "vllm.general_plugins").load()()
    [(architecture, named)] = sys.modules["vllm"].ModelRegistry.archs.items()
    assert json.loads((NANO / "config.json").read_text())["architectures"] == [architecture]
    module, _, name = named.partition(":")
    source = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    assert name in [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]


def test_the_engine_gets_what_avere_is_given(load, docs):
    model = load()
    answers = model.generate_until(chat_requests(model, docs, max_new_tokens=7))
    said = model.processor.tokenizer.decode([10, 10]).strip()
    assert texts(answers) == [said] * len(docs)
    assert answers[0].token_counts.output_tokens == 2
    prompt, params, more = model.engine.prompts[0]
    doc = next(doc for doc in docs if doc["video"] in prompt["multi_modal_uuids"]["video"][0])
    question = model.processor.prompt(doc["text"], video=True, audio=True)
    assert prompt["prompt_token_ids"] == model.processor.encode_prompt(question)
    for kind in ("video", "audio"):
        [values] = prompt["multi_modal_data"][kind]
        assert torch.equal(values, decode(model.processor, MediaFile(kind, doc["video"])).values)
    assert (params.max_tokens, params.temperature, params.stop_token_ids) == (7, 0.0, [EOS])
    assert model.engine.options["enable_prefix_caching"]
    assert more == {}


def test_all_questions_are_submitted_at_once_those_about_a_clip_in_a_row(load, docs):
    model = load()
    model.generate_until(chat_requests(model, docs))
    assert model.engine.submissions == [len(docs)]
    asked = [prompt["multi_modal_uuids"]["video"][0] for prompt, _, _ in model.engine.prompts]
    assert asked == sorted(asked)
    assert len(set(asked)) == len(docs) / len(QUESTIONS)
    few = load(queue=4)
    few.generate_until(chat_requests(few, docs))
    assert few.engine.submissions == [4, 2]


def test_each_clip_is_decoded_once(load, docs, monkeypatch):
    decoded = []
    original = decode
    monkeypatch.setattr(
        "model_adapters.engines.avere_vllm.decode", lambda *given: decoded.append(given[1]) or original(*given)
    )
    model = load()
    model.generate_until(chat_requests(model, docs))
    assert len(decoded) == len(set(decoded)) == len(docs)  # a picture and a sound for each clip, two questions about it


def test_options_share_what_comes_before_their_tokens(load, docs):
    model = load()
    options = ("tears", "tea", "rain")
    scores = model.loglikelihood(option_requests(model, docs, options))
    question = model.processor.prompt(docs[0]["text"], video=True, audio=True)
    start = len(model.processor.encode_prompt(question))
    ids = [model.processor.encode_prompt(question + option)[start:] for option in options]
    assert [total for total, _ in scores[:3]] == [-sum(one) for one in ids]
    assert not any(greedy for _, greedy in scores)
    before = {tuple(one[:place]) for one in ids for place in range(len(one))}
    assert model.engine.submissions == [len(before) * len(docs)]
    assert all(params.max_tokens == 1 for _, params, _ in model.engine.prompts)


def test_what_the_engine_would_say_itself_is_greedy(load, docs, monkeypatch):
    model = load()
    monkeypatch.setattr(model, "_ids", lambda chat, continuation="": (5,) if not continuation else (5, 10))
    assert model.loglikelihood(option_requests(model, docs[:1], ["x"])) == [(-10.0, True)]


@pytest.mark.parametrize("modalities", ["a", "v", "av"])
def test_modalities_say_what_is_sent(load, docs, modalities):
    model = load(modalities=modalities)
    model.generate_until(chat_requests(model, docs[:1]))
    [(prompt, _, _)] = model.engine.prompts
    kinds = {"a": {"audio"}, "v": {"video"}, "av": {"audio", "video"}}[modalities]
    assert prompt["multi_modal_data"].keys() == prompt["multi_modal_uuids"].keys() == kinds
    assert model.processor.encode_prompt(model.ways()["prompt"])[:40] == prompt["prompt_token_ids"][:40]
    assert model.ways()["modalities"] == modalities


def test_a_blind_question_has_no_media(load, docs):
    model = load()
    model.generate_until(chat_requests(model, [docs[0] | {"kind": "blind"}]))
    [(prompt, _, _)] = model.engine.prompts
    assert prompt.keys() == {"prompt_token_ids"}


def test_failures_cost_their_own_questions_only(load, docs, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a film")
    broken = docs[0] | {"video": str(tmp_path / "broken.mp4")}
    model = load(max_errors=1.0)
    asked = [docs[0], broken, docs[1] | {"text": "Why? " * 100}]
    good, unreadable, endless = texts(model.generate_until(chat_requests(model, asked)))
    assert not good.startswith("[")
    assert "broken.mp4" in unreadable
    assert "longer than the model" in endless
    scores = [total for total, _ in model.loglikelihood(option_requests(model, asked, ["A"]))]
    assert [math.isfinite(total) for total in scores] == [True, False, False]


def test_logits_that_are_no_numbers_are_failures(load, docs, monkeypatch):
    model = load(max_errors=1.0)
    answer = model.engine.answer

    def broken(ids, params):
        output = answer(ids, params)
        for step in output.outputs[0].logprobs:
            step.update({id_: SimpleNamespace(logprob=math.nan) for id_ in step})
        return output

    monkeypatch.setattr(model.engine, "answer", broken)
    [text] = texts(model.generate_until(chat_requests(model, docs[:1])))
    assert text.startswith("[LMMS_EVAL_REQUEST_FAILED]")
    assert model.loglikelihood(option_requests(model, docs[:1], ["A"])) == [(-math.inf, False)]


def test_adapters_go_with_every_prompt(load, docs):
    model = load(pretrained="avere_nano_dpo")
    model.generate_until(chat_requests(model, docs[:1]))
    [(_, _, more)] = model.engine.prompts
    assert more["lora_request"][0] == "avere_nano_dpo"
    assert (model.engine.options["enable_lora"], model.engine.options["max_lora_rank"]) == (True, 8)
    assert "+" in model.fingerprint


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"tensor_parallel": 2}, "did you mean 'tensor_parallel_size'"),
        ({"skip_tokenizer_init": False}, "unknown model argument 'skip_tokenizer_init'"),
        ({"frames": 4}, "frames=4: AVERE has its own prompt and number of frames"),
        ({"pretrained": "/nowhere"}, "/nowhere cannot be used as weights"),
        ({"modalities": "x"}, "use one of av, a, v"),
        ({"adapter": "/nowhere"}, "there is no adapter_config.json there"),
    ],
)
def test_bad_arguments_end_in_one_line(load, arguments, line, capsys):
    with pytest.raises(SystemExit) as caught:
        load(**arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("emorealm:") == 1


def test_sampling_is_refused(load, docs, capsys):
    model = load()
    with pytest.raises(SystemExit):
        model.generate_until(chat_requests(model, docs[:1], temperature=0.7))
    assert "asks for sampling or beams" in capsys.readouterr().err


def test_the_embedded_model_answers_the_mini_tasks_only(load, docs, capsys, monkeypatch):
    monkeypatch.delenv("EMOREALM_AVERE", raising=False)
    model = load(pretrained=None)
    with pytest.raises(SystemExit):
        model.generate_until(chat_requests(model, docs[:1], task="emorealm_reasoning"))
    assert "avere_vllm: the embedded avere-nano answers the emorealm_mini tasks only" in capsys.readouterr().err


def test_without_vllm_the_remedy_is_said(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(SystemExit) as caught:
        AvereVLLM()
    assert caught.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "pip install 'emorealm[vllm]'" in line


def test_a_damaged_adapter_ends_in_one_line(load, tmp_path, capsys):
    adapter = shutil.copytree(NANO.with_name("avere_nano_dpo"), tmp_path / "adapter")
    config = (adapter / "adapter_config.json").read_text().replace('"r": 8', '"r": "many"')
    (adapter / "adapter_config.json").write_text(config)
    with pytest.raises(SystemExit) as caught:
        load(pretrained="avere_nano", adapter=str(adapter), nano_anyway=True)
    assert caught.value.code == 2
    assert str(adapter) in capsys.readouterr().err


def test_clips_are_read_in_order_and_a_failure_is_raised_each_time():
    def read(clip):
        if clip == 2:
            raise ValueError("two")
        return clip * 10

    clips = ClipsAhead(read, range(20))
    assert [clips(0), clips(0), clips(1)] == [0, 0, 10]
    for _ in range(2):
        with pytest.raises(ValueError, match="two"):
            clips(2)
    assert clips(19) == 190
