"""Stages that ask by batch, of a server that takes them: what goes out, what comes back, and what is paid."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
import yaml

from avem_train.curation import pipeline, recipe
from curation import REPLIES, content, form
from emorealm_results.commands import curate
from faulty_server import chat, error

STAGES = {"captions": {"picture": "server", "sound": "server", "frames": 2}}
COST = (500 * 1.0 + 60 * 2.0) / 1e6
"""Of a request that is asked at once."""


def whole(folder, server, **more):
    """A recipe's content whose client asks by batch."""
    made = content(folder, server.url, STAGES, **more)
    made["clients"]["server"] |= {"batch": True, "concurrency": 1}
    return made


def loaded(folder, server, **more):
    return recipe.from_content(whole(folder, server, **more))


def spent(folder):
    return sum(map(float, (folder / "out" / "spent.txt").read_text().split()))


def notes(folder):
    found = [json.loads(path.read_text()) for path in (folder / "out" / "batches").glob("*.json")]
    return sorted(found, key=lambda note: note["submitted"])


def rejects(folder):
    lines = (folder / "out" / "captions.rejects.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def pending(chosen, message="wait for batches"):
    with pytest.raises(pipeline.Pending, match=message):
        pipeline.run(chosen)


def test_requests_go_out_together_are_collected_later_and_cost_half(folder, server):
    pipeline.run(recipe.from_content(content(folder, server.url, STAGES, out=folder / "live")))
    del server.asked[:]
    chosen = loaded(folder, server)
    server.batch_status = "in_progress"
    for _ in range(2):  # the second submits nothing again
        pending(chosen, r"2 rows wait for batches: batch-0 \(2 requests\)")
    assert [form(body) for body in server.asked] == ["PictureCaption", "SoundCaption"]  # what does the server support?
    server.batch_status = "completed"
    pending(chosen, r"1 rows wait for batches: batch-1 \(1 requests\)")  # a sound; the one before it was the first
    (report,) = pipeline.run(chosen)
    assert (folder / "out" / "captions.jsonl").read_bytes() == (folder / "live" / "captions.jsonl").read_bytes()
    assert (len(server.asked), len(server.batches)) == (3, 2)
    assert spent(folder) == pytest.approx(3 * COST + 3 * COST / 2)
    assert report.used["server"]["replies"] == 6
    assert all(note["done"] for note in notes(folder))
    pipeline.run(chosen)
    assert (len(server.asked), len(server.batches)) == (3, 2)


def test_the_command_leaves_with_75_or_waits(folder, server, monkeypatch, capsys):
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(whole(folder, server, out=str(folder / "out"))))
    server.batch_status = "in_progress"
    assert curate.main(["run", str(path)]) == os.EX_TEMPFAIL
    line = capsys.readouterr().err
    assert "emorealm: captions: 2 rows wait for batches: batch-0" in line
    assert "--wait" in line
    monkeypatch.setattr(pipeline, "_FIRST_POLL", 0.05)
    threading.Timer(0.3, setattr, (server, "batch_status", "completed")).start()
    assert curate.main(["run", str(path), "--wait"]) == 0
    assert (folder / "out" / "captions.jsonl").read_text().count("\n") == 3
    assert len(server.batches) == 2


def test_a_reply_that_does_not_fit_is_sent_back_in_a_batch(folder, server, monkeypatch):
    def script(body, number):
        spoilt = form(body) == "PictureCaption" and len(body["messages"]) == 1
        return 200, {}, chat('{"caption": 3}' if spoilt else json.dumps(REPLIES[form(body)]))

    server.script = script
    monkeypatch.setattr(pipeline, "_FIRST_POLL", 0.01)
    (report,) = pipeline.run(loaded(folder, server), wait=True)
    assert (report.rows, report.rejects) == (3, {})
    assert (report.counts["asked"], report.counts["repaired"], report.counts["cached"]) == (9, 3, 0)
    repairs = [line for lines in server.files.values() for line in lines if "cannot be used" in line]
    assert len(repairs) == 3
    assert len(server.asked) == 2


@pytest.mark.parametrize("failing", [1, 2])
def test_a_request_that_fails_is_asked_once_more_then_its_row_is_rejected(folder, server, monkeypatch, failing):
    failed = []

    def script(body, number):  # the pictures of two clips, in their first so many batches
        if server.batches and form(body) == "PictureCaption" and len(failed) < 2 * failing:
            failed.append(body)
            return 400, {}, error("filtered")
        return 200, {}, chat(json.dumps(REPLIES[form(body)]))

    server.script = script
    monkeypatch.setattr(pipeline, "_FIRST_POLL", 0.01)
    (report,) = pipeline.run(loaded(folder, server), wait=True)
    assert len(failed) == 2 * failing
    assert report.rows == (3 if failing == 1 else 1)
    assert report.rejects == ({} if failing == 1 else {"no reply by batch": 2})
    assert all("filtered" in reject["reason"] for reject in rejects(folder))


def test_of_an_expired_batch_only_what_was_left_is_asked_again(folder, server):
    server.batch_status = "in_progress"
    pending(loaded(folder, server))
    server.batch_statuses["batch-0"], server.before_expiry = "expired", 1
    pending(loaded(folder, server))
    assert [len(lines) for lines in server.files.values()] == [2, 1]
    assert list(notes(folder)[0]["failed"].values()) == ["This request could not be executed in time."]


def test_a_batch_that_the_server_refuses_goes_out_once_more_then_the_run_stops(folder, server, capsys):
    server.batch_status = "in_progress"
    chosen = loaded(folder, server)
    pending(chosen)
    server.batch_status = "failed"
    pending(chosen, "batch-1")
    with pytest.raises(SystemExit):
        pipeline.run(chosen)
    assert "refused batch batch-1 again: the queue is full" in capsys.readouterr().err
    server.batch_status = "completed"
    (report,) = pipeline.run(chosen)
    assert (report.rows, report.rejects) == (3, {})  # no request was looked at: none is given up


def test_the_budget_counts_what_is_under_way(folder, server, capsys):
    chosen = loaded(folder, server, budget=2.6 * COST)
    server.batch_status = "in_progress"
    pending(chosen)
    pending(chosen)
    assert [len(lines) for lines in server.files.values()] == [1]  # two requests at once, and a third for half of it
    assert notes(folder)[0]["dollars"] == pytest.approx(COST / 2)
    server.batch_status = "completed"
    with pytest.raises(SystemExit):
        pipeline.run(chosen)
    assert "of the budget of" in capsys.readouterr().err
    pending(loaded(folder, server, budget=1.0))
    assert pipeline.run(loaded(folder, server, budget=1.0))[0].rows == 3


@pytest.mark.slow
def test_a_run_killed_before_it_can_remember_its_batch_finds_it(folder, server):
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(whole(folder, server, out=str(folder / "out"))))
    command = [sys.executable, "-m", "emorealm_results.cli", "curate", "run", str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    server.batch_status = "in_progress"
    server.on_batch = lambda name: os.killpg(process.pid, signal.SIGKILL) or name
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    (note,) = notes(folder)
    assert (note["id"], len(server.batches)) == ("", 1)
    server.on_batch = lambda name: None
    pending(loaded(folder, server), r"batch-0 \(2 requests\)")
    assert len(server.batches) == 1
    assert notes(folder)[0]["id"] == "batch-0"


def test_requests_that_no_batch_was_noted_for_are_swept(folder, server):
    (folder / "out" / "batches").mkdir(parents=True)
    left = folder / "out" / "batches" / "0123.jsonl"
    left.write_text("{}\n")
    (folder / "out" / ".emorealm.json").write_text('{"made_by": "emorealm curate"}')
    pending(loaded(folder, server))
    assert not left.exists()


@pytest.mark.parametrize("change", [{"engine": "ray"}, {"clients": {"server": {"kind": "gemini", "model": "m"}}}])
def test_what_knows_no_batches_is_said(folder, server, change):
    made = whole(folder, server) | change
    made["clients"]["server"]["batch"] = True
    with pytest.raises(recipe.RecipeError, match="needs a client of kind openai, and engine=local"):
        recipe.from_content(made)
