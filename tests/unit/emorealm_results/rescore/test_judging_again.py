"""Saved descriptions are judged again from the command line: estimated, submitted, left and collected."""

import json

import pytest

import run_folders
from emorealm_results import cli
from faulty_server import FaultyServer

CLIPS = 4


@pytest.fixture
def server():
    running = FaultyServer()
    yield running
    running.stop()


@pytest.fixture
def rescore(server, tmp_path, monkeypatch):
    """rescore(*arguments) -> exit status, of a run whose descriptions nobody has judged."""
    for name, value in (("CACHE", tmp_path / "cache"), ("JUDGE_BASE_URL", server.url), ("JUDGE_MODEL", "m")):
        monkeypatch.setenv(f"EMOREALM_{name}", str(value))
    monkeypatch.setenv("EMOREALM_JUDGE_PRICE", "2.5,10")
    records = [
        {"id": f"s{n}", "clip": f"s{n}", "task": "emer", "reference": "A smile is seen.", "raw": f"A grin, {n}.",
         "error": "", "gold": "", "truth": None, "judge": "", "verdicts": {}}
        for n in range(CLIPS)
    ]  # fmt: skip
    run = run_folders.write(tmp_path / "run", {"emer": records})
    return lambda *arguments: cli.main(["rescore", str(run), "--json", "-", *arguments])


def test_an_estimate_asks_nothing(rescore, server, capsys):
    assert rescore("--estimate") == 0
    said = capsys.readouterr().out
    assert said.startswith("emer: judging with m: 4 requests, about ")
    assert "$0.0" in said
    assert server.asked == []


def test_a_batch_is_submitted_left_and_collected_by_the_same_command(rescore, server, capsys):
    server.batch_status = "in_progress"
    for _ in range(2):
        assert rescore("--judge", "batch") == 3
        printed = capsys.readouterr()
        assert "under way: batch-0 (3 requests)" in printed.err
        assert json.loads(printed.out)["descriptions"]["emer"]["judges"]["m/prompt-1"]["unjudged"] == 3
    server.batch_status = "completed"
    assert rescore("--judge", "batch") == 0
    scores = json.loads(capsys.readouterr().out)["descriptions"]["emer"]["judges"]["m/prompt-1"]["scores"]
    assert scores["mean"]["value"] == 7
    assert len(server.batches) == 1
    assert rescore("--judge", "live") == 0
    assert len(server.asked) == 1  # the first one, which found out what the server supports
