"""`openai_av` against a local server that looks at the media it is sent, and fails as it is told to."""

import base64
import io
import json
import time

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from chat_requests import ask
from emorealm_tasks import media
from emorealm_tasks.harness import media_log
from faulty_server import FaultyServer, chat, error
from model_adapters import catalogue, manifests
from model_adapters.engines import payloads as encoded
from model_adapters.engines.openai_server import OpenAIAV
from model_adapters.engines.served import OncePerKey

KEY = "sk-very-secret-key-456"


@pytest.fixture
def serve(monkeypatch):
    """serve(script, **arguments) -> (server, model that asks it)."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.02)
    running = []

    def start(script=None, **more):
        running.append(FaultyServer(script or (lambda body, number: (200, {}, chat(witness(body))))))
        given = {"model": "m", "retries": 2, "timeout": 5, "frames": 4, "device": "cpu"} | more
        if given.get("video_as") == "video":
            del given["frames"]
        return running[-1], OpenAIAV(base_url=running[-1].url, **given)

    yield start
    for server in running:
        server.stop()


def content(body, kind):
    """The items of a kind in the last message of a request."""
    return [item[kind] for item in body["messages"][-1]["content"] if item["type"] == kind]


def decoded(uri):
    return io.BytesIO(base64.b64decode(uri.split(",")[-1]))


def witness(body):
    """What a model that sees and hears would say: text, mean grey of each frame, pitch of the sound."""
    greys = [round(np.asarray(Image.open(decoded(item["url"]))).mean()) for item in content(body, "image_url")]
    heard = [soundfile.read(decoded(item["data"])) for item in content(body, "input_audio")]
    pitches = [round(np.abs(np.fft.rfft(wave)).argmax() * rate / len(wave)) for wave, rate in heard]
    return f"{content(body, 'text')[0]} {greys} {pitches}"


def greys(path, count=4):
    return [round(frame.mean()) for frame in media.read_frames(path, count)[0]]


def said(text, picture, pitch):
    return f"{text} {picture} {pitch}"


def test_picture_sound_and_text_reach_the_server_as_they_are_on_disk(serve, clips):
    server, model = serve()
    docs = [("a", clips[0], clips[0]), ("b", clips[0], clips[1]), ("c", clips[1], None), ("d", None, clips[2])]
    assert ask(model, [*docs, ("e", None, None)]) == [
        said("a", greys(clips[0]), [200]),
        said("b", greys(clips[0]), [400]),
        said("c", greys(clips[1]), []),
        said("d", [], [600]),
        said("e", [], []),
    ]
    body = next(body for body in server.asked if "input_audio" in str(body) and "image_url" in str(body))
    assert [item["type"] for item in body["messages"][-1]["content"]] == [*["image_url"] * 4, "input_audio", "text"]
    assert content(body, "input_audio")[0]["format"] == "wav"
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0, 4, "m")
    assert server.keys == {f"Bearer {KEY}"}


@pytest.mark.parametrize(("modalities", "expected"), [("v", "a {} []"), ("a", "a [] [200]")])
def test_a_modality_that_is_switched_off_is_not_sent(serve, clips, modalities, expected):
    _, model = serve(modalities=modalities, system="Be brief.")
    assert ask(model, [("a", clips[0], clips[0])]) == [expected.format(greys(clips[0]))]
    assert _.asked[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_a_whole_video_is_sent_without_its_sound(serve, clips):
    server, model = serve(video_as="video", concurrency=1)  # so that requests come in order
    assert ask(model, [("a", clips[0], None), ("b", clips[1], clips[1])]) == ["a [] []", "b [] [400]"]
    for body, path in zip(server.asked, clips, strict=False):
        [item] = content(body, "video_url")
        assert item["url"].startswith("data:video/mp4;base64,")
        with av.open(decoded(item["url"])) as sent, av.open(path) as source:
            assert not sent.streams.audio
            kept = [frame.to_ndarray(format="gray") for frame in sent.decode(video=0)]
            assert np.array_equal(kept, [frame.to_ndarray(format="gray") for frame in source.decode(video=0)])


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"not a film")
    with pytest.raises(media.MediaError, match=r"x\.mp4: cannot be decoded"):
        encoded.silent(str(tmp_path / "x.mp4"))


def test_a_clip_is_encoded_once_for_all_its_questions_and_old_ones_are_dropped(serve, clips, monkeypatch):
    _, model = serve(concurrency=6)
    read, known = [], media.read_frames
    monkeypatch.setattr(media, "read_frames", lambda path, count: read.append(path) or known(path, count))
    ask(model, [(str(number), clips[0], None) for number in range(6)])
    assert read == clips[:1]
    once = OncePerKey(str, limit=2)
    assert [once(number) for number in (1, 2, 3)] == ["1", "2", "3"]
    assert list(once.futures) == [2, 3]


def test_answers_keep_their_order_and_no_more_are_under_way_than_allowed(serve, clips):
    def slow(body, number):
        time.sleep(0.05 if number % 3 else 0.2)
        return 200, {}, chat(witness(body))

    server, model = serve(slow, concurrency=3)
    docs = [(str(number), clips[number % 3], None) for number in range(12)]
    assert ask(model, docs) == [said(text, greys(video), []) for text, video, _ in docs]
    assert 1 < server.most_at_once <= 3


def test_retry_after_is_waited_for(serve):
    server, model = serve(
        lambda body, number: (429, {"Retry-After": "1"}, error("slow")) if not number else (200, {}, chat("A"))
    )
    assert ask(model, [("a", None, None)]) == ["A"]
    assert 1 <= server.at[1] - server.at[0] < 3


@pytest.mark.parametrize("fault", [(500, {}, error("oops")), (503, {}, b"no JSON"), "cut", "hang"], ids=str)
def test_faults_that_pass_are_tried_again(serve, fault):
    server, model = serve(lambda body, number: fault if not number else (200, {}, chat("A")), timeout=1)
    assert ask(model, [("a", None, None)]) == ["A"]
    assert len(server.asked) == 2


EMPTY = chat("")
FILTERED = chat("")
FILTERED["choices"][0]["finish_reason"] = "content_filter"


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((400, {}, error(f"too long, {KEY}")), "[LMMS_EVAL_REQUEST_FAILED] BadRequestError: Error code: 400"),
        ((500, {}, error("oops")), "[LMMS_EVAL_REQUEST_FAILED] InternalServerError"),
        ((200, {}, b"<html>hello</html>"), "[LMMS_EVAL_REQUEST_FAILED]"),
        ((200, {}, b'{"choices": []}'), "[LMMS_EVAL_REQUEST_FAILED] the server answered without a text"),
        ((200, {}, EMPTY), "[LMMS_EVAL_REQUEST_FAILED] the server answered without a text (finish_reason=stop)"),
        ((200, {}, FILTERED), "[SAFETY_BLOCKED:content_filter]"),
    ],
    ids=["400", "500", "html", "no choices", "empty", "filtered"],
)
def test_a_question_without_an_answer_is_marked_and_costs_only_itself(serve, answer, begins):
    _, model = serve(lambda body, n: answer if "b" in witness(body) else (200, {}, chat("A")), max_errors=0.5)
    first, marked, last = ask(model, [("a", None, None), ("b", None, None), ("c", None, None)])
    assert (first, last) == ("A", "A")
    assert marked.startswith(begins)
    assert KEY not in marked


def test_a_clip_that_cannot_be_read_is_a_failed_request(serve, clips, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film")
    _, model = serve(max_errors=0.5)
    good, bad = ask(model, [("a", clips[0], None), ("b", str(broken), None)])
    assert good == said("a", greys(clips[0]), [])
    assert bad.startswith("[LMMS_EVAL_REQUEST_FAILED]")
    assert str(broken) in bad


def test_beyond_the_error_budget_the_run_stops(serve, capsys):
    server, model = serve(lambda *_: (400, {}, error("no")), concurrency=1)
    with pytest.raises(SystemExit) as caught:
        ask(model, [("a", None, None)] * 200)
    assert caught.value.code == 2
    assert len(server.asked) < 20
    assert "max_errors=0.01" in capsys.readouterr().err


def test_a_wrong_key_stops_the_run_at_once_and_is_shown_nowhere(serve, capsys, log):
    server, model = serve(lambda *_: (401, {}, error(f"Incorrect API key provided: {KEY}")), concurrency=2)
    with pytest.raises(SystemExit) as caught:
        ask(model, [("a", None, None)] * 50)
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert len(server.asked) < 20
    assert "check key, address and model" in printed.err
    assert KEY not in printed.out + printed.err + "".join(log) + json.dumps(vars(model), default=str)


def test_tokens_and_dollars_are_shown(serve, log):
    reply = chat("A")
    reply["usage"] |= {
        "prompt_tokens_details": {"audio_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 50},
    }
    _, model = serve(lambda *_: (200, {}, reply), price="2;10;40")
    ask(model, [(str(number), None, None) for number in range(10)])
    assert model.cost.dollars == pytest.approx((4000 * 2 + 1000 * 40 + 600 * 10) / 1e6)
    assert "10 answers, 5,000 tokens in (sound: 1,000), 600 out (thinking: 500), $0.0540" in "".join(log)


def test_what_was_sent_is_said_in_the_side_file(serve, clips, tmp_path, monkeypatch):
    monkeypatch.setenv(media_log.VARIABLE, str(tmp_path / "media.jsonl"))
    (tmp_path / "media.jsonl").touch()
    _, model = serve()
    ask(model, [("a", clips[2], clips[2])])
    given = media_log.find(clips[2], clips[2])
    assert given["frames"] == len(given["times"]) == 4
    assert given["audio_seconds"] == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"modle": "x"}, "did you mean 'model'"),
        ({"model": None}, "name the model as its server does"),
        ({"video_as": "gif"}, "use one of frames, video"),
        ({"video_as": "video"}, "leave out fps and frames"),
        ({"key": "NOWHERE", "base_url": None}, "set NOWHERE, or name a server of your own"),
        ({"price": "cheap"}, "price='cheap'; give dollars"),
        ({"batch_size": 4}, "say concurrency=N"),
        ({"concurrency": 0}, "concurrency=0 is out of range"),
    ],
)
def test_bad_arguments_end_in_one_line(arguments, line, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(SystemExit) as caught:
        OpenAIAV(**{"model": "m", "base_url": "http://127.0.0.1:9/v1", "frames": 4, "device": "cpu"} | arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("emorealm:") == 1


def test_every_engine_is_offered_under_its_name():
    offered = {manifest.model_id: manifest.chat_class_path for manifest in manifests.manifests()}
    engines = [model for model in catalogue.MODELS if model.route == catalogue.ENGINE]
    assert {model.name for model in engines} >= {"qwen2_5_omni_vllm", "openai_av", "gemini_av"}
    assert all(offered[model.name] == model.chat_class for model in engines)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ([{"type": "text", "text": "A"}], "A"),
        ("<think>B or C?</think>A", "A"),
        ("A \ud83d", "A \ufffd"),
        ("A\u2028B", "A\u2028B"),
        (None, "[LMMS_EVAL_REQUEST_FAILED] the server answered without a text"),
        ("<think>A?", "[LMMS_EVAL_REQUEST_FAILED] it thought and did not answer"),
    ],
)
def test_an_odd_content_is_read_or_costs_one_question(serve, content, answer):
    _, model = serve(lambda body, n: (200, {}, chat(content if "b" in witness(body) else "A")), max_errors=0.5)
    first, odd, last = ask(model, [("a", None, None), ("b", None, None), ("c", None, None)])
    assert (first, last) == ("A", "A")
    assert odd.startswith(answer)
    odd.encode()


def test_an_error_with_status_200_is_told_and_a_limit_is_waited_for(serve):
    def script(body, number):
        if "b" in witness(body):
            return 200, {}, error("the GPU is on fire")
        return (200, {}, error("slow", code=429)) if number == 0 else (200, {}, chat("A"))

    server, model = serve(script, max_errors=0.5, concurrency=1)
    answers = ask(model, [("a", None, None), ("b", None, None)])
    assert answers[0] == "A"
    assert "the GPU is on fire" in answers[1]
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"choices": [' * 50_000, b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_a_body_that_cannot_be_read_costs_one_question(serve, body):
    _, model = serve(
        lambda asked, n: (200, {}, body) if "b" in witness(asked) else (200, {}, chat("A")), max_errors=0.5
    )
    first, odd = ask(model, [("a", None, None), ("b", None, None)])
    assert first == "A"
    assert odd.startswith("[LMMS_EVAL_REQUEST_FAILED] the server's answer cannot be used")
    assert len(odd) < 400


def test_an_answer_without_end_is_given_up(serve, monkeypatch):
    monkeypatch.setattr("emorealm_tasks.chat_client._LARGEST", 10_000)
    _, model = serve(lambda body, n: (200, {}, b" " * 20_000), max_errors=1)
    assert "larger than" in ask(model, [("a", None, None)])[0]
