"""A file is written whole or not at all, and a folder is filled only by whoever made it."""

import ast
import importlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emorealm_tasks import files
from emorealm_tasks.errors import shown

_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from emorealm_results.console import output
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
output.write(Path(sys.argv[1]), "new" * 10_000)
"""


def test_a_disk_that_fills_up_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "table.md"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, path], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"emorealm: {path}: cannot be written")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.md"]


def test_a_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path):
    path, link = tmp_path / "real.json", tmp_path / "link.json"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    files.write_json(link, {"a": "\ud83d"}, indent=None, ensure_ascii=False)
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == '{"a": "\ufffd"}\n'
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_mode_that_the_user_set(tmp_path):
    files.write(tmp_path / "deep" / "new.txt", "text")
    (tmp_path / "plain.txt").write_text("text")
    assert (tmp_path / "deep" / "new.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def test_a_pipe_is_written_to(tmp_path):
    pipe, said = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: said.append(pipe.read_text()))
    reader.start()
    files.write(pipe, "through")
    reader.join(10)
    assert said == ["through"]


def test_a_claimed_folder_is_ones_own_and_no_others(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    files.claim(folder, "one", "--out")
    (folder / "work.txt").write_text("x")
    files.claim(folder, "one", "--out")
    with pytest.raises(SystemExit) as stopped:
        files.claim(folder, "another", "--to")
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "`another` did not make" in said
    assert "--to" in said


@pytest.mark.parametrize("mark", [None, "not JSON", "[]", '{"made_by": "another"}', "[" * 100_000])
def test_a_folder_of_someone_else_is_refused(tmp_path, mark):
    (tmp_path / "thesis.txt").write_text("x")
    if mark is not None:
        (tmp_path / files.MARK).write_text(mark)
    with pytest.raises(SystemExit):
        files.claim(tmp_path, "one", "--out", earlier=lambda folder: False)
    assert (tmp_path / "thesis.txt").exists()


def test_what_a_desktop_leaves_does_not_count(tmp_path):
    for name in (".DS_Store", "._notes.txt", "._.DS_Store"):
        (tmp_path / name).write_text("x")
    files.claim(tmp_path, "one", "--out")
    assert files.marked(tmp_path)["made_by"] == "one"


_KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from emorealm_tasks import files
with files.draft(Path(sys.argv[1])) as beside:
    beside.write_text("half of")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_was_writing_matches_nothing(tmp_path):
    (tmp_path / "whole.json").write_text("{}")
    (tmp_path / "._whole.json").write_text("what macOS puts beside a file")
    done = subprocess.run([sys.executable, "-c", _KILLED_WHILE_WRITING, tmp_path / "half.json"])
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("*.json"))) == 3
    assert files.matching(tmp_path, "*.json", "w*") == [tmp_path / "whole.json"]


@pytest.mark.parametrize("name", [".__model", "..__model", ".models__mine"])
def test_a_hidden_folder_may_hold_what_is_sought(name, tmp_path):
    """As lmms-eval names the folder of the model ./model, ../model, /home/me/.models/mine."""
    home = tmp_path / name
    home.mkdir()
    (home / "1_results.json").write_text("{}")
    assert files.matching(tmp_path, "**/*_results.json") == [home / "1_results.json"]


def test_what_was_thrown_away_or_is_under_way_is_not_sought(tmp_path):
    for name in ("clips/.Trash-0/1.mp4", "clips/.rsync-partial/2.mp4", "clips/3.mp4", ".cache/4.mp4"):
        (tmp_path / ".data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".data" / name).write_text("x")
    assert files.matching(tmp_path / ".data", "**/*.mp4") == [tmp_path / ".data/clips/3.mp4"]


def test_a_long_name_in_any_script_is_written(tmp_path):
    path = tmp_path / f"{'漢' * 82}.json"  # 251 bytes of the 255 that a name may have
    files.write(path, "{}")
    assert path.read_text() == "{}"


def test_a_file_is_copied_once_and_again_when_it_changed(tmp_path):
    source, target = tmp_path / "a.mp4", tmp_path / "below" / "b.mp4"
    source.write_text("one")
    files.copy(source, target)
    first = target.stat()
    files.copy(source, target)
    assert target.stat().st_ino == first.st_ino
    source.write_text("two")
    os.utime(source, ns=(first.st_atime_ns, first.st_mtime_ns + 1))
    files.copy(source, target)
    assert target.read_text() == "two"


@pytest.mark.parametrize("package", ["emorealm_tasks", "model_adapters", "avem_train", "emorealm_results"])
def test_folders_are_searched_without_hidden_names(package):
    """A `glob` whose pattern's name begins with a wildcard matches drafts: `files.matching` does not."""
    root = Path(importlib.import_module(package).__file__).parent
    found = []
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("glob", "rglob"):
                pattern = getattr(node.args[0], "value", "*")  # of one that is put together nothing is known
                if not pattern.rpartition("/")[2][0].isalpha():
                    found.append(file.relative_to(root).as_posix())
    removing = {"avem_train": ["curation/asking/mailbox.py"], "model_adapters": ["base/checkpoint_files.py"]}
    allowed = removing | {"emorealm_tasks": ["files.py"]}
    assert found == allowed.get(package, [])


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_a_path_that_is_none_ends_in_one_line(path, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        files.claim(tmp_path / path, "one", "--out")
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_messages_carry_no_escapes_and_no_end(capsys):
    assert shown("a\x1b[31mb\rc\ud83dd") == "a\\x1b[31mb\\rc\\ud83dd"
    long = shown(f"/where: {'x' * 30_000_000}; do this")
    assert len(long) < 2100
    assert long.startswith("/where: ")
    assert long.endswith("; do this")
