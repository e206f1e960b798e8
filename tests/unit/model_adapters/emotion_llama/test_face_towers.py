"""MAE and VideoMAE from files in the released layout: their numbers, which crops they see, and what is refused."""

import numpy as np
import pytest
import torch

import face_files
from model_adapters.emotion_llama.convert_faces import main
from model_adapters.emotion_llama.face_towers import FaceTowers, chosen
from model_adapters.emotion_llama.faces_conversion import convert

CROPS = np.random.RandomState(0).randint(0, 255, (20, 32, 32, 3)).astype(np.uint8)
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["encoder.", ""])
def files(request, tmp_path_factory):
    """A folder of converted towers, and the released tensors that they are made of."""
    folder = tmp_path_factory.mktemp("faces")
    states = face_files.write(folder, request.param)
    convert(folder / "mae.pth", folder / "videomae.pth", folder / "out", **face_files.VIDEO)
    return folder / "out", states


def test_both_features_are_those_of_the_published_architectures(files):
    folder, states = files
    features = FaceTowers(folder, CPU).summaries(CROPS)
    pixels = torch.from_numpy(CROPS).permute(0, 3, 1, 2).float() / 255
    expected = [
        face_files.mae_feature(states["mae"], pixels),
        face_files.video_mae_feature(states["videomae"], pixels[chosen(len(CROPS))]),
    ]
    torch.testing.assert_close(features, torch.stack(expected), atol=1e-4, rtol=0)
    assert features.std(1).min() > 0.1  # they say something


def test_a_conversion_that_was_killed_goes_on(tmp_path, capsys):
    face_files.write(tmp_path, "")
    sources, out = (tmp_path / "mae.pth", tmp_path / "videomae.pth"), tmp_path / "out"
    convert(*sources, out, **face_files.VIDEO)
    with pytest.raises(SystemExit):
        convert(*sources, out, **face_files.VIDEO)
    assert "holds converted towers already" in capsys.readouterr().err
    (out / "videomae" / "model.safetensors").rename(out / "videomae" / ".tmpA1b2C3")
    convert(*sources, out, **face_files.VIDEO)
    assert not (out / "videomae" / ".tmpA1b2C3").exists()
    weights, config = (out / "mae" / name for name in ("model.safetensors", "config.json"))
    assert weights.stat().st_mode == config.stat().st_mode
    FaceTowers(out, CPU)


@pytest.mark.parametrize(
    ("available", "numbers"),
    [
        (1, [0] * 16),
        (9, [0, 1] * 8),
        (10, [0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9]),
        (81, [5, 6, 15, 16, 25, 26, 35, 36, 45, 46, 55, 56, 65, 66, 75, 76]),
    ],
)
def test_video_mae_sees_two_crops_of_each_eighth(available, numbers):
    assert chosen(available).tolist() == numbers


def changed(folder, which, change):
    face_files.write(folder)
    saved = torch.load(folder / f"{which}.pth", weights_only=False)
    change(saved["model"])
    torch.save(saved, folder / f"{which}.pth")
    return ["--mae", str(folder / "mae.pth"), "--videomae", str(folder / "videomae.pth"), "--out", str(folder / "out")]


@pytest.mark.parametrize(
    ("which", "change", "message"),
    [
        ("mae", lambda state: state.update(surprise=torch.zeros(1)), "no known part of the model (the first: surprise"),
        ("mae", lambda state: state.pop("norm.bias"), "1 tensors missing (the first, under its name here: layernorm.b"),
        ("mae", lambda state: state.pop("pos_embed"), "there is no pos_embed of 3 axes in it; is it the released file"),
        ("mae", lambda state: state.update({"norm.bias": torch.zeros(3)}), "does not fit the model"),
        ("videomae", lambda state: state.pop("encoder.blocks.1.attn.v_bias"), "1 tensors missing"),
        ("videomae", lambda state: state.update(pos_embed=torch.zeros(1)), "no known part of the model"),
    ],
)
def test_a_file_with_other_keys_is_refused(which, change, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(changed(tmp_path, which, change))
    assert left.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if f"{which}.pth" in line]
    assert message in line
    assert not (tmp_path / "out").exists()


def test_code_in_a_file_is_not_run(tmp_path, capsys):
    arguments = changed(tmp_path, "mae", lambda state: state.update(code=np.random.default_rng))
    with pytest.raises(SystemExit):
        main(arguments)
    assert "code from a checkpoint is not run" in capsys.readouterr().err


def test_a_folder_without_towers_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        FaceTowers(tmp_path, CPU)
    assert "there is no mae in it; write it with python -m model_adapters.emotion_llama.convert_faces" in (
        capsys.readouterr().err
    )
