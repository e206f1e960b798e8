"""Plain `lmms-eval` on the real command line: no failure of ours ends with status 0, no run writes over another's."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import warm_commands
from emorealm_tasks.mini.build.split import build

TASK = "emorealm_mini_modality_agreement"
THEN = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    folder = tmp_path_factory.mktemp("status") / "mini"
    build(folder, "test", 12, 0)
    return folder


@pytest.fixture
def evaluate(tmp_path, mini):
    """evaluate(options, patch, variables) -> the ended process; `patch` is Python that runs in it beforehand."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    kept |= {"EMOREALM_MINI": str(mini), "EMOREALM_CACHE": str(tmp_path / "cache"), "CUDA_VISIBLE_DEVICES": ""}

    def run(*options, patch="", **variables):
        line = [str(Path(sys.executable).with_name("lmms-eval")), "--model", "avere", "--tasks", TASK]
        line += ["--limit", "2", "--batch_size", "4", *options]
        if patch:
            line = [sys.executable, "-c", textwrap.dedent(patch) + THEN, *line]
        return warm_commands.run(line, kept | variables, tmp_path)

    return run


def lines_of(done):
    return [line for line in done.stderr.splitlines() if "emorealm: " in line]  # behind a progress bar


BROKEN = """
    import model_adapters.avere.adapter as adapter

    def broken(self, requests):
        raise RuntimeError("the card fell off the bus\\nand more")

    adapter.AvereChat.generate_until = broken
"""


def test_an_exception_in_an_adapter_is_one_line_and_status_2(evaluate):
    done = evaluate(patch=BROKEN)
    assert done.returncode == 2
    (line,) = lines_of(done)
    assert "RuntimeError: the card fell off the bus" in line
    assert "Traceback" not in done.stderr
    assert "Traceback" in evaluate("--verbosity", "DEBUG", patch=BROKEN).stderr


def test_results_that_cannot_be_written_end_with_2(evaluate, tmp_path):
    (tmp_path / "run").write_text("a file, not a folder")
    done = evaluate("--output_path", str(tmp_path / "run"), "--log_samples")
    assert done.returncode == 2
    assert "the results could not be written" in lines_of(done)[0]


def test_samples_cut_by_a_full_disk_end_with_2(evaluate, tmp_path):
    patch = """
        import json, builtins, io
        real = builtins.open

        def full(path, mode="r", *args, **more):
            if "_samples_" in str(path) and "a" in mode:
                raise OSError(28, "No space left on device")
            return real(path, mode, *args, **more)

        builtins.open = full
    """
    done = evaluate("--output_path", str(tmp_path / "run"), "--log_samples", patch=patch)
    assert done.returncode == 2
    assert "0 of 2 answers could be saved" in lines_of(done)[0]


def test_runs_that_began_in_one_second_have_files_of_their_own(evaluate, tmp_path):
    patch = """
        import lmms_eval.utils as utils

        utils.get_datetime_str = lambda timezone="": "20260101_235959"
    """
    for _ in range(3):
        done = evaluate("--output_path", str(tmp_path / "run"), "--log_samples", patch=patch)
        assert done.returncode == 0, done.stderr[-2000:]
    results = sorted((tmp_path / "run").rglob("*_results.json"))
    assert [path.name[:15] for path in results] == ["20260101_235959", "20260102_000000", "20260102_000001"]
    for path in results:
        (samples,) = path.parent.glob(f"{path.name[:15]}_samples_*.jsonl")
        assert len(samples.read_text().splitlines()) == 2
        assert TASK in json.loads(path.read_text())["results"]


def test_a_full_disk_under_the_side_file_of_media_is_told_and_costs_no_answer(evaluate, tmp_path):
    done = evaluate("--output_path", str(tmp_path / "run"), "--log_samples", EMOREALM_MEDIA_LOG="/dev/full")
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = lines_of(done)
    assert "/dev/full" in line
    assert "No space left on device" in line
    (samples,) = (tmp_path / "run").rglob("*_samples_*.jsonl")
    records = [json.loads(line)["emorealm_score"]["record"] for line in samples.read_text().splitlines()]
    assert [record["media"] for record in records] == ["unknown"] * 2


@pytest.fixture
def full_disk(tmp_path):
    """A folder on a file system of its own without a free byte."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=16k", "none", str(folder)], check=False)
    if not made or made.returncode:
        pytest.skip("only root can make a small file system")
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_run_with_its_caches_on_a_full_disk_goes_on(evaluate, full_disk, tmp_path):
    options = ["--output_path", str(tmp_path / "run"), "--log_samples", "--use_cache", str(full_disk / "answers")]
    done = evaluate(*options, EMOREALM_CACHE=str(full_disk), TMPDIR=str(full_disk))
    assert done.returncode == 0, done.stderr[-3000:]
    said = "\n".join(lines_of(done))
    assert said.count("No space left on device") + said.count("full") >= 2
    assert said.count("--use_cache: it cannot be used") == 1
    (samples,) = (tmp_path / "run").rglob("*_samples_*.jsonl")
    assert len(samples.read_text().splitlines()) == 2


def test_results_on_a_full_disk_end_with_2(evaluate, full_disk):
    done = evaluate("--output_path", str(full_disk / "run"), "--log_samples")
    assert done.returncode == 2
    assert any("could be saved" in line or "could not be written" in line for line in lines_of(done))
    assert all(path.stat().st_size for path in full_disk.rglob("*_results.json"))
