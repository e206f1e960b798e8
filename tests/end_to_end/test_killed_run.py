"""A run with `--use_cache` that is killed in the middle, on the real command line: the next one asks what is left."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import warm_commands
from emorealm_tasks.mini.build.split import build
from faulty_server import FaultyServer, chat

TASK = "emorealm_mini_reasoning_basic_audio"
CLIPS, QUESTIONS, ANSWERED = 48, 12, 7


@pytest.fixture
def server():
    """Answers the first seven requests, then none until it is told to."""
    running = FaultyServer(lambda body, number: (200, {}, chat("(A) yes")) if number < ANSWERED else "hang")
    yield running
    running.stop()


@pytest.fixture
def command(tmp_path, server):
    """The command line of a run of twelve questions, one at a time, and its environment."""
    build(tmp_path / "mini", "test", CLIPS, 0)
    variables = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    variables |= {"EMOREALM_MINI": str(tmp_path / "mini"), "EMOREALM_CACHE": str(tmp_path / "cache")}
    variables |= {"CUDA_VISIBLE_DEVICES": "", "OPENAI_API_KEY": "k", "GIT_DIR": os.devnull}
    line = [str(Path(sys.executable).with_name("lmms-eval")), "--model", "openai_av", "--tasks", TASK]
    line += ["--model_args", f"model=m,base_url={server.url},frames=2,concurrency=1", "--limit", str(QUESTIONS)]
    return [*line, "--use_cache", str(tmp_path / "answers")], variables


def test_a_run_killed_at_seven_of_twelve_asks_five(command, server, tmp_path):
    line, variables = command
    with (tmp_path / "killed.log").open("wb") as log:
        killed = subprocess.Popen(line, env=variables, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    until = time.monotonic() + 120
    while len(server.asked) <= ANSWERED and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    assert len(server.asked) == ANSWERED + 1, (tmp_path / "killed.log").read_text()[-3000:]

    server.script = lambda body, number: (200, {}, chat("(A) yes"))
    server.asked.clear()
    second = warm_commands.run(line, variables, tmp_path)
    assert second.returncode == 0, second.stderr[-3000:]
    assert len(server.asked) == QUESTIONS - ANSWERED

    server.asked.clear()
    assert warm_commands.run(line, variables, tmp_path).returncode == 0
    assert server.asked == []
