"""A server's limits are kept to, a key is written nowhere, and who looks on sees what was paid so far."""

import io
import json
import sys
import time

import pytest

from avem_train.curation import pipeline, recipe
from curation import REPLIES, content, form
from faulty_server import chat, error

KEY = "sk-very-secret-key-123"
STAGES = {"captions": {"picture": "server", "frames": 2}}


def loaded(folder, server, **client):
    made = content(folder, server.url, STAGES, failed="reject")
    made["clients"]["server"] |= {"concurrency": 1, "retries": 2, **client}
    return recipe.from_content(made)


def good(body):
    return 200, {}, chat(json.dumps(REPLIES[form(body)]))


def test_too_many_requests_wait_as_long_as_the_server_says(folder, server):
    limit = (429, {"Retry-After": "1"}, error("slow down"))
    server.script = lambda body, number: limit if number == 1 else good(body)
    (report,) = pipeline.run(loaded(folder, server))
    assert (report.rows, report.counts["asked"]) == (3, 3)
    assert 1 <= server.at[2] - server.at[1] < 5
    assert server.asked[1] == server.asked[2]


def test_without_a_word_of_the_server_each_wait_is_longer(folder, server, monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.2)
    server.script = lambda body, number: (429, {}, error("slow down")) if number in (0, 1) else good(body)
    (report,) = pipeline.run(loaded(folder, server))
    assert report.rows == 3
    assert server.at[1] - server.at[0] >= 0.14  # 0.2 s less at most a quarter
    assert server.at[2] - server.at[1] >= 0.29


@pytest.mark.slow
@pytest.mark.parametrize("limit", [{"per_minute": 100}, {"tokens_per_minute": 100 * 560}])
def test_requests_and_tokens_of_a_minute(folder, server, limit):
    server.script = lambda body, number: good(body)
    before = time.monotonic()
    pipeline.run(loaded(folder, server, **limit))
    assert server.at[-1] - before >= 2 * 0.6


@pytest.mark.parametrize("batch", [False, True])
def test_a_key_is_written_nowhere(folder, server, monkeypatch, capsys, batch):
    """Not where it is wrong and quoted, in what is rejected, in what is noted of batches, nor on the screen."""
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setattr(pipeline, "_FIRST_POLL", 0.01)
    quoted = (400, {}, error(f"no picture may be sent with {KEY}"))
    server.script = lambda body, number: quoted if len(server.asked) > 1 or server.batches else good(body)
    (report,) = pipeline.run(loaded(folder, server, key_env="MY_KEY", batch=batch), wait=True)
    assert server.keys == {f"Bearer {KEY}"}
    assert (report.rows, sum(report.rejects.values())) == (1, 2)
    files = [path for path in (folder / "out").rglob("*") if path.is_file()]
    assert len(files) >= 6 + 2 * batch
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert "no picture may be sent with ***" in (folder / "out" / "captions.rejects.jsonl").read_text()
    printed = capsys.readouterr()
    assert KEY not in printed.out + printed.err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_rows_and_dollars_so_far(folder, server, monkeypatch):
    server.script = lambda body, number: good(body)
    made = content(folder, server.url, STAGES)
    made["clients"]["server"] |= {"price_in": 1e4}  # five dollars a request
    monkeypatch.setattr(sys, "stderr", Terminal())
    pipeline.run(recipe.from_content(made))
    shown = sys.stderr.getvalue()
    assert "captions: 100%" in shown
    assert "3/3" in shown
    assert "$15.00" in shown
