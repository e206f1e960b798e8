"""Long commands at Ctrl-C and SIGTERM: ended within seconds, children too, with one line and the shell's status."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from emorealm_tasks.mini.build.split import build
from faulty_server import FaultyServer
from judged_records import record

SECONDS = 5
ECHO = Path(__file__).resolve().parents[1] / "helpers" / "echo_worker.py"
TASK = "emorealm_mini_reasoning_basic_audio"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    build(folder / "mini", "test", 25, 0)
    return folder


@pytest.fixture
def interrupt(tmp_path, world):
    """interrupt(module, arguments, begun, number, group) -> what it printed on stderr, once it has ended as it should.

    begun(children): whether it is in the middle of its work. Only the first process gets the signal, or its group.
    """
    variables = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    variables |= {
        "EMOREALM_CACHE": str(tmp_path / "cache"),
        "EMOREALM_MINI": str(world / "mini"),
        "GIT_DIR": os.devnull,
    }
    variables |= {"CUDA_VISIBLE_DEVICES": "", "OPENAI_API_KEY": "k", "OMP_NUM_THREADS": "1"}

    def ended(module, arguments, begun, number=signal.SIGINT, group=False):
        log = tmp_path / "stderr"
        with log.open("wb") as errors:
            command = [sys.executable, "-m", module, *map(str, arguments)]
            process = subprocess.Popen(
                command, env=variables, cwd=tmp_path, stdout=errors, stderr=errors, start_new_session=True
            )
        until = time.monotonic() + 100
        children = []
        while not begun(children) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
            children = psutil.Process(process.pid).children(recursive=True)
        assert process.poll() is None, log.read_text()[-3000:]
        (os.killpg if group else os.kill)(process.pid, number)
        sent = time.monotonic()
        try:
            assert process.wait(4 * SECONDS) == 128 + number, log.read_text()[-3000:]
        finally:
            process.kill()
        assert time.monotonic() - sent < SECONDS
        assert psutil.wait_procs(children, timeout=2)[1] == []
        said = log.read_text()
        assert "Traceback" not in said, said[-3000:]
        assert said.count(f"emorealm: stopped by {signal.Signals(number).name}; ") == 1
        return said

    return ended


@pytest.mark.parametrize(("number", "group"), [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, True)])
def test_the_build_of_a_world(interrupt, tmp_path, number, group):
    videos = tmp_path / "built"
    arguments = ["build", "--out", videos, "--clips", "400"]
    interrupt("emorealm_tasks.mini.cli", arguments, lambda children: any(videos.rglob("*.mp4")), number, group)


def test_a_study_and_its_workers(interrupt, tmp_path):
    place = tmp_path / "study"
    arguments = ["study", "mini", f"folder={place}", "workers=2", "seeds=2", "clips=25", "preferences.clips=12"]
    begun = lambda children: len(list(place.glob("runs/*/output.txt"))) >= 2  # noqa: E731
    said = interrupt("avem_train.cli", arguments, begun)
    assert "the same command goes on from there" in said
    assert (place / "study.json").is_file()
    assert not (tmp_path / "results").exists()  # the kept record is written only where out= names it


def evaluation(arguments):
    return ["eval", "--tasks", TASK, "--output_path", "run", "--log_samples", *arguments]


def test_an_evaluation_on_a_server_that_hangs(interrupt):
    server = FaultyServer(lambda body, number: "hang")
    model = ["--model", "openai_av", "--model_args", f"model=m,base_url={server.url},frames=2,concurrency=2"]
    try:
        assert "--use_cache" in interrupt("emorealm_results.cli", evaluation(model), lambda children: server.asked)
    finally:
        server.stop()


def test_plain_lmms_eval_and_an_external_worker(interrupt):
    model = ["--model", "external_worker", "--model_args", f"worker={ECHO},options=slow=60"]
    arguments = evaluation(model)[1:]
    begun = lambda children: any("echo_worker" in " ".join(child.cmdline()) for child in children)  # noqa: E731
    interrupt("lmms_eval", arguments, begun, signal.SIGTERM)


@pytest.fixture
def silent_server():
    server = FaultyServer(lambda body, number: "hang")
    yield server
    server.stop()


def test_judging_by_a_server_that_hangs(interrupt, tmp_path, silent_server):
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "emorealm.yaml").write_text(f"judge_base_url: {silent_server.url}\njudge_model: m\n")
    samples = [{"doc_id": number, "emer_score": {"record": record(number)}} for number in range(20)]
    (run / "20260101_000000_samples_emer.jsonl").write_text("".join(json.dumps(line) + "\n" for line in samples))
    (run / "20260101_000000_results.json").write_text(json.dumps({"model_source": "avere", "config": {}}))
    arguments = ["rescore", run, "--judge", "live"]
    said = interrupt("emorealm_results.cli", arguments, lambda children: silent_server.asked, signal.SIGTERM)
    assert "verdicts that came are kept: the same command asks for the rest" in said


def test_a_curation_on_a_server_that_hangs(interrupt, tmp_path, world, silent_server):
    server = {"kind": "openai", "model": "m", "base_url": silent_server.url, "concurrency": 2}
    stages = {"captions": {"picture": "server", "sound": "server", "frames": 2}}
    recipe = {"manifest": {"reader": "mini", "path": str(world / "mini")}, "clients": {"server": server}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"stages": stages, "out": str(tmp_path / "out")}))
    arguments = ["curate", "run", tmp_path / "recipe.yaml"]
    said = interrupt("emorealm_results.cli", arguments, lambda children: silent_server.asked)
    assert "the same command goes on" in said
