"""Each worker script, in a process of its own, against a stub of its official repository: what it calls, with what."""

import ast
import json
import os
import pickle
import subprocess
import sys

import pytest

import stub_repositories
from model_adapters.catalogue import MODELS, WORKER, find
from model_adapters.external_worker.environment import SCRIPTS
from worker_session import OFFICIAL, OPTIONS, Session


@pytest.fixture
def ask(tmp_path):
    def run(name, *kinds, **how):
        session = Session(tmp_path, name, kinds, **how)
        assert session.hello["error"] is None, session.errors
        assert session.status == 0
        assert [reply["id"] for reply in session.replies] == list(range(len(kinds)))
        return session

    return run


def texts(session):
    assert [reply["error"] for reply in session.replies] == [None] * len(session.replies), session.errors
    return [reply["text"] for reply in session.replies]


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_it_greets_answers_and_reports_what_it_gave(ask, name):
    kind = "audio" if name == "kimi_audio" else "both"
    session = ask(name, kind, kind)
    assert texts(session) == ["B", "B"]
    assert session.hello["protocol"] == 1
    assert session.hello["model"]
    assert session.hello["versions"]["commit"] == "0123abcd"
    assert {"audio": "audio", "both": "video+audio"}[kind] in session.hello["modalities"]
    taken = "+".join(session.hello["modalities"])
    assert ("audio" in taken, "video" in taken) == (find(name).hears, find(name).sees)
    for reply in session.replies:
        assert reply["media"]["audio_seconds"] == 3.0
        assert (reply["media"]["frames"] > 0) == (kind == "both")


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_unreadable_sound_is_an_error_and_never_an_answer(ask, name):
    session = ask(name, "broken", "audio" if name == "kimi_audio" else "both")
    assert "/no/such.wav: not a readable wav file" in session.replies[0]["error"]
    assert session.replies[0]["text"] is None
    assert session.replies[1]["text"] == "B"


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_without_weights_it_says_which(tmp_path, name):
    session = Session(tmp_path, name, [], checkpoint=None)
    assert session.status == 3
    assert session.hello["error"].startswith("name the weights with checkpoint=")


def test_the_catalogue_and_the_page_name_every_script():
    scripts = {path.stem for path in SCRIPTS.glob("*.py")} - {"__init__", "protocol"}
    assert scripts == {model.name for model in MODELS if model.route == WORKER}
    page = (SCRIPTS / "README.md").read_text(encoding="utf-8")
    assert all(f"## `{name}`" in page for name in scripts)


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_python_3_8_reads_it_and_it_imports_nothing_of_ours(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name.split(".")[0] in ("emorealm_tasks", "model_adapters", "avem_train")}
    assert not ours or path.stem == "avere_native"  # whose repository is this one
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & {"removeprefix", "removesuffix"}  # of 3.9


def test_videollama2(ask):
    session = ask("videollama2", "both", "video", "audio", "blind")
    assert texts(session) == ["B"] * 4
    assert session.one("model_init")["args"] == ["weights"]
    assert [call["named"]["va"] for call in session.of("video")] == [False, False]
    assert session.one("process_audio_from_video")["args"] == [str(session.wav)]
    both, seen, heard, blind = session.of("mm_infer")
    assert both["args"] == [{"video": "pixels", "audio": "pieces"}, "Why? (A) x (B) y"]
    assert [call["args"][0] for call in (seen, heard, blind)] == ["pixels", "banks", None]
    assert [call["named"]["modal"] for call in (both, seen, heard, blind)] == ["video", "video", "audio", "text"]
    assert both["named"] | {"do_sample": False, "max_new_tokens": 16} == both["named"]


def test_ola(ask):
    session = ask("ola", "both", "video", "audio", "blind")
    assert texts(session) == ["B"] * 4
    assert session.one("load_pretrained_model")["args"] == ["weights", None]
    prompts = [call for call in session.calls if call["call"].startswith("tokenizer_")]
    assert [(call["call"], call["args"]) for call in prompts] == [
        ("tokenizer_speech_image_token", ["USER: <speech><image>\nWhy? (A) x (B) yBOT: ", -200]),
        ("tokenizer_image_token", ["USER: <image>\nWhy? (A) x (B) yBOT: ", -200]),
        ("tokenizer_speech_token", ["USER: <speech>\nWhy? (A) x (B) yBOT: ", -300]),
        ("tokenizer_image_token", ["USER: Why? (A) x (B) yBOT: ", -200]),
    ]
    assert session.of("numpy.linspace")[0]["args"] == [0, 23, 64]
    assert session.of("librosa.load")[0] | {"args": [str(session.wav)], "named": {"sr": 16000}} in session.calls
    generated = [call["named"] for call in session.of("generate")]
    assert [call["modalities"] for call in generated] == [["video"], ["video"], ["text"], ["text"]]
    assert [len(call["images"]) for call in generated] == [1] * 4  # a sample each, whatever its frames
    assert all(call["do_sample"] is False and call["max_new_tokens"] == 16 for call in generated)
    assert session.of("stop")[0]["args"] == [["<end>"]]


def test_vita(ask):
    session = ask("vita", "both", "video", "audio", "blind")
    assert texts(session) == ["B"] * 4  # the mark of its state and the end mark are cut off
    assert session.one("load_pretrained_model")["args"] == ["weights", None, "VITA-1.5", "qwen2p5_instruct"]
    assert session.one("load_model")
    assert session.of("get_batch")[0]["args"] == ["/clips/v.mp4", [0, 0, 0, 12]]  # 2 s as 4 frames
    assert session.of("preprocess")[0]["args"] == [[30, 30]]  # padded to a square
    assert [call["args"][0] for call in session.of("tokenizer_image_audio_token")] == [
        "USER: <image><image><image><image>\nWhy? (A) x (B) y<audio>BOT: ",
        "USER: Why? (A) x (B) y<audio>BOT: ",
    ]
    assert [call["args"] for call in session.of("get_prompt")] == [["video"], ["video"], ["lang"], ["lang"]]
    assert [call["args"] for call in session.of("process")] == [[str(session.wav)]] * 2
    assert all(call["named"]["do_sample"] is False for call in session.of("generate"))


def test_vita_made_deaf(ask):
    assert ask("vita", "video", options=["sound=none"]).hello["modalities"] == ["video", "text"]


def test_pandagpt(ask):
    session = ask("pandagpt", "both", "audio")
    made = session.one("OpenLLAMAPEFTModel")["named"]
    assert (made["vicuna_ckpt_path"], made["imagebind_ckpt_path"], made["max_tgt_len"]) == ("V", "I", 1024)
    assert (made["stage"], made["lora_r"], made["lora_alpha"]) == (2, 32, 32)
    assert session.one("load_state_dict")["named"] == {"strict": False}
    both, heard = (call["named"] for call in session.of("generate"))
    assert (both["video_paths"], both["audio_paths"]) == (["/clips/v.mp4"], [str(session.wav)])
    assert (heard["video_paths"], heard["audio_paths"]) == ([], [str(session.wav)])
    assert both["prompt"] == "Why? (A) x (B) y"
    # 16 tokens and the two that it cuts off; greedy though the repository says do_sample=True
    assert session.of("llama.generate")[0]["named"] == {"max_new_tokens": 18, "do_sample": False}


@pytest.mark.parametrize("name", ["onellm", "pandagpt"])
def test_a_checkpoint_that_is_a_pickle_of_anything_else_is_refused_by_every_torch(ask, name):
    kept = [call for call in ask(name, "both").of("torch.load") if "checkpoint" in str(call) or "weights" in str(call)]
    assert kept
    assert all(call["named"]["weights_only"] is True for call in kept)


def test_video_llama(ask):
    session = ask("video_llama", "both", "video", "both")
    options = session.one("Config")
    assert options["args"][0] == 'model:\n  ckpt: "path"\n', "the released line of the language model is no YAML"
    assert {"model.llama_model=L", "model.ckpt=weights", "model.ckpt_2=A"} <= set(options["args"][1])
    sounds = session.of("load_and_transform_audio_data")
    assert [call["args"] for call in sounds] == [[[str(session.wav)], "cpu"]] * 2
    assert [call["args"] for call in session.of("upload_video")] == [["/clips/v.mp4", "", "pieces"]] * 2
    assert session.one("upload_video_without_audio")["args"] == ["/clips/v.mp4"]
    assert [call["args"][1] for call in session.of("answer")] == [2, 1, 2]
    assert all(call["named"] == {"max_new_tokens": 16, "do_sample": False} for call in session.of("llama.generate"))


def test_onellm_takes_both_one_behind_the_other(ask):
    session = ask("onellm", "both", "video", "audio")
    assert texts(session) == ["B"] * 3
    model = ["onellm", "config/llama2/7B.json", None, "config/llama2/tokenizer.model"]
    assert session.one("MetaModel")["args"] == model
    assert session.of("load_and_transform_video_data")[0]["args"][2:] == [1, 5]
    assert session.of("make_audio_features")[0]["args"] == [str(session.wav), 128]
    parts = ["tokens of video", "end of video", "start of audio", "tokens of audio"]
    assert session.one("cat")["args"] == [parts, 1]
    assert [call["args"] for call in session.of("prefix")] == [
        ["start of video", "joined", "end of audio"],
        ["start of video", "tokens of video", "end of video"],
        ["start of audio", "tokens of audio", "end of audio"],
    ]
    assert all(call["named"]["temperature"] == 0.0 for call in session.of("generate"))
    group = session.one("torch.distributed.init_process_group")["named"]
    assert group["init_method"].startswith("file://")


@pytest.mark.parametrize("media", ["video", "audio"])
def test_onellm_the_released_way(ask, media):
    assert ask("onellm", media, options=[f"media={media}"]).hello["modalities"] == [media, "text"]


def test_emotion_llama_released(ask):
    session = ask("emotion_llama_released", "both", "both")
    assert {"model.llama_model=L", "model.ckpt=weights", "model.low_resource=False"} == set(
        session.one("Config")["args"][1]
    )
    assert session.of("encode_img")[0]["args"] == ["/clips/v.mp4", "samples", 16000]
    turns = session.of("answer")[0]["args"][0]
    assert turns == [
        ["<s>[INST] ", "<video><VideoHere></video> <feature><FeatureHere></feature>"],
        ["<s>[INST] ", "Why? (A) x (B) y"],
    ]
    assert len(session.of("HubertModel")) == len(session.of("Wav2Vec2FeatureExtractor")) == 1  # kept between questions
    assert session.of("llama.generate")[0]["named"] == {"max_new_tokens": 16, "do_sample": False}


def test_kimi_audio(ask):
    session = ask("kimi_audio", "audio")
    assert session.one("KimiAudio")["named"] == {"load_detokenizer": False}
    asked = session.one("generate")
    assert [(turn["message_type"], turn["content"]) for turn in asked["args"][0]] == [
        ("text", "Why? (A) x (B) y"),
        ("audio", str(session.wav)),
    ]
    assert asked["named"] == {"output_type": "text", "text_temperature": 0.0, "max_new_tokens": 16}
    assert session.hello["modalities"] == ["audio"]


def test_released_avere(ask):
    session = ask("avere_official", "both", "video", "audio")
    assert texts(session) == ["B"] * 3
    assert session.one("load_pretrained_model")["args"] == ["weights", None, "AVERE-7B", False, False]
    assert session.one("tokenizer_audio_and_image_token")["args"][0] == (
        "USER: " + "<image>" * 8 + "\n<audio>\nWhy? (A) x (B) yBOT: "
    )
    assert session.one("tokenizer_image_token")["args"][1] == -200
    assert session.one("tokenizer_audio_token")["args"][1] == -300
    assert session.of("see")[0]["args"] == [["/clips/v.mp4"], ["CenterCropVideo"]]  # nothing is mirrored
    both, seen, heard = (call["named"] for call in session.of("generate"))
    assert both["do_sample"] is False
    assert both["use_cache"] is False
    assert (seen["audios"], heard["images"]) == (None, None)
    assert session.of("stop")[0]["args"] == [["</s>"]]


def test_released_avere_as_it_samples(ask):
    session = ask("avere_official", "both", options=["faithful=yes"])
    asked = session.one("generate")["named"]
    assert (asked["do_sample"], asked["temperature"]) == (True, 0.1)
    assert "RandomHorizontalFlipVideo" in session.one("see")["args"][1]
    assert session.one("torch.manual_seed")["args"] == [0]


def test_mosear_refuses(tmp_path):
    session = Session(tmp_path, "mosear", [])
    assert session.status == 3
    assert "code is not public" in session.hello["error"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["medai=both"], "did you mean 'media'"),
        (["media=smell"], "use both, video or audio"),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, words):
    session = Session(tmp_path, "onellm", [], options=options)
    assert words in session.hello["error"]


def test_needed_options_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(OPTIONS, "pandagpt", ["vicuna=V"])
    assert "imagebind=..." in Session(tmp_path, "pandagpt", []).hello["error"]


def test_a_repository_that_prints_reads_and_lacks_parts_does_not_disturb_the_protocol(tmp_path, monkeypatch):
    noisy = "import os, sys\nprint('loading')\nos.system('echo from a child')\nassert sys.stdin.read() == ''\n"
    monkeypatch.setitem(OFFICIAL, "kimi_audio", {"kimia_infer/__init__.py": noisy})
    session = Session(tmp_path, "kimi_audio", ["audio"])
    assert session.hello["error"].startswith("ModuleNotFoundError: No module named 'kimia_infer.api'")
    assert "loading" in session.errors
    assert "from a child" in session.errors


def test_a_lost_device_ends_the_worker_so_that_a_fresh_one_starts(tmp_path, monkeypatch):
    lost = stub_repositories.KIMI_AUDIO["kimia_infer/api/kimia.py"].replace(
        'return None, " B"', 'raise RuntimeError("CUDA error: device-side assert triggered")'
    )
    monkeypatch.setitem(OFFICIAL, "kimi_audio", stub_repositories.KIMI_AUDIO | {"kimia_infer/api/kimia.py": lost})
    session = Session(tmp_path, "kimi_audio", ["audio", "audio"])
    assert session.status == 4
    assert len(session.replies) == 1
    assert "CUDA error" in session.replies[0]["error"]


UNPICKLES = """
import protocol
class Old(protocol.Worker):
    model, packages = "old", ()
    def load(self):
        import torch
        torch.load(self.checkpoint, weights_only=False)  # as torch before 2.6 takes a call without the argument
    def answer(self, request):
        return ""
raise SystemExit(protocol.run(Old))
"""


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.slow
def test_the_repositorys_own_code_unpickles_nothing_either(tmp_path):
    mark, script, checkpoint = tmp_path / "ran", tmp_path / "old.py", tmp_path / "weights.pth"
    script.write_text(UNPICKLES)
    checkpoint.write_bytes(pickle.dumps(Evil(str(mark))))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, str(script), "--checkpoint", str(checkpoint)]
    done = subprocess.run(command, input="", capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert "Weights only load failed" in json.loads(done.stdout)["error"]
    assert not mark.exists()
