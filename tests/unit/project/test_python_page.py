"""docs/python.md: its code runs, top to bottom, on runs of the names it uses; its tables are the code's columns."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

import run_folders
from emorealm_results import cli
from emorealm_results.share import columns

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "python.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(python|bash)\n(.*?)```", re.DOTALL)


@pytest.fixture
def home(tmp_path, monkeypatch, clips):
    for name in ("avere_nano_2", "avere_nano_2_plus"):
        run_folders.write(tmp_path / "results" / "runs" / name, run_folders.whole(), pretrained=name)
    shutil.copy(clips[0], tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_blocks_run_in_their_order(home, capsys):
    names = {}
    for language, block in BLOCK.findall(PAGE):
        if language == "python":
            exec(compile(block, "docs/python.md", "exec"), names)
            continue
        for command, verb, *rest in map(shlex.split, block.splitlines()):
            assert command == "emorealm"
            assert cli.main([verb, *rest]) == 0
    assert len(names["tables"]) == len(names["samples"]) == 80
    assert names["accuracy"].shape == (5, 2)
    assert 0 < len(names["wrong"]) < 80
    assert (names["letter"], names["f1"]) == ("B", 100)
    assert names["frames"].shape == (8, 64, 64, 3)
    assert sorted(path.name for path in (home / "data" / "one").glob("s*")) == [
        "samples.csv", "samples.jsonl", "scores.csv", "scores.jsonl"]  # fmt: skip


@pytest.mark.parametrize("mark", ["samples", "scores"])
def test_the_tables_of_columns_are_the_codes(mark):
    shown = PAGE.split(f"<!-- {mark} -->\n")[1].split(f"<!-- end of {mark} -->")[0].splitlines()[2:]
    table = getattr(columns, mark.upper())
    assert shown == [f"| `{name}` | {column.kind} | {column.holds} |" for name, column in table.items()]
