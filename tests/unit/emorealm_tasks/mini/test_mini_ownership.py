"""`emorealm-mini build` writes over what it made, and over nothing else."""

import json
import shutil

import pytest

from emorealm_tasks import files
from emorealm_tasks.mini import cli
from emorealm_tasks.mini.build import ownership


def build(out, clips=25, *more):
    return cli.main(["build", "--out", str(out), "--split", "validation", "--clips", str(clips), *more])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("mini") / "validation"
    assert build(out, 30) == 0
    return out


@pytest.fixture
def mini(built, tmp_path):
    return shutil.copytree(built, tmp_path / "mini")


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def place(folder, name, content="mine"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def assert_refused(out, capsys, named):
    before = contents(out)
    with pytest.raises(SystemExit) as stopped:
        build(out, 30)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert named in said
    assert "--out" in said
    assert contents(out) == before


PUBLIC = json.dumps([{"id": "reasoning_basic_audio_1", "video": "part_1/1.mp4"}])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("emorealm_v1.json", PUBLIC),
        ("emorealm_v1.json", "[]"),
        ("videos/part_1/1.mp4", "a clip"),
        ("part_1/1.mp4", "a clip"),
        ("dfew/part_1/1.mp4", "a clip"),
        ("dfew_annotation/test(single-labeled)/set_1.csv", "video_name,label\n"),
        ("emer/truth.json", "{}"),
        ("cues.json", "[]"),
        ("cues.json", json.dumps([{"clip": "part_1/1.mp4"}])),
        ("training.json", "{}"),
        ("thesis.tex", "x"),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, capsys, name, content):
    place(tmp_path, name, content)
    assert_refused(tmp_path, capsys, name.split("/")[0])


@pytest.mark.slow
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(
    "name",
    ["notes.txt", "videos/part_2/1.mp4", "videos/notes.txt", "dfew/part_9/9.txt", "my/thing", "wavs/part_1/1.wav"],
)
def test_what_is_put_into_a_built_folder_is_not_lost(mini, capsys, name, marked):
    if not marked:
        (mini / files.MARK).unlink()
    place(mini, name)
    assert_refused(mini, capsys, name)


def test_clips_put_among_the_layouts_are_not_lost(mini, capsys):
    place(mini, "dfew/part_9/16000.mp4")
    assert_refused(mini, capsys, "dfew/part_9/16000.mp4")


def test_clips_beyond_those_that_were_built_are_not_lost(mini, capsys):
    place(mini, "videos/part_1/31.mp4")
    assert_refused(mini, capsys, "videos/part_1/31.mp4")


def test_the_public_questions_in_a_built_folder_are_not_lost(mini, capsys):
    place(mini, "emorealm_v1.json", PUBLIC)
    assert_refused(mini, capsys, "emorealm_v1.json")


def test_a_linked_folder_is_not_written_through(mini, tmp_path, capsys):
    place(tmp_path / "dfew_clips", "part_1/1.mp4")
    shutil.rmtree(mini / "videos")
    (mini / "videos").symlink_to(tmp_path / "dfew_clips")
    assert_refused(mini, capsys, "videos")


@pytest.mark.slow
def test_a_built_folder_is_built_again_smaller_and_as_another_split(mini):
    assert build(mini, 25) == 0
    assert build(mini, 30) == 0
    assert cli.main(["build", "--out", str(mini), "--split", "train", "--clips", "2"]) == 0


@pytest.mark.slow
def test_a_folder_of_an_earlier_version_is_built_again(mini):
    (mini / files.MARK).unlink()
    assert build(mini, 25) == 0
    assert files.marked(mini)["made_by"] == ownership.MAKER


@pytest.mark.slow
def test_a_build_that_was_killed_is_built_again(mini):
    for name in ("emorealm_v1.json", "cues.json", "build.json"):
        (mini / name).unlink()
    place(mini, f"{ownership.BEGUN}/dfew/part_1/1.mp4")
    place(mini, "videos/part_1/7.partial")
    assert build(mini, 25) == 0
    assert not (mini / ownership.BEGUN).exists()
