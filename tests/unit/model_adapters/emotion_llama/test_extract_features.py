"""The command that writes features of clips: its files are what `features=DIR` reads, and it goes on where it ended."""

import numpy as np
import pytest
import torch
from PIL import Image

import face_files
from model_adapters.base.media_refs import ClipFiles
from model_adapters.emotion_llama import given_features
from model_adapters.emotion_llama.extract_features import main
from model_adapters.emotion_llama.face_crops import Given
from model_adapters.emotion_llama.face_towers import FaceTowers
from model_adapters.emotion_llama.faces_conversion import convert


@pytest.fixture
def folder(tmp_path):
    """Clips `a` and `b`, crops of `a` alone, and towers."""
    face_files.write(tmp_path)
    convert(tmp_path / "mae.pth", tmp_path / "videomae.pth", tmp_path / "towers", **face_files.VIDEO)
    for name in ("part_1/a.mp4", "part_2/b.avi"):
        (tmp_path / "clips" / name).parent.mkdir(parents=True)
        (tmp_path / "clips" / name).write_bytes(b"looked at by nobody: crops are given")
    picture = np.random.RandomState(0).randint(0, 255, (40, 40, 3)).astype(np.uint8)
    crops(tmp_path, "a", picture)
    return tmp_path


def crops(folder, name, picture):
    (folder / "crops" / name).mkdir(parents=True)
    Image.fromarray(picture).save(folder / "crops" / name / "1.png")


def command(folder):
    options = {"--clips": "clips", "--towers": "towers", "--crops": "crops", "--out": "out"}
    return main([word for option, name in options.items() for word in (option, str(folder / name))])


def test_files_are_what_the_features_are_read_from_and_a_second_call_goes_on(folder, capsys):
    assert command(folder) == 1
    told = capsys.readouterr()
    assert "crops/b: no such folder" in told.err
    assert "features of 1 of 2 clips" in told.out
    features = given_features.find(str(folder / "out"), "emotion_llama")(ClipFiles("a.mp4", "a.mp4"))
    expected = FaceTowers(folder / "towers", torch.device("cpu")).summaries(*Given(folder / "crops")("a.mp4"))
    torch.testing.assert_close(features, expected)
    before = (folder / "out/mae_UTT/a.npy").stat().st_mtime_ns
    crops(folder, "b", np.zeros((9, 9, 3), np.uint8))
    assert command(folder) == 0
    assert (folder / "out/mae_UTT/a.npy").stat().st_mtime_ns == before
    assert sorted(path.name for path in (folder / "out/maeV_UTT").iterdir()) == ["a.npy", "b.npy"]


def test_features_of_other_crops_are_not_put_among_them(folder, capsys):
    command(folder)
    (folder / "crops").rename(folder / "others")
    options = ["--clips", "clips", "--towers", "towers", "--crops", "others", "--out", "out"]
    with pytest.raises(SystemExit):
        main([word if word.startswith("--") else str(folder / word) for word in options])
    assert "was begun with other --towers or --crops" in capsys.readouterr().err


def test_what_a_system_puts_beside_clips_and_crops_is_none(folder):
    (folder / "clips" / "._a.mp4").write_bytes(b"attributes")
    (folder / "crops" / "a" / "._1.png").write_bytes(b"attributes")
    crops(folder, "b", np.zeros((9, 9, 3), np.uint8))
    assert command(folder) == 0
    assert sorted(path.name for path in (folder / "out/mae_UTT").iterdir()) == ["a.npy", "b.npy"]


def test_two_clips_of_one_name_are_refused(folder, capsys):
    (folder / "clips" / "a.mov").write_bytes(b"other")
    with pytest.raises(SystemExit):
        command(folder)
    assert "have one name" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_folder_of_another_is_spared(folder, capsys):
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(SystemExit):
        command(folder)
    assert "did not make" in capsys.readouterr().err
