"""Batches against a real server: noted before they are submitted, found again, and read whatever lies in them."""

import json

import openai
import pytest

from emorealm_tasks import chat_batches
from emorealm_tasks.chat_batches import Batch
from emorealm_tasks.chat_client import ChatClient
from faulty_server import FaultyServer, chat, error

KEY = "sk-very-secret-key-123"
BODIES = {f"key{number}": {"model": "m", "messages": [], "n": number} for number in range(4)}


@pytest.fixture
def server():
    running = FaultyServer(lambda body, number: (200, {}, chat(f"reply {body['n']}\u2028")))
    yield running
    running.stop()


@pytest.fixture
def client(server):
    return ChatClient("m", KEY, server.url, timeout=5, retries=2, options={})


def submitted(client, folder, about=lambda keys: {"keys": keys}):
    chat_batches.submit_all(client, folder, BODIES, about)
    return chat_batches.noted(folder, {"keys": list})


def test_requests_go_out_and_replies_come_back_by_key(client, server, tmp_path):
    server.batch_status = "in_progress"
    (batch,) = submitted(client, tmp_path)
    assert (batch.id, batch.done, batch.about) == ("batch-0", False, {"keys": list(BODIES)})
    assert chat_batches.collect(client, batch) is None
    server.batch_status = "completed"
    answers = chat_batches.collect(client, batch)
    assert {key: reply.text for key, reply in answers.replies.items()} == {f"key{n}": f"reply {n}" for n in range(4)}
    assert answers.faults == {}
    assert [path.name for path in tmp_path.iterdir()] == [batch.path.name]  # requests are kept no longer than needed


@pytest.mark.parametrize(("limit", "value"), [("MOST_REQUESTS", 3), ("MOST_BYTES", 420)])
def test_what_is_too_much_for_one_batch_goes_into_two(client, server, tmp_path, monkeypatch, limit, value):
    monkeypatch.setattr(chat_batches, limit, value)
    batches = submitted(client, tmp_path)
    assert sorted(len(batch.about["keys"]) for batch in batches) == [1, 3]
    assert sorted(len(lines) for lines in server.files.values()) == [1, 3]
    assert sorted(key for batch in batches for key in batch.about["keys"]) == sorted(BODIES)


def test_a_batch_whose_making_was_not_answered_is_found_and_not_made_twice(client, server, tmp_path):
    server.on_batch = lambda name: "cut"
    with pytest.raises(openai.APIConnectionError):
        submitted(client, tmp_path)
    assert len(server.batches) == 1  # not sent again, although the client would
    (lost,) = chat_batches.noted(tmp_path, {"keys": list})
    assert lost.id == ""
    assert chat_batches.recover(client, lost).id == "batch-0"
    assert [batch.id for batch in chat_batches.noted(tmp_path, {})] == ["batch-0"]
    assert len(server.batches) == 1


def test_a_batch_that_never_came_to_the_server_is_submitted_again(client, server, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(chat_batches, "_send", lambda client, batch: batch)  # as if killed after the note
        (lost,) = submitted(client, tmp_path)
    assert (lost.id, server.batches) == ("", {})
    assert chat_batches.recover(client, lost).id == "batch-0"
    assert len(server.files["file-0"]) == 4
    gone = Batch(chat_batches.fresh(tmp_path), {})
    chat_batches.note(gone)
    assert chat_batches.recover(client, gone) is None  # nothing to submit, and nothing there
    assert [batch.id for batch in chat_batches.noted(tmp_path, {})] == ["batch-0"]


def test_every_way_to_fail_has_its_reason_and_none_shows_the_key(client, server, tmp_path):
    def script(body, number):
        return [
            (200, {}, chat("fine")),
            (400, {}, error(f"filtered for {KEY}")),
            (200, {}, {"choices": None}),
            (200, {}, chat("fine")),
        ][body["n"]]

    server.script = script
    server.batch_status, server.before_expiry = "expired", 3
    (batch,) = submitted(client, tmp_path)
    answers = chat_batches.collect(client, batch)
    assert answers.status == "expired"
    assert set(answers.replies) == {"key0", "key2"}
    assert answers.replies["key2"].no_text_reason
    assert "filtered for ***" in answers.faults["key1"]
    assert "in time" in answers.faults["key3"]
    server.batch_status = "failed"
    refused = chat_batches.collect(client, batch)
    assert (refused.why, refused.replies, refused.faults) == ("the queue is full", {}, {})


@pytest.mark.parametrize(
    "line", ["", "5", "[]", "null", "[" * 100_000, '{"custom_id": "a"}', '{"response": {}}', "\xff"]
)
def test_an_odd_line_answers_nothing(client, line):
    answers = chat_batches.Answers("completed")
    chat_batches._read(client, line.encode("latin-1"), answers)
    assert answers.replies == {}


@pytest.mark.parametrize("identity", ["../../../x", "/etc/x", "a" * 5000, "b\0c", "."])
def test_a_batch_of_any_name_is_noted_in_its_folder(client, tmp_path, identity):
    batch = chat_batches._known(Batch(chat_batches.fresh(tmp_path / "batches"), {}), identity)
    assert [path.parent for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "batches"]
    assert chat_batches.noted(tmp_path / "batches", {}) == [batch]


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000, '{"model": "m"}', '{"id": "a", "keys": 5}', "\xff"])
def test_a_damaged_note_is_passed_over(tmp_path, content, capsys):
    (tmp_path / "x.json").write_text(content, encoding="latin-1")
    (tmp_path / ".y.json.0123456789ab.new.json").write_text(json.dumps({"id": "", "submitted": "", "done": False}))
    assert chat_batches.noted(tmp_path, {"keys": list}) == []
    assert capsys.readouterr().err.count("passed over") == 1
