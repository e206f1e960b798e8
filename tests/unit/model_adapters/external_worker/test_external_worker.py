"""`external_worker` against a worker that misbehaves in every way a process can, and one that does not."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from avere_requests import chat_requests, texts
from emorealm_tasks.harness.failures import FAILED
from model_adapters.base.media_refs import ClipFiles
from model_adapters.external_worker.adapter import ExternalWorker
from model_adapters.external_worker.environment import SCRIPTS, worker_environment
from model_adapters.external_worker.modalities import what_to_give


@pytest.fixture(autouse=True)
def logs_of_faults(monkeypatch, tmp_path):
    """The log of a worker with a fault is kept, where temporary files go: not for good, here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


ECHO = Path(__file__).parents[3] / "helpers" / "echo_worker.py"


@pytest.fixture(scope="module")
def clip(make_clip, tmp_path_factory):
    return str(make_clip(tmp_path_factory.mktemp("clip") / "0.mp4", seconds=1.0))


@pytest.fixture
def marks(tmp_path, monkeypatch):
    """Where the echo worker remembers its faults, and the cache that wavs are cut into."""
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture
def start(marks):
    """Makes adapters around the echo worker, and ends their workers."""
    made = []

    def make(boot="", **arguments):
        options = f"marks={marks};{boot}"
        model = ExternalWorker(worker=str(ECHO), options=options, **{"timeout": 120, "start_timeout": 120} | arguments)
        made.append(model)
        return model

    yield make
    for model in made:
        model.clean()


def ask(model, prompts, kind="blind", clip=None, **settings):
    docs = [{"video": clip, "text": prompt, "kind": kind} for prompt in prompts]
    return texts(model.generate_until(chat_requests(model, docs, **settings)))


def test_answers_come_in_order_and_carry_what_was_asked(start, clip):
    model = start()
    prompts = [f"question {number}" for number in range(20)]
    requests = [json.loads(text) for text in ask(model, prompts, "both", clip)]
    assert [request["prompt"] for request in requests] == prompts
    assert len({request["id"] for request in requests}) == 20
    assert requests[0]["video"] == clip
    assert requests[0]["audio"].endswith(".wav")
    assert Path(requests[0]["audio"]).read_bytes()[:4] == b"RIFF"
    assert requests[0]["generation"] == {"max_new_tokens": 5, "temperature": 0, "until": []}


@pytest.mark.parametrize(("kind", "video", "audio"), [("video", True, False), ("audio", False, True), ("blind", 0, 0)])
def test_a_question_brings_only_its_own_media(start, clip, kind, video, audio):
    (text,) = ask(start(), ["look"], kind, clip)
    request = json.loads(text)
    assert (request["video"] is not None, request["audio"] is not None) == (bool(video), bool(audio))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["silence", "garbage", "half", "exit", "wrong_id", "neither"])
def test_after_a_fault_a_fresh_worker_is_asked_again_and_nothing_is_lost(start, fault):
    model = start(timeout=3 if fault == "silence" else 120)
    first = model.client._process._process.pid
    answers = ask(model, ["before", f"{fault} once", "after"])
    assert json.loads(answers[0])["prompt"] == "before"
    assert answers[1] == f"recovered from {fault}"
    assert json.loads(answers[2])["prompt"] == "after"
    assert model.client.faults == 1
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)  # the faulty one is gone, not left behind


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("silence", "did not answer within 2 s"),
        ("garbage", "'Loading checkpoint shards: 100%' on its stdout"),
        ("exit", "ended with status 7; its last words: the GPU fell off the bus"),
        ("half", "ended in the middle of a line with status 3"),
        ("wrong_id", "answered request 3 when asked number 2"),
        ("error", "ValueError: no face in it"),
    ],
)
def test_what_fails_again_is_marked_and_the_others_are_answered(start, fault, words):
    model = start(timeout=2 if fault == "silence" else 120, max_errors=0.5)
    answers = ask(model, ["before", fault, "after"])
    assert answers[1].startswith(FAILED.format(""))
    assert words in answers[1]
    assert [json.loads(answers[place])["prompt"] for place in (0, 2)] == ["before", "after"]


def test_retries_are_counted(start):
    model = start(retries=3, max_errors=1)
    (text,) = ask(model, ["exit"])
    assert "failed on it 4 times" in text
    assert model.client.faults == 4


def test_too_many_failures_end_the_run(start, capsys):
    with pytest.raises(SystemExit) as ended:
        ask(start(), ["fine", "error", "fine"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "1 of 3 requests failed" in said
    assert "no face in it" in said


def test_a_worker_that_ends_after_an_answer_is_started_again(start):
    model = start()
    answers = ask(model, ["late_exit", "next"])
    assert answers[0] == "a last answer"
    assert json.loads(answers[1])["prompt"] == "next"


def test_a_reply_of_a_megabyte_arrives_whole(start):
    assert ask(start(), ["big"]) == ["x" * (1 << 20)]


def test_a_request_longer_than_a_pipe_does_not_hang_on_a_worker_that_reads_nothing(start):
    model = start(timeout=1, retries=0, max_errors=1)
    began = time.monotonic()
    ask(model, ["silence " + "y" * (1 << 21)])
    assert time.monotonic() - began < 60


def test_a_slow_start_is_waited_for_and_a_too_slow_one_is_not(start, capsys):
    assert json.loads(ask(start("slow=1"), ["here"])[0])["prompt"] == "here"
    with pytest.raises(SystemExit):
        start("slow=30", start_timeout=0.5)
    assert "did not load its model within 0.5 s" in capsys.readouterr().err


def only_line(capsys, ended):
    """What a command that ended with status 2 says: one line."""
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2
    return line


@pytest.mark.parametrize(
    ("boot", "words"),
    [
        ("garbage", "'CUDA initialised' on its stdout"),
        ("refusal", "does not start: no weights"),
        ("old", "protocol 0, not 1"),
        ("deaf", "names no modalities"),
    ],
)
def test_a_bad_greeting_ends_the_run_in_one_line(start, capsys, boot, words):
    with pytest.raises(SystemExit) as ended:
        start(f"boot={boot}")
    assert words in only_line(capsys, ended)


def test_the_worker_is_told_to_end_and_its_log_goes(start, marks):
    model = start()
    ask(model, ["fine"])
    log = model._log
    assert log.exists()
    model.clean()
    model.clean()
    assert (marks / "ended").exists()
    assert not log.exists()


def test_the_log_of_a_worker_with_faults_stays(start):
    model = start(max_errors=1)
    ask(model, ["exit"])
    model.clean()
    assert "fell off the bus" in model._log.read_text()
    model._log.unlink()


@pytest.mark.slow
def test_no_worker_outlives_the_run(marks):
    code = (
        "from model_adapters.external_worker.adapter import ExternalWorker\n"
        f"model = ExternalWorker(worker={str(ECHO)!r}, options='marks={marks}')\n"
        "print(model.client._process._process.pid, flush=True)\n"
        "raise RuntimeError('lmms-eval breaks')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert (marks / "ended").exists()


def test_secrets_and_this_python_stay_outside(start, monkeypatch):
    hidden = {"OPENAI_API_KEY": "k", "HF_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "MY_PASSWORD": "p"}
    hidden |= {"VIRTUAL_ENV": "/v", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "HTTPS_PROXY": "http://u:p@h"}
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    seen = json.loads(ask(start(), ["environment"])[0])
    assert not set(hidden) & set(seen)
    assert seen["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
    assert seen["PATH"].startswith(str(Path(sys.executable).parent))
    seen = json.loads(ask(start(env="HF_TOKEN;MY_PASSWORD"), ["environment"])[0])
    assert set(hidden) & set(seen) == {"HF_TOKEN", "MY_PASSWORD"}
    assert "HF_HUB_DISABLE_IMPLICIT_TOKEN" not in seen


@example({"NVIDIA_API_KEY": "x", "CUDA_AUTH_TOKEN": "x"})
@given(
    st.dictionaries(
        st.from_regex(r"(LC_|CUDA_|NVIDIA_|PYTORCH_)?[A-Z_]{0,12}(KEY|TOKEN|SECRET|PASSWORD|AUTH)", fullmatch=True),
        st.text(),
    )
)
def test_nothing_that_is_called_a_secret_passes(environ):
    assert set(worker_environment("/bin/python", None, [], environ)) == {
        "PATH",
        "PYTHONPATH",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    }


@pytest.mark.parametrize(
    ("device", "environ", "expected"),
    [
        (None, {}, None),
        (None, {"CUDA_VISIBLE_DEVICES": "4,5"}, "4,5"),
        (None, {"LOCAL_RANK": "1"}, "1"),
        (None, {"LOCAL_RANK": "1", "CUDA_VISIBLE_DEVICES": "4,5"}, "5"),
        (None, {"LOCAL_RANK": "1", "CUDA_VISIBLE_DEVICES": ""}, ""),
        ("cuda:0", {"LOCAL_RANK": "1", "CUDA_VISIBLE_DEVICES": "4,5"}, "4"),
        ("cpu", {"CUDA_VISIBLE_DEVICES": "4,5"}, ""),
    ],
)
def test_each_rank_gets_its_own_gpu(device, environ, expected):
    assert worker_environment("/bin/python", device, [], environ).get("CUDA_VISIBLE_DEVICES") == expected


def test_more_ranks_than_gpus_is_an_error(capsys):
    with pytest.raises(SystemExit):
        worker_environment("/bin/python", None, [], {"LOCAL_RANK": "1", "CUDA_VISIBLE_DEVICES": "4"})
    assert "at most 1 processes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        (["video+audio"], ("v", "a")),
        (["audio"], (None, "a")),
        (["video", "text"], ("v", None)),
        (["video", "audio"], "cannot choose"),
        (["text"], "brings video"),
    ],
)
def test_a_model_gets_the_part_it_has_a_sense_for(modalities, expected):
    if isinstance(expected, tuple):
        assert what_to_give(ClipFiles("v", "a"), modalities) == expected
    else:
        with pytest.raises(ValueError, match=expected):
            what_to_give(ClipFiles("v", "a"), modalities)


def test_a_question_that_the_model_has_no_sense_for_fails(start, clip):
    model = start("takes=audio", max_errors=1)
    (heard,) = ask(model, ["listen"], "both", clip)
    assert json.loads(heard)["video"] is None
    (text,) = ask(model, ["look"], "video", clip)
    assert "takes audio; this question brings video" in text


def test_a_clip_that_cannot_be_read_fails_alone(start, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film")
    (text,) = ask(start(max_errors=1), ["listen"], "both", str(broken))
    assert text.startswith(FAILED.format(""))
    assert "broken.mp4" in text


def test_settings_are_not_changed_and_stop_strings_cut(start):
    model = start()
    docs = [{"video": None, "text": "say this. And that", "kind": "blind"}]
    requests = chat_requests(model, docs, until=[". And"])
    (text,) = texts(model.generate_until(requests))
    assert text.endswith("say this")
    assert requests[0].args[2] == {"max_new_tokens": 5, "temperature": 0, "until": [". And"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"worker": "videolama2"}, "did you mean 'videollama2'"),
        ({}, "shipped are"),
        ({"worker": "ola", "python": "/no/python"}, "python=/no/python"),
        ({"worker": "ola", "repo": "/no/repo"}, "repo=/no/repo"),
        ({"worker": "ola", "options": "fast"}, "NAME=VALUE"),
        ({"worker": "ola", "env": "NO_SUCH_NAME"}, "NO_SUCH_NAME"),
        ({"worker": "ola", "batch_size": 4}, "one question at a time"),
        ({"worker": "ola", "timeout": "soon"}, "timeout='soon'"),
        ({"worker": "ola", "checkpiont": "x"}, "did you mean 'checkpoint'"),
    ],
)
def test_bad_arguments_end_in_one_line_before_anything_starts(capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        ExternalWorker(**arguments)
    assert words in only_line(capsys, ended)


def test_what_workers_cannot_do_is_said(start, capsys):
    model = start()
    with pytest.raises(SystemExit):
        ask(model, ["fine"], temperature=0.7)
    assert "asks for sampling" in capsys.readouterr().err
    for refuse in (model.loglikelihood, model.generate_until_multi_round):
        with pytest.raises(SystemExit):
            refuse(chat_requests(model, [{"video": None, "text": "x", "kind": "blind"}]))


def test_the_scripts_are_where_the_adapter_looks():
    assert {"protocol", "videollama2", "mosear"} <= {path.stem for path in SCRIPTS.glob("*.py")}


@pytest.mark.parametrize("fault", ["orphan", "escaped"])
def test_a_worker_that_is_gone_is_not_waited_for_though_its_child_holds_the_pipe(start, marks, fault):
    started = time.monotonic()
    assert ask(start(retries=1), [f"{fault} once", "next"])[0] == f"recovered from {fault}"
    assert time.monotonic() - started < 50
    child = int((marks / "child").read_text())
    if fault == "escaped":
        os.kill(child, 9)
    else:
        status = Path(f"/proc/{child}/status")
        assert not status.exists() or "State:\tZ" in status.read_text()  # ended, if not collected yet


def test_replies_too_deep_or_with_half_an_emoji_cost_themselves(start):
    answers = ask(start(retries=0, max_errors=0.5), ["deep", "half_an_emoji", "fine"])
    assert answers[0].startswith(FAILED.format(""))
    assert answers[1] == "a smile \ufffd"
    assert json.loads(answers[2])["prompt"] == "fine"


@pytest.mark.slow
@pytest.mark.parametrize(
    "media", [[1], "x", 5, {"frames": "many"}, {"frames": [1], "audio_seconds": {}}, {"frames": True}]
)
def test_what_a_worker_says_of_media_may_be_anything(start, clip, media):
    assert ask(start(), [f"odd_media {json.dumps(media)}"], "both", clip) == ["seen"]


@pytest.mark.parametrize(
    "hello",
    [
        '{"protocol": 1, "modalities": ["text"], "versions": [1]}',
        '{"protocol": 1, "modalities": "text"}',
        '{"protocol": [' + "[" * 100_000,
        '{"error": {"a": "' + "x" * 1_000_000 + '\\u001b[31m"}}',
        "[]",
        "5",
    ],
    ids=["versions", "modalities", "deep", "long", "list", "number"],
)
def test_a_hello_of_another_kind_ends_in_one_line(tmp_path, hello, capsys):
    (tmp_path / "hello.json").write_text(hello + "\n")
    script = tmp_path / "worker.py"
    script.write_text(f"print(open({str(tmp_path / 'hello.json')!r}).read(), flush=True)\ninput()\n")
    with pytest.raises(SystemExit) as stopped:
        ExternalWorker(worker=str(script), start_timeout=60)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert len(said) < 1000
    assert "\x1b" not in said
