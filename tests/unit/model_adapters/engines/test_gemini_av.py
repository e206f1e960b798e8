"""`gemini_av`: Google's own client against a stand-in for its server, which fails as it is told to."""

import base64
import io
from pathlib import Path

import av
import pytest

from chat_requests import ask
from gemini_stand_in import GeminiStandIn, error, reply
from model_adapters.engines import gemini
from model_adapters.engines.gemini import GeminiAV

pytest.importorskip("google.genai", reason="the extra gemini is not installed")
KEY = "AIza-very-secret-789"
BAD: list[int] = []
"""Sizes of uploads that the server does not like."""


@pytest.fixture
def serve(monkeypatch):
    """serve(answer, upload, ..., **arguments) -> (server, model that asks it)."""
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.setattr(gemini, "_POLL", 0.01)
    monkeypatch.setattr(gemini, "_BACKOFF", 0.01)
    running = []

    def start(answer=None, upload=lambda data, number: None, looks=0, state="ACTIVE", **more):
        running.append(
            GeminiStandIn(answer or (lambda *given: (200, {}, reply(witness(*given)))), upload, looks, state)
        )
        given = {"retries": 2, "timeout": 5, "device": "cpu", "base_url": running[-1].address} | more
        return running[-1], GeminiAV(**given)

    yield start
    for server in running:
        server.stop()


def witness(body, files):
    """What the server was sent: the text; frames and sound of the video; seconds of a sound beside it."""
    said = []
    for part in body["contents"][0]["parts"]:
        if "text" in part:
            said.append(part["text"])
        elif "fileData" in part:
            with av.open(io.BytesIO(files[part["fileData"]["fileUri"]])) as sent:
                frames = sum(1 for _ in sent.decode(video=0))
                said.append(f"{frames} frames, {'sound' if sent.streams.audio else 'silent'}")
        else:
            with av.open(io.BytesIO(base64.urlsafe_b64decode(part["inlineData"]["data"]))) as sent:
                said.append(f"{sent.duration / 1e6:.0f} s of {part['inlineData']['mimeType']}")
    return "; ".join(said)


def test_each_question_gets_exactly_its_picture_and_its_sound(serve, clips):
    server, model = serve(looks=2, modalities="av")
    docs = [
        ("a", clips[0], clips[0]),
        ("b", clips[0], None),
        ("c", clips[0], clips[2]),
        ("d", None, clips[1]),
        ("e", clips[0], clips[0]),
    ]
    assert ask(model, docs, max_new_tokens=32) == [
        "12 frames, sound; a",
        "12 frames, silent; b",
        "12 frames, silent; 3 s of audio/wav; c",
        "2 s of audio/wav; d",
        "12 frames, sound; e",
    ]
    assert server.uploads == 2  # once with sound, once without, however many questions there are
    assert sorted(server.deleted) == ["f0", "f1"]
    assert server.keys == {KEY, None}  # the address for the bytes needs no key
    settings = server.asked[0]["generationConfig"]
    assert settings["maxOutputTokens"] == 32 + 1024  # thinking does not eat the answer
    assert settings["thinkingConfig"]["thinkingBudget"] == 1024
    assert settings["temperature"] == 0


def test_an_upload_that_fails_for_a_while_is_tried_again(serve, clips):
    server, model = serve(upload=lambda data, number: (503, {}, error(503, "busy")) if number == 0 else None)
    assert ask(model, [("a", clips[0], clips[0])]) == ["12 frames, sound; a"]
    assert server.uploads == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"upload": lambda data, number: (400, {}, error(400, "bad file")) if len(data) in BAD else None}, "bad file"),
        ({"state": "FAILED"}, "the server cannot process it (codec unknown)"),
        ({"looks": 10**9, "upload_timeout": 0.2}, "not processed within upload_timeout=0.2"),
    ],
    ids=["refused", "failed", "never ready"],
)
def test_an_upload_that_fails_costs_the_questions_about_its_clip_alone(serve, clips, arguments, reason):
    BAD[:] = [Path(clips[0]).stat().st_size]
    server, model = serve(max_errors=0.9, concurrency=1, **arguments)
    answers = ask(model, [("a", clips[0], clips[0]), ("b", None, clips[1]), ("c", clips[0], clips[0])])
    assert answers[1] == "2 s of audio/wav; b"
    for answer in answers[::2]:
        assert answer.startswith(f"[LMMS_EVAL_REQUEST_FAILED] {clips[0]}: ")
        assert reason in answer
    assert server.uploads == 1  # not once for every question


@pytest.mark.parametrize(
    ("headers", "details"),
    [({"Retry-After": "1"}, []), ({}, [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.0s"}])],
    ids=["header", "RetryInfo"],
)
def test_the_wait_that_the_server_asks_for_is_kept(serve, headers, details):
    busy = (429, headers, error(429, "quota", "RESOURCE_EXHAUSTED", details))
    faults = [busy]
    server, model = serve(lambda *_: faults.pop() if faults else (200, {}, reply("A")))
    assert ask(model, [("a", None, None)]) == ["A"]
    assert 1 <= server.at[1] - server.at[0] < 4


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (reply("", "SAFETY"), "[SAFETY_BLOCKED:SAFETY]"),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "[SAFETY_BLOCKED:PROHIBITED_CONTENT]"),
        (reply("", "MAX_TOKENS", 1056), "[LMMS_EVAL_REQUEST_FAILED] it thought until its tokens were used up"),
        (reply("", "STOP"), "[LMMS_EVAL_REQUEST_FAILED] the server answered without a text (STOP)"),
        ({}, "[LMMS_EVAL_REQUEST_FAILED] the server answered without a text"),
    ],
    ids=["blocked", "prompt blocked", "thinking", "nothing", "empty"],
)
def test_what_is_no_answer_is_marked(serve, answer, begins):
    _, model = serve(
        lambda body, files: (200, {}, answer if "b" in witness(body, files) else reply("A")), max_errors=0.5
    )
    first, marked = ask(model, [("a", None, None), ("b", None, None)])
    assert first == "A"
    assert marked.startswith(begins)


def test_a_lasting_fault_is_counted_and_beyond_the_budget_the_run_stops(serve, capsys):
    server, model = serve(lambda *_: (500, {}, error(500, "oops")), concurrency=1, retries=1)
    with pytest.raises(SystemExit) as caught:
        ask(model, [("a", None, None)] * 200)
    assert caught.value.code == 2
    assert len(server.asked) < 20
    assert "max_errors=0.01" in capsys.readouterr().err


@pytest.mark.parametrize(
    "refusal", [(400, {}, error(400, f"API key not valid {KEY}", "API_KEY_INVALID")), (404, {}, error(404, "no model"))]
)
def test_a_wrong_key_or_model_stops_the_run_at_once_and_the_key_is_shown_nowhere(serve, refusal, capsys, log):
    server, model = serve(lambda *_: refusal, concurrency=2)
    with pytest.raises(SystemExit) as caught:
        ask(model, [("a", None, None)] * 50)
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert len(server.asked) < 20
    assert "check key and model" in printed.err
    assert KEY not in printed.out + printed.err + "".join(log)


def test_tokens_and_dollars_are_shown(serve, log):
    _, model = serve(lambda *_: (200, {}, reply("A", thought=45)), price="0.5;4;1")
    ask(model, [(str(number), None, None) for number in range(10)])
    assert model.cost.dollars == pytest.approx((2000 * 0.5 + 1000 * 1 + 500 * 4) / 1e6)
    assert "3,000 tokens in (sound: 1,000), 500 out (thinking: 450), $0.0040" in "".join(log)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"thinkng": 3}, "did you mean 'thinking'"),
        ({"frames": 3}, "unknown model argument 'frames'"),
        ({"key": "NOWHERE"}, "set NOWHERE to a key"),
        ({"thinking": "much"}, "thinking='much' is not a number"),
    ],
)
def test_bad_arguments_end_in_one_line(serve, arguments, line, capsys):
    with pytest.raises(SystemExit):
        serve(**arguments)
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("emorealm:") == 1


def test_the_files_of_a_run_that_breaks_off_are_deleted_too(serve, clips):
    server, model = serve(lambda *_: (500, {}, error(500, "oops")), retries=0)
    with pytest.raises(SystemExit):
        ask(model, [("a", clips[0], clips[0])])
    assert server.deleted == ["f0"]
