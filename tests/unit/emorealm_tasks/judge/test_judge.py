"""The judge against a server that fails in every way a server can; verdicts on disk; batches."""

import dataclasses
import json
import time
from pathlib import Path

import pytest

from emorealm_tasks.judge import batch, dispatch, live, true_cues
from emorealm_tasks.judge import cache as judge_cache
from emorealm_tasks.judge.client import Client, JudgeError
from emorealm_tasks.metrics import description
from emorealm_tasks.metrics.description import CRITERIA
from emorealm_tasks.settings import Settings
from faulty_server import VERDICT, FaultyServer, chat, error

KEY = "sk-very-secret-key-123"
REFERENCE = "A broad smile is seen and conveys happiness."
GOOD = (200, {}, chat(json.dumps(VERDICT)))


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """serve(script, **settings) -> (server, settings) of a judge that asks it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("EMOREALM_JUDGE_API_KEY", raising=False)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.02)
    running = []

    def start(script=None, **more):
        running.append(FaultyServer(script))
        given = {"judge_model": "m", "judge_retries": 2, "judge_timeout": 5, "judge_concurrency": 4} | more
        return running[-1], Settings(cache=tmp_path / "cache", judge_base_url=running[-1].url, **given)

    yield start
    for server in running:
        server.stop()


def items(count=1):
    return [live.Item(REFERENCE, f"The person smiles, {n}.") for n in range(count)]


def unjudged(count):
    return [
        {"id": str(n), "clip": str(n), "reference": REFERENCE, "raw": f"The person smiles, {n}.", "error": "",
         "truth": None, "verdicts": {}}
        for n in range(count)
    ]  # fmt: skip


def scores(verdicts):
    return [[verdict and verdict.scores["clue"] for verdict in of] for of in verdicts]


def then_good(*faults):
    """A script: the faults in turn, then verdicts."""
    return lambda body, number: faults[number] if number < len(faults) else GOOD


def test_a_verdict_is_asked_for_once_and_then_kept(serve):
    server, settings = serve(lambda *_: time.sleep(0.05) or GOOD, judge_concurrency=3)
    assert scores(live.judge(items(9), settings)) == [[7]] * 9
    assert len(server.asked) == 9
    assert 1 < server.most_at_once <= 3
    assert {body["temperature"] for body in server.asked} == {0}
    assert server.asked[0]["response_format"]["json_schema"]["strict"] is True
    assert scores(live.judge(items(9), settings)) == [[7]] * 9
    assert len(server.asked) == 9  # a rerun costs nothing
    live.judge(items(1), dataclasses.replace(settings, judge_model="other"))
    live.judge(items(1), dataclasses.replace(settings, judge_repeats=3))
    assert len(server.asked) == 9 + 1 + 2  # another model, two more repeats


def test_repeated_judgements_have_a_spread(serve):
    """The n-th judgement of a clip says 7, 4, 1: their standard deviation (n - 1) is 3."""

    def script(body, number):
        scores = {name: {"reason": "", "score": 7 - 3 * (number % 3)} for name in CRITERIA}
        return 200, {}, chat(json.dumps(scores))

    _, settings = serve(script, judge_repeats=3, judge_concurrency=1)
    records = unjudged(2)
    assert dispatch.judge_records(records, settings, "live") == ""
    found = description.scores(records, live.name("m"))
    assert {(of["value"], of["spread"]) for of in found.values()} == {(4.0, 3.0)}


def test_what_was_said_is_judged_without_asking_when_nothing_was_said(serve):
    server, settings = serve(judge_repeats=2)
    [verdicts] = live.judge([live.Item(REFERENCE, " \n")], settings)
    assert [verdict.scores for verdict in verdicts] == [{"clue": 1, "label": 1, "spurious": 1, "halluc": 10}] * 2
    truth = {"emotions": ["happiness"], "present": ["smile"], "relevant": ["smile"]}
    assert verdicts[0].scores == true_cues.verdict("", truth).scores
    assert server.asked == []


def test_retry_after_is_waited_for(serve):
    server, settings = serve(then_good((429, {"Retry-After": "1"}, error("slow down"))))
    assert scores(live.judge(items(), settings)) == [[7]]
    assert 1 <= server.at[1] - server.at[0] < 3  # the back-off alone would be hundredths of a second


@pytest.mark.parametrize(
    "fault",
    [(500, {}, error("oops")), (503, {}, b"no JSON"), (408, {}, b""), "cut", "hang"],
    ids=["500", "503", "408", "cut", "hang"],
)
def test_passing_faults_are_tried_again(serve, fault):
    server, settings = serve(then_good(fault), judge_timeout=1)
    assert scores(live.judge(items(), settings)) == [[7]]
    assert len(server.asked) == 2
    assert server.asked[0] == server.asked[1]


@pytest.mark.parametrize(
    "body", [b'{"choices": [{"mess', b"<html>hello</html>", b"", b"[]", b'{"choices": []}', b'{"choices": null}', b"7"]
)
def test_an_answer_that_is_no_answer_leaves_the_item_unjudged(serve, body):
    _, settings = serve(lambda asked, number: (200, {}, body) if "smiles, 1" in str(asked) else GOOD)
    assert scores(live.judge(items(3), settings)) == [[7], [None], [7]]


def test_prose_is_asked_again_once_then_counted_as_unjudged(serve):
    prose = (200, {}, chat("I would give it a good score."))
    server, settings = serve(then_good(prose))
    assert scores(live.judge(items(), settings)) == [[7]]
    assert [message["role"] for message in server.asked[1]["messages"]] == ["system", "user", "assistant", "user"]
    server, settings = serve(lambda *_: prose, judge_model="poet")
    assert scores(live.judge(items(), settings)) == [[None]]
    assert len(server.asked) == 2
    assert live.judge(items(), settings) == [[None]]
    assert len(server.asked) == 4  # what was not judged is asked anew


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("supported", ["json_object", None])
def test_a_server_without_schemas_is_asked_less_strictly_from_then_on(serve, status, supported):
    def script(body, number):
        form = body.get("response_format", {}).get("type")
        return GOOD if form == supported else (status, {}, error("response_format is not supported"))

    server, settings = serve(script, judge_retries=0, judge_concurrency=1)
    assert scores(live.judge(items(4), settings)) == [[7]] * 4
    refused = 1 if supported else 2
    assert len(server.asked) == 4 + refused  # found out once


def test_parameters_a_model_refuses_are_left_out(serve):
    def script(body, number):
        if "max_tokens" in body:
            return 400, {}, error("use max_completion_tokens instead", param="max_tokens")
        if "temperature" in body:
            return 400, {}, error("temperature does not support 0", param="temperature")
        return GOOD

    server, settings = serve(script, judge_concurrency=1)
    assert scores(live.judge(items(3), settings)) == [[7]] * 3
    assert len(server.asked) == 3 + 2
    assert server.asked[-1]["max_completion_tokens"] > 0
    assert server.asked[-1]["response_format"]["type"] == "json_schema"


def test_one_refused_description_is_unjudged_and_changes_nothing_for_others(serve):
    too_long = (400, {}, error("maximum context length exceeded"))
    server, settings = serve(lambda body, number: too_long if "smiles, 2" in str(body) else GOOD)
    assert scores(live.judge(items(5), settings)) == [[7], [7], [None], [7], [7]]
    assert {body["response_format"]["type"] for body in server.asked} == {"json_schema"}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_ends_it_at_once_without_showing_the_key(serve, status, capsys):
    server, settings = serve(lambda *_: (status, {}, error(f"Incorrect API key provided: {KEY}")))
    with pytest.raises(JudgeError, match="check key, address and model") as raised:
        live.judge(items(5), settings)
    printed = capsys.readouterr()
    assert KEY not in str(raised.value) + printed.out + printed.err
    assert "***" in str(raised.value)
    assert server.keys == {f"Bearer {KEY}"}
    assert len(server.asked) == 1


def test_the_key_is_written_nowhere(serve, tmp_path):
    _, settings = serve(then_good((500, {}, error(KEY))))
    live.judge(items(3), settings)
    with pytest.raises(batch.Pending):
        batch.judge_by_batch(items(6), settings)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not [path for path in files if KEY in path.read_text()]


def test_a_dead_server_is_given_up_and_what_it_said_before_is_kept(serve):
    server, settings = serve(lambda body, number: GOOD if number < 5 else (503, {}, b""), judge_retries=0)
    with pytest.raises(JudgeError, match="in a row failed"):
        live.judge(items(60), settings)
    assert len(server.asked) < 40
    assert sum(verdict is not None for [verdict] in live.cached(items(60), settings)) == 5
    server.stop()
    with pytest.raises(JudgeError, match="no answer from http://127"):
        live.judge(items(60), settings)


def test_no_key_for_openai_itself_is_said_before_anything_is_asked(monkeypatch, tmp_path):
    for name in ("OPENAI_API_KEY", "EMOREALM_JUDGE_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(JudgeError, match="OPENAI_API_KEY"):
        Client(Settings(cache=tmp_path))
    Client(Settings(cache=tmp_path, judge_base_url="http://127.0.0.1:9/v1"))  # a server of one's own may need none


def test_a_large_run_is_estimated_before_and_after_the_first_answer(serve, capsys):
    _, settings = serve(judge_price="2.5,10")
    live.judge(items(30), settings)
    printed = capsys.readouterr().err
    first, second = [line for line in printed.splitlines() if "judging with m" in line]
    assert "judging: 100%" in printed  # the progress bar
    assert "30 requests" in first
    assert "$" in first
    assert second.endswith(" s")
    chats = {str(n): [{"role": "user", "content": "x" * 4_000_000}] for n in range(2)}
    assert "2000k tokens in and 0k out" in live.estimate(chats, settings).replace(" 400 out", " 0k out")
    assert "about $5.00" in live.estimate(chats, settings)
    with pytest.raises(SystemExit):
        live.price("cheap")


def test_a_damaged_file_on_disk_is_asked_again_and_a_folder_that_cannot_be_written_is_no_end(serve, tmp_path, capsys):
    server, settings = serve()
    live.judge(items(), settings)
    [kept] = list(live.folder(settings).rglob("*.json"))
    kept.write_text(kept.read_text()[:20])
    assert scores(live.judge(items(), settings)) == [[7]]
    assert len(server.asked) == 2
    (tmp_path / "file").write_text("")
    cache = judge_cache.Cache(tmp_path / "file" / "below")
    cache.put("ab", "x", {})
    cache.put("ab", "x", {})
    assert capsys.readouterr().err.count("are not kept") == 1


def batches(settings) -> list[dict]:
    notes = [json.loads(path.read_text()) for path in Path(live.folder(settings) / "batches").glob("*.json")]
    return sorted(notes, key=lambda note: note["submitted"])


def test_a_batch_is_submitted_left_and_collected(serve):
    server, settings = serve()
    server.batch_status = "in_progress"
    for _ in range(2):  # asking again submits nothing again
        with pytest.raises(batch.Pending, match="batch-0"):
            batch.judge_by_batch(items(5), settings)
    assert len(server.batches) == 1
    assert len(server.asked) == 1  # the one that finds out what the server supports
    assert [json.loads(line)["url"] for line in server.files["file-0"]] == ["/v1/chat/completions"] * 4
    server.batch_status = "completed"
    assert scores(batch.judge_by_batch(items(5), settings)) == [[7]] * 5
    assert scores(live.judge(items(5), settings)) == [[7]] * 5  # both ways share the disk
    assert len(server.asked) == 1


def test_what_a_batch_leaves_open_is_asked_in_a_second_round_and_then_no_more(serve):
    bad = {"smiles, 2": (200, {}, chat("prose")), "smiles, 3": (400, {}, error("filtered"))}
    server, settings = serve(lambda body, _: next((fault for words, fault in bad.items() if words in str(body)), GOOD))
    with pytest.raises(batch.Pending):
        batch.judge_by_batch(items(5), settings)
    with pytest.raises(batch.Pending, match="batch-1"):
        batch.judge_by_batch(items(5), settings)
    second = [json.loads(line)["body"]["messages"] for line in server.files["file-1"]]
    assert sorted(len(chat) for chat in second) == [2, 4]  # prose is answered, a failed request repeated
    del bad["smiles, 2"]
    for _ in range(2):
        assert scores(batch.judge_by_batch(items(5), settings)) == [[7], [7], [7], [None], [7]]
    assert len(server.batches) == 2


def test_an_expired_batch_is_submitted_once_more(serve):
    server, settings = serve()
    with pytest.raises(batch.Pending):
        batch.judge_by_batch(items(3), settings)
    server.batch_status = "expired"
    with pytest.raises(batch.Pending, match="batch-1"):
        batch.judge_by_batch(items(3), settings)
    assert [state["done"] for state in batches(settings)] == [True, False]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"choices": null}', "without a text"),
        (b'{"error": {"message": "out of memory"}}', "out of memory"),
        (b"[" * 100_000, "nested too deep"),
        (json.dumps(chat("I like it.")).encode(), "holds no verdict"),
        (json.dumps(chat("<think>hm, " + json.dumps(VERDICT))).encode(), "thought and did not answer"),
    ],
    ids=["null", "error", "deep", "prose", "cut thoughts"],
)
def test_an_odd_answer_costs_one_description_and_the_reason_is_in_its_record(serve, body, why):
    _, settings = serve(lambda asked, number: (200, {}, body) if "smiles, 1." in str(asked) else GOOD)
    asked = unjudged(30)
    assert dispatch.judge_records(asked, settings, "live") == ""
    assert [bool(record["verdicts"][live.name("m")][0]) for record in asked] == [n != 1 for n in range(30)]
    assert [number for number, record in enumerate(asked) if "unjudged" in record] == [1]
    assert why in asked[1]["unjudged"][live.name("m")]


def test_a_limit_that_comes_with_status_200_is_waited_for(serve):
    server, settings = serve(then_good((200, {}, error("slow down", code=429))))
    assert scores(live.judge(items(), settings)) == [[7]]
    assert len(server.asked) == 2


def test_content_in_parts_holds_a_verdict(serve):
    parts = chat([{"type": "thinking", "thinking": "7?"}, {"type": "text", "text": json.dumps(VERDICT)}])
    _, settings = serve(lambda *_: (200, {}, parts))
    assert scores(live.judge(items(3), settings)) == [[7]] * 3


def test_a_batch_that_was_noted_before_marks_were_is_collected(serve):
    """Its file was named by the server's id."""
    _, settings = serve()
    with pytest.raises(batch.Pending):
        batch.judge_by_batch(items(3), settings)
    (note,) = (live.folder(settings) / "batches").glob("*.json")
    note.rename(note.with_name("batch-0.json"))
    assert scores(batch.judge_by_batch(items(3), settings)) == [[7]] * 3
    assert [state["done"] for state in batches(settings)] == [True]


@pytest.mark.parametrize("content", ["5", '{"reply": 5}', '{"reply": [1]}', "[" * 100_000, '"x"'])
def test_a_kept_verdict_of_another_kind_is_none(tmp_path, content):
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "abc.json").write_text(content)
    assert judge_cache.Cache(tmp_path).get("abc") is None
