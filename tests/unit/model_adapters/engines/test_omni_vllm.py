"""What `qwen2_5_omni_vllm` hands to its engine, without vLLM; tests/end_to_end/test_vllm.py asks vLLM itself."""

import dataclasses
import shutil
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import tiny_models
from chat_requests import ask
from emorealm_tasks import media
from model_adapters.engines.omni_vllm import Qwen25OmniVLLM
from model_adapters.engines.vllm_positions import AlignedPositions, with_marks
from model_adapters.in_process.audio_visual import Qwen25OmniAV


@dataclasses.dataclass
class EngineArgs:
    """A few of vLLM's arguments."""

    model: str = ""
    tensor_parallel_size: int = 1
    limit_mm_per_prompt: dict = dataclasses.field(default_factory=dict)
    enable_prefix_caching: bool = False


class LLM:
    """Answers with the number of a prompt, refuses prompts that say so, and keeps what it was asked."""

    def __init__(self, model, **options):
        self.options, self.prompts, self.waiting, self.submissions = options, [], [], []

    def collective_rpc(self, method):
        assert hasattr(AlignedPositions, method)

    def get_default_sampling_params(self):
        return SimpleNamespace(repetition_penalty=1.05, temperature=0.7, top_p=0.8, top_k=20, max_tokens=16)

    def enqueue(self, prompt, params, use_tqdm):
        if "too long" in prompt["prompt"]:
            raise ValueError("the prompt is longer than the model")
        self.prompts.append((prompt, params))
        self.waiting.append(prompt)
        return ["0-abc"]

    def wait_for_completion(self, use_tqdm):
        done, self.waiting = self.waiting, []
        self.submissions.append(len(done))
        said = [prompt["prompt"].split("<|im_end|>")[-2].split(">")[-1].removeprefix("user\n") for prompt in done]
        outputs = [[SimpleNamespace(text=text, token_ids=[1])] for text in said]
        return [SimpleNamespace(outputs=output, prompt_token_ids=[1, 2]) for output in outputs]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_omni):
    return str(tiny_models.whole_omni(tiny_omni, tmp_path_factory.mktemp("whole")))


@pytest.fixture
def load(monkeypatch, whole):
    module = ModuleType("vllm")
    module.LLM, module.EngineArgs = LLM, EngineArgs
    monkeypatch.setitem(sys.modules, "vllm", module)
    return lambda **arguments: Qwen25OmniVLLM(pretrained=whole, **arguments)


@pytest.fixture(scope="module")
def clip(make_clip, tmp_path_factory):
    return str(make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", seconds=3, size=64))


def test_the_engine_gets_frames_sound_and_the_rate_they_belong_together_by(load, clip):
    model = load(frames=4)
    assert ask(model, [("Why?", clip, clip)], max_new_tokens=7) == ["Why?"]
    [(prompt, params)] = model.engine.prompts
    frames, times = media.read_frames(clip, 4)
    [video], [(wave, rate)] = (prompt["multi_modal_data"][kind] for kind in ("video", "audio"))
    assert np.array_equal(video, frames)
    assert (len(wave) / rate, rate) == (pytest.approx(3, abs=0.2), 16000)
    told = prompt["mm_processor_kwargs"]
    assert told["fps"] == pytest.approx(3 / (times[-1] - times[0]))
    assert told["use_audio_in_video"]
    assert told["second_per_grid_ts"] == [pytest.approx(2 / told["fps"])]
    assert prompt["prompt"].count("<|VIDEO|>") == 1
    assert "<|AUDIO|>" not in prompt["prompt"]
    assert "You are Qwen" in prompt["prompt"]
    assert (params.temperature, params.top_p, params.top_k, params.max_tokens) == (0.0, 1.0, 0, 7)
    assert params.repetition_penalty == 1.05  # the checkpoint's own, as transformers takes it


def test_sound_may_have_a_block_of_its_own_and_a_blind_question_has_none(load, clip):
    model = load(interleave=False)
    ask(model, [("Why?", clip, clip), ("Who?", None, None)])
    prompts = {
        name: prompt for prompt, _ in model.engine.prompts for name in ("Why?", "Who?") if name in prompt["prompt"]
    }
    assert "<|VIDEO|><|vision_eos|><|audio_bos|><|AUDIO|>" in prompts["Why?"]["prompt"]
    assert "use_audio_in_video" not in prompts["Why?"]["mm_processor_kwargs"]
    assert prompts["Who?"].keys() == {"prompt"}


def test_it_is_asked_as_the_model_in_this_process(load, tiny_omni):
    for interleave in (True, False):
        ours = Qwen25OmniAV(pretrained=str(tiny_omni), device="cpu", interleave=interleave).ways()
        assert load(interleave=interleave).ways() == {name: way for name, way in ours.items() if name != "dtype"}


def test_adapters_are_refused_and_never_left_out_in_silence(load, tmp_path, capsys):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "Qwen/Qwen2.5-Omni-7B"}')
    for arguments, said in (
        (
            {"pretrained": str(tmp_path)},
            f"{tmp_path} holds adapters alone, which vLLM is not given here; ask them",
        ),
        ({"pretrained": "Qwen/Qwen2.5-Omni-7B", "enable_lora": True}, "enable_lora=True: vLLM is not given adapters"),
    ):
        with pytest.raises(SystemExit) as left:
            Qwen25OmniVLLM(**arguments)
        assert left.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
        assert "--model qwen2_5_omni_av --model_args pretrained=" in line


def test_marks_around_interleaved_media_have_the_positions_of_transformers():
    """<vision_bos> at 4 and <audio_bos> share it; then three tokens of pictures and one of sound; both ends share 7."""
    media_tokens = np.array([[5, 5, 5, 6], [5, 5, 5, 6], [5, 6, 5, 6]])
    assert with_marks(media_tokens, 5).tolist() == [[4, 5, 5, 5, 6, 7, 7], [4, 5, 5, 5, 6, 7, 7], [4, 5, 6, 5, 6, 7, 7]]


def test_positions_are_aligned_once_and_only_where_marks_are_not_counted():
    class Model:
        counted = 0

        def _compute_audio_token_count(self, length):
            return length

        def _compute_interleaved_positions(self, start, media):
            tokens = media["grid_t"] * media["grid_h"] * media["grid_w"] + media["audio_feature_length"]
            return np.full((3, tokens + self.counted), start), tokens + self.counted

    worker = AlignedPositions()
    worker.model_runner = SimpleNamespace(get_model=Model)
    assert [worker.align_positions(), worker.align_positions()] == [True, False]
    asked = {"grid_t": 1, "grid_h": 2, "grid_w": 2, "audio_feature_length": 3}
    positions, count = Model()._compute_interleaved_positions(9, asked)
    assert (positions.shape, count) == ((3, 10), 10)
    Model.counted = 3
    positions, count = Model()._compute_interleaved_positions(9, asked)
    assert (positions.shape, count) == ((3, 10), 10)
    assert (positions == 9).all()


def test_all_questions_are_submitted_at_once_and_answers_keep_their_order(load, clip):
    model = load(tensor_parallel_size=2)
    docs = [(f"question {n}", clip if n % 2 else None, None) for n in range(7)]
    assert ask(model, docs) == [text for text, *_ in docs]
    assert model.engine.submissions == [7]
    assert model.engine.options["tensor_parallel_size"] == 2
    assert model.engine.options["enable_prefix_caching"] is True
    small = load(queue=3)
    assert ask(small, docs) == [text for text, *_ in docs]
    assert small.engine.submissions == [3, 3, 1]


def test_a_question_that_the_engine_refuses_costs_only_itself(load, clip, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a film")
    model = load(max_errors=0.7)
    docs = [("too long", clip, clip), ("good", clip, clip), ("broken", str(tmp_path / "broken.mp4"), None)]
    first, good, last = ask(model, docs)
    assert first == "[LMMS_EVAL_REQUEST_FAILED] ValueError: the prompt is longer than the model"
    assert good == "good"
    assert "broken.mp4" in last
    model.max_errors = 0.5
    with pytest.raises(SystemExit):
        ask(model, docs)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"tensor_parallel": 2}, "did you mean 'tensor_parallel_size'"),
        ({"pretrained": "/nowhere"}, "/nowhere: its config.json cannot be read"),
        ({"interleave": "often"}, "use true or false"),
        ({"queue": 0}, "queue=0 is out of range"),
    ],
)
def test_bad_arguments_end_in_one_line(load, whole, arguments, line, capsys):
    with pytest.raises(SystemExit) as caught:
        load() and Qwen25OmniVLLM(**{"pretrained": whole} | arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("emorealm:") == 1


def test_a_thinker_alone_is_refused_before_the_engine_starts(load, tiny_omni, capsys):
    with pytest.raises(SystemExit):
        load() and Qwen25OmniVLLM(pretrained=str(tiny_omni))
    assert "name a whole Qwen2.5-Omni checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_files_that_hold_a_list_end_in_one_line(load, whole, tmp_path, capsys, name):
    broken = shutil.copytree(whole, tmp_path / "broken")
    (broken / name).write_text("[1, 2]")
    with pytest.raises(SystemExit) as caught:
        load() and Qwen25OmniVLLM(pretrained=str(broken))
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("emorealm:") == 1


def test_several_processes_are_refused(load, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit):
        load()
    assert "tensor_parallel_size=N uses N GPUs" in capsys.readouterr().err


def test_without_vllm_the_remedy_is_said(whole, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(SystemExit) as caught:
        Qwen25OmniVLLM(pretrained=whole)
    assert caught.value.code == 2
    assert "pip install 'emorealm[vllm]'" in capsys.readouterr().err
