"""Stages on a local Ray: the files of the local engine, a lost worker, the budget, and how it ends."""

import json
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from avem_train.curation import pipeline, recipe
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Clip
from curation import ORACLE, REPLIES, answering, content, form, manifest
from emorealm_tasks import files
from faulty_server import chat

pytest.importorskip("ray")
CAPTIONS = {"captions": {"picture": "server", "sound": "server", "frames": 1}}
STAGES = CAPTIONS | {
    "emotions": {"client": "server"},
    "questions": {"client": "server"},
    "filter": {"clients": ["server"], "match_labels": True},
}
COST = (500 * 1.0 + 60 * 2.0) / 1e6
"""Dollars of a reply."""


@pytest.fixture(scope="module")
def ray():
    """The engine, with one Ray for the tests of this file."""
    from avem_train.curation.engines import ray as engine

    engine.start(engine.Pool("", 2, 2, 0.0))
    engine._ours = False  # as one that was there before: no run ends it
    yield engine
    engine._ours = True
    engine.close()


@pytest.fixture
def clips(folder):
    """A folder with 20 clips, each with content of its own."""
    first = folder / "0.mp4"
    videos = [first]
    for number in range(1, 20):
        videos.append(folder / f"{number}.mp4")
        shutil.copy(first, videos[-1])
        with videos[-1].open("ab") as file:
            file.write(bytes([number]))
    manifest(folder, videos)
    return folder


def loaded(folder, url, stages=CAPTIONS, **more):
    whole = content(folder, url, stages, **{"engine": "ray", **more})
    whole["clients"]["server"]["concurrency"] = 2
    return recipe.from_content(whole)


def actors():
    """Processes of this one's Ray that run rows."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "MapWorker" in "".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_a_stage_that_sees_all_rows_gives_the_local_engines_files(clips, ray):
    server = answering(ORACLE)
    try:
        *_, mine = pipeline.run(loaded(clips, server.url, STAGES, engine="local", out=clips / "local"))
        shutil.copytree(clips / "local", clips / "out")
        for file in (clips / "out").glob("filter.*"):
            file.unlink()
        shutil.rmtree(clips / "out" / "replies")
        *_, other = pipeline.run(loaded(clips, server.url, STAGES))
    finally:
        server.stop()
    for name in ("filter.jsonl", "filter.rejects.jsonl", "filter.report.json"):
        assert (clips / "out" / name).read_bytes() == (clips / "local" / name).read_bytes(), name
    assert mine.rows > 10
    assert mine.made_from == other.made_from
    assert mine.counts["asked"] + mine.counts["cached"] == other.counts["asked"] + other.counts["cached"]


@pytest.mark.slow
def test_a_lost_worker_costs_no_row_and_no_paid_reply(clips, ray):
    killed = []

    def script(body, number):
        if number == 10 and not killed:
            killed.append(actors()[0])
            killed[0].kill()
        return 200, {}, chat(json.dumps(REPLIES[form(body)]))

    server = answering()
    server.script = script
    try:
        (report,) = pipeline.run(loaded(clips, server.url, format="parquet"))
        asked = len(server.asked)
        pipeline.run(loaded(clips, server.url, format="parquet", engine="local", out=clips / "local"))
    finally:
        server.stop()
    assert killed
    assert report.rows == 20
    for name in ("captions.parquet", "captions.rejects.parquet"):
        assert (clips / "out" / name).read_bytes() == (clips / "local" / name).read_bytes(), name
    assert 40 <= asked <= 40 + 2  # again only what was under way there
    assert len(files.matching(clips / "out" / "replies", "**/*.json")) == 40
    assert report.counts["asked"] + report.counts["cached"] >= 40
    assert report.counts["dollars"] <= 40 * COST + 1e-9
    assert sum(map(float, (clips / "out" / "spent.txt").read_text().split())) == pytest.approx(40 * COST)


@pytest.mark.slow
def test_counts_come_back_from_all_workers_which_fetch_clips_from_an_address(folder, site, ray):
    server = answering()
    place = {"manifest": {"reader": "csv", "path": f"{site}/clips.csv"}}
    try:
        (report,) = pipeline.run(loaded(folder, server.url, **place))
        pipeline.run(loaded(folder, server.url, engine="local", out=folder / "disk"))
    finally:
        server.stop()
    assert report.counts == {
        **{"asked": 6, "cached": 0, "repaired": 0, "tokens_in": 6 * 500, "tokens_out": 6 * 60},
        "dollars": pytest.approx(6 * COST),
    }
    assert (folder / "out" / "captions.jsonl").read_bytes() == (folder / "disk" / "captions.jsonl").read_bytes()


@pytest.mark.slow
def test_the_budget_stops_all_workers(clips, ray, capsys):
    server = answering()
    try:
        with pytest.raises(SystemExit):
            pipeline.run(loaded(clips, server.url, budget=4.5 * COST))
    finally:
        server.stop()
    assert "of the budget of" in capsys.readouterr().err
    assert 5 <= len(server.asked) <= 5 + 4  # under way at once: two of each actor
    assert not (clips / "out" / "captions.jsonl").exists()


@pytest.mark.slow
def test_ctrl_c_ends_the_command_and_every_process_of_ray(clips):
    server = answering()
    server.script = lambda body, number: "hang"
    whole = content(clips, server.url, CAPTIONS, engine="ray", out=str(clips / "out"))
    (clips / "recipe.yaml").write_text(yaml.safe_dump(whole))
    command = [sys.executable, "-m", "emorealm_results.cli", "curate", "run", str(clips / "recipe.yaml")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        while not server.asked and running.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
        started = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=15)
    finally:
        server.stop()
        running.kill()
    assert running.returncode == 130
    assert "stopped by SIGINT" in said
    assert "Traceback" not in said
    assert len(started) > 3
    _, alive = psutil.wait_procs(started, timeout=5)
    assert alive == []


def test_an_address_without_a_ray_ends_in_a_line(monkeypatch, capsys):
    import ray

    from avem_train.curation.engines import ray as engine

    def fails(**where):
        raise ConnectionError(f"no cluster at {where['address']}\nand more")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(SystemExit):
        engine.start(engine.Pool("head:6379", 1, 1, 0.0))
    said = capsys.readouterr().err
    assert said == "emorealm: address: no Ray at head:6379 (no cluster at head:6379); see ray status\n"


def test_a_missing_extra_ends_in_a_line(monkeypatch, capsys):
    from avem_train.curation.engines import ray as engine

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit):
        engine.start(engine.Pool("", 1, 1, 0.0))
    assert capsys.readouterr().err == "emorealm: engine=ray needs Ray: pip install 'emorealm[ray]'\n"


@pytest.mark.parametrize("name", recipe.shipped())
def test_a_worker_gets_the_recipe_by_its_content_as_json(name):
    chosen = recipe.absolute(recipe.load(name, []))
    again = recipe.from_content(json.loads(json.dumps(recipe.content(chosen))))
    assert again == chosen
    assert again.root.is_absolute()
    assert again.out.is_absolute()


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("size", [1, 7, 25, 60])
def test_parts_of_a_file_are_its_rows(tmp_path, suffix, size, monkeypatch):
    monkeypatch.setattr(row_files, "_GROUP", 10)
    file = tmp_path / f"rows{suffix}"
    rows = [Clip(id=f"{number} é", video="v" * number, emotion="joy").model_dump() for number in range(25)]
    with row_files.writer(file, Clip) as put:
        for row in rows:
            put(row)
    parts = row_files.parts(file, size)
    assert [len(list(row_files.read_part(part, Clip))) for part in parts] == [part.rows for part in parts]
    assert [row for part in parts for row in row_files.read_part(part, Clip)] == rows
    assert max(part.rows for part in parts) == min(size, 25)
