"""docs/curation.md as a stranger follows it: its CSV file, its blocks of clients, its commands; and what goes wrong."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from avem_train.curation import recipe
from avem_train.curation.stages import STAGES
from curation import ORACLE, answering, form
from emorealm_results import cli

TEXT = (Path(__file__).resolve().parents[4] / "docs" / "curation.md").read_text(encoding="utf-8")
OWN, _, SERVERS = TEXT.partition("## Which server is asked")
(CSV,) = re.findall(r"```csv\n(.*?)```", OWN, re.DOTALL)
COMMANDS = [
    shlex.split(line, comments=True) for line in re.search(r"```bash\n(.*?)```", OWN, re.DOTALL)[1].splitlines()
]
BLOCKS = re.findall(r"```yaml\n(clients:\n.*?)```", SERVERS.partition("\n## ")[0], re.DOTALL)
SOUND = {"gemma3:12b": '""', "gpt-4o": "hearing"}
"""Model of a block -> what the text above it says to write as `sound`."""


@pytest.fixture
def place(tmp_path, make_clip, monkeypatch):
    """A folder with the CSV file of the docs, and clips under its names."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "clips.csv").write_text(CSV)
    (tmp_path / "clips").mkdir()
    clip = make_clip(tmp_path / "clip.mp4")
    for line in CSV.splitlines()[1:]:
        shutil.copy(clip, tmp_path / line.split(",")[1])
    return tmp_path


def run(words, capsys):
    """A command of the docs in this process, with its `> FILE`; returns its status, and what it printed."""
    words, target = (words[:-2], words[-1]) if ">" in words else (words, "")
    capsys.readouterr()
    try:
        status = cli.main(words[1:])
    except SystemExit as stopped:
        status = stopped.code
    printed = capsys.readouterr()
    if target:
        Path(target).write_text(printed.out)
    return status, printed.out + printed.err


def edited(text, block, url):
    """A recipe with a block of the docs in place of its clients, which all answer at the test's server."""
    server = yaml.safe_load(block)["clients"]["annotator"]
    text = re.sub(r"(?ms)^clients:\n.*?(?=^stages:)", block, text)
    if server["model"] in SOUND:
        text = text.replace("sound: annotator", f"sound: {SOUND[server['model']]}")
    changed = yaml.safe_load(text)
    for client in changed["clients"].values():
        client["base_url"] = url
    return changed


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: yaml.safe_load(block)["clients"]["annotator"]["model"])
def test_the_worked_example(block, place, capsys, monkeypatch):
    show, estimate, make, release = COMMANDS
    assert run(show, capsys)[0] == 0
    with answering(ORACLE | {"TextGuess": {"answer": "B"}}) as server:
        changed = edited(Path("mine.yaml").read_text(), block, server.url)
        Path("mine.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
        status, printed = run(estimate, capsys)
        assert (status, len(server.asked)) == (0, 0), printed
        assert "not there" not in printed
        assert run(make, capsys)[0] == 0
        heard = [body["model"] for body in server.asked if form(body) == "SoundCaption"]
    clients = changed["clients"]
    assert set(heard) == {clients[name]["model"] for name in [changed["stages"]["captions"]["sound"]] if name}
    status, printed = run(release, capsys)
    assert status == 0, printed
    questions = json.loads(Path("release/emorealm_v1.json").read_text())
    assert questions
    assert (Path("release") / "README.md").exists()


def test_a_block_for_each_kind_of_server():
    assert len(BLOCKS) == 3
    assert [words[1:3] for words in COMMANDS] == [["curate", "show"], *[["curate", "run"]] * 2, ["curate", "release"]]


@pytest.mark.parametrize("name", recipe.shipped())
def test_a_shown_recipe_is_the_shipped_one_with_its_comments(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["emorealm", "curate", "show", name, ">", "mine.yaml"], capsys)[0] == 0
    assert Path("mine.yaml").read_text().startswith("# ")
    assert recipe.load("mine.yaml", []) == recipe.load(name, [])


def test_the_list_tells_what_each_makes_and_where_it_is(capsys):
    _, printed = run(["emorealm", "curate", "list"], capsys)
    for path in recipe.shipped().values():
        assert str(path) in printed
    assert re.search(r"^own_benchmark +a benchmark from clips of your own", printed, re.MULTILINE)
    assert re.search(r"^own_clips +preference data and instruction data from clips of your own", printed, re.MULTILINE)


def test_help_lists_what_a_recipe_can_set(capsys):
    status, printed = run(["emorealm", "curate", "run", "own_clips", "--help"], capsys)
    assert status == 0
    for line in ("manifest.path=clips.csv", "clients.annotator.key_env=", "stages.captions.frames=8", "budget=50.0"):
        assert f"  {line}\n" in printed
    assert "OPENAI_API_KEY" in printed
    assert all(f"stages.{name}." in printed for name in STAGES)
    status, printed = run(["emorealm", "curate", "run", "none", "--help"], capsys)
    assert (status, "no recipe 'none'" in printed) == (2, True)


@pytest.mark.parametrize("key", ["captions.base_url", "base_url", "annotator.base_url", "stages.captions.base_url"])
def test_a_server_in_the_wrong_place_is_told_where_it_goes(key, place, capsys):
    status, printed = run(["emorealm", "curate", "run", "own_clips", f"{key}=http://127.0.0.1:9/v1"], capsys)
    assert status == 2
    assert "a server is set with clients.NAME.base_url=" in printed
    assert "annotator" in printed
    assert "did you mean" not in printed


def test_the_estimate_says_how_many_files_are_not_there(place, capsys):
    first, second = sorted((place / "clips").iterdir())[:2]
    first.unlink()
    second.unlink()
    status, printed = run([*COMMANDS[1][:3], "own_benchmark", "--estimate"], capsys)
    assert status == 0
    assert f"Files are not there of 2 of 3 clips, e.g. {Path('clips') / first.name}" in printed


def test_the_embedded_recipe_names_the_command_that_builds_its_clips(place, capsys):
    status, printed = run(["emorealm", "curate", "run", "mini", "out=made", "manifest.path=my clips"], capsys)
    assert status == 2
    command = shlex.split(printed.rpartition(": ")[2])
    assert command[:2] == ["emorealm-mini", "build"]
    from emorealm_tasks.mini import cli as mini

    command[command.index("--clips") + 1] = "8"
    assert mini.main(command[1:]) == 0
    status, printed = run(["emorealm", "curate", "run", "mini", "manifest.path=my clips", "--estimate"], capsys)
    assert (status, "captions" in printed) == (0, True)
