"""DFEW, RAVDESS and MER2023 in miniature copies of their published layouts."""

import dataclasses

import pytest

from emorealm_tasks import settings
from emorealm_tasks.benchmarks import dfew, mer2023, ravdess, recognition_rows, registry, suite
from emorealm_tasks.emotions import EMOTIONS

HERE = settings.Settings()


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def labels(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def stopped(capsys, call, *arguments):
    with pytest.raises(SystemExit) as stop:
        call(*arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("split", ["EmoLabel_DataSplit/", "dfew_annotation/", ""])
@pytest.mark.parametrize(
    "clips", ["part_{part}/", "Clip/original/part_{part}/", "dfew_original_clips_24fps/part_{part}/", "Clip/original/"]
)
def test_dfew_as_downloaded_and_as_others_keep_it(tmp_path, split, clips):
    lines = "".join(f"{n},{n}\n" for n in range(1, 8))
    labels(tmp_path / f"{split}test(single-labeled)/set_1.csv", "video_name,label\n" + lines)
    labels(tmp_path / f"{split}test(single-labeled)/set_2.csv", "\ufeffvideo_name, label\r\n00003, 6\r\n")
    touch(tmp_path, *(f"{clips.format(part=1 + n % 3)}{n}.mp4" for n in range(1, 8)), "part_1/notes.txt")
    rows = dfew.read(tmp_path, HERE)
    assert [row["answer"] for row in rows] == list(EMOTIONS)
    expected = [tmp_path / clips.format(part=1 + n % 3) / f"{n}.mp4" for n in range(1, 8)]
    assert [row["video"] for row in rows] == list(map(str, expected))
    assert {row["id"] for row in rows} == {f"dfew_{n}" for n in range(1, 8)}
    second = dfew.read(tmp_path, dataclasses.replace(HERE, dfew_fold=2))
    assert [(row["id"], row["answer"]) for row in second] == [("dfew_3", "disgust")]


def test_dfew_clips_may_lie_with_emorealms(tmp_path):
    labels(tmp_path / "dfew/dfew_annotation/test(single-labeled)/set_1.csv", "video_name,label\n7,1\n8,1\n")
    touch(tmp_path, "videos/part_2/7.mp4")
    rows = dfew.read(tmp_path / "dfew", dataclasses.replace(HERE, videos=tmp_path / "videos"))
    assert rows[0]["video"] == str(tmp_path / "videos/part_2/7.mp4")
    assert rows[1]["video"].endswith("part_?/8.mp4")  # nowhere: the report will name it


@pytest.mark.parametrize(("line", "said"), [("9,8", "line 2"), ("x,1", "line 2"), ("9", "cut short")])
def test_dfew_refuses_malformed_labels(tmp_path, capsys, line, said):
    labels(tmp_path / "test(single-labeled)/set_1.csv", f"video_name,label\n{line}\n")
    assert said in stopped(capsys, dfew.read, tmp_path, HERE)
    labels(tmp_path / "test(single-labeled)/set_1.csv", "name,label\n9,1\n")
    assert "expected the columns video_name, label, found name, label" in stopped(capsys, dfew.read, tmp_path, HERE)


def test_dfew_names_where_it_looked(tmp_path, capsys):
    said = stopped(capsys, dfew.read, tmp_path, dataclasses.replace(HERE, dfew_fold=4))
    assert "EmoLabel_DataSplit/test(single-labeled)/set_4.csv" in said
    assert "EMOREALM_DFEW" in said
    assert "DFEW has the folds 1, 2, 3, 4, 5" in stopped(
        capsys, dfew.read, tmp_path, dataclasses.replace(HERE, dfew_fold=6)
    )


def ravdess_files(root, above=""):
    two = ("01", "02")
    names = [f"{modality}-{channel}-{emotion:02d}-01-01-01-{actor}"
             for modality in two for channel in two for emotion in range(1, 9) for actor in two]  # fmt: skip
    touch(root, *(f"{above}Actor_{name[-2:]}/{name}.mp4" for name in names))
    touch(root, *(f"{above}Actor_01/03-01-{emotion:02d}-01-01-01-01.wav" for emotion in range(1, 9)))
    touch(root, f"{above}Actor_01/readme.txt", f"{above}Actor_01/01-01-06.mp4")


@pytest.mark.parametrize("above", ["", "Video_Speech_Actor_01/", "a/b/"])
def test_ravdess_codes(tmp_path, above):
    ravdess_files(tmp_path, above)
    rows = ravdess.read(tmp_path, HERE)
    assert len(rows) == 2 * 7  # speech with picture and sound, without calm
    assert all(row["id"].startswith("ravdess_01-01-") and not row["silent"] for row in rows)
    by_code = {row["clip"].split("-")[2]: row["answer"] for row in rows}
    assert list(by_code.values()) == ["neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise"]
    assert list(by_code) == ["01", "03", "04", "05", "06", "07", "08"]
    assert rows[0]["video"] == str(tmp_path / above / "Actor_01/01-01-01-01-01-01-01.mp4")


def test_ravdess_settings(tmp_path, capsys):
    ravdess_files(tmp_path)
    silent = ravdess.read(tmp_path, dataclasses.replace(HERE, ravdess_modality="video", ravdess_channel="both"))
    assert len(silent) == 28
    assert all(row["silent"] and row["video"] for row in silent)
    heard = ravdess.read(tmp_path, dataclasses.replace(HERE, ravdess_modality="audio"))
    assert len(heard) == 7
    assert all(row["video"] == "" and row["audio"].endswith(".wav") for row in heard)
    nothing = dataclasses.replace(HERE, ravdess_modality="audio", ravdess_channel="song")
    assert "no audio song of RAVDESS" in stopped(capsys, ravdess.read, tmp_path, nothing)


def test_an_actor_held_twice_counts_once(tmp_path):
    ravdess_files(tmp_path)
    ravdess_files(tmp_path, "copy/")
    assert len(ravdess.read(tmp_path, HERE)) == 14


@pytest.mark.parametrize("folder", ["test_labels/", "test-labels/", ""])
def test_mer2023(tmp_path, folder):
    labels(tmp_path / folder / "test3-label.csv", "name,discrete,valence\na,happy,1\nb,worried,\nc,Angry,0\nd,sad,0\n")
    touch(tmp_path, "test3/a.mp4", "test3/c.avi")
    rows = mer2023.read(tmp_path, HERE)
    assert [(row["id"], row["answer"]) for row in rows] == [
        ("mer2023_a", "happiness"), ("mer2023_c", "anger"), ("mer2023_d", "sadness")
    ]  # fmt: skip
    assert [row["video"] for row in rows] == [str(tmp_path / "test3" / name) for name in ("a.mp4", "c.avi", "d.mp4")]
    assert rows[0]["labels"] == ["happiness", "sadness", "neutral", "anger", "surprise"]


@pytest.mark.parametrize("line", ["a,bored", "../a,happy", ",happy"])
def test_mer2023_refuses_malformed_labels(tmp_path, capsys, line):
    labels(tmp_path / "test3-label.csv", f"name,discrete\n{line}\n")
    assert "line 2" in stopped(capsys, mer2023.read, tmp_path, HERE)


def test_other_class_counts_than_the_published_are_told(tmp_path):
    for fold, counts in dfew.TEST_FOLDS.items():
        rows = [{"answer": emotion} for emotion, count in zip(EMOTIONS, counts, strict=True) for _ in range(count)]
        here = dataclasses.replace(HERE, dfew_fold=fold)
        assert dfew.note(rows, tmp_path, here) == ""
        assert f"dfew, test fold {fold}: class counts differ" in dfew.note(rows[1:], tmp_path, here)
    assert "happiness 488 instead of 489" in dfew.note(rows[1:], tmp_path, here)
    assert sum(map(sum, dfew.TEST_FOLDS.values())) == 11_697  # the single-labelled clips, each tested once
    spoken = [{"answer": emotion} for emotion, count in ravdess.PUBLISHED["speech"].items() for _ in range(count)]
    assert len(spoken) == 1440 - 192
    assert sum(ravdess.PUBLISHED["song"].values()) == 1012 - 184  # without calm
    assert ravdess.note(spoken, tmp_path, HERE) == ""
    assert "disgust 192 instead of 0" in ravdess.note(
        spoken, tmp_path, dataclasses.replace(HERE, ravdess_channel="song")
    )
    labels(tmp_path / "test3-label.csv", "name,discrete\n" + "".join(f"{n},happy\n" for n in range(834)))
    assert mer2023.note([], tmp_path, HERE) == ""
    labels(tmp_path / "test3-label.csv", "name,discrete\na,happy\n")
    assert "1 clips instead of 834" in mer2023.note([], tmp_path, HERE)


def test_an_absent_data_set_names_its_variable_and_its_source(tmp_path, capsys):
    for name in ("dfew", "ravdess", "mer2023"):
        said = stopped(capsys, suite.read, name, HERE)
        assert f"EMOREALM_{name.upper()} is not set" in said
        assert "https://" in said
        elsewhere = dataclasses.replace(HERE, **{name: tmp_path / "nowhere"})
        assert "no such folder" in stopped(capsys, suite.read, name, elsewhere)
    mini = dataclasses.replace(HERE, mini=tmp_path)
    assert "emorealm-mini build" in stopped(capsys, suite.read, "dfew_mini", mini)


def test_a_picture_or_a_sound_alone_is_enough_where_no_more_is_asked(tmp_path, make_clip):
    """Silent video is usable where the sound is not asked for, and refused where it is."""
    silent = make_clip(tmp_path / "Actor_01/02-01-05-01-01-01-01.mp4", seconds=0.5, sound=False)
    heard = make_clip(tmp_path / "Actor_01/01-01-05-01-01-01-01.mp4", seconds=0.5)
    here = dataclasses.replace(HERE, ravdess=tmp_path, cache=tmp_path / "cache", ravdess_modality="video")
    kept, _ = suite.usable("ravdess", here)
    assert [row["video"] for row in kept] == [str(silent)]
    as_sound = [{**kept[0], "video": "", "audio": str(heard), "silent": False}]
    assert registry.with_clips(as_sound, here, "", "")[0] == as_sound
    with pytest.raises(SystemExit):
        registry.with_clips([{**kept[0], "silent": False}], here, "", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,reason\ns1,He smiles, and laughs.\n", "line 2: 3 fields where the header names 2"),
        ("name,reason\ns1,ok\ns2,He smiles,\n", None),
        ('name,reason\ns1,"He smiles\ns2,He cries\n', "line"),
        ('name,reason\ns1,"He smiles\ns2,"He cries"\n', "line 3"),
        ('name,reason\ns1,"He smiles" broadly\n', "line 2"),
        ('name,reason\ns1,"He smiles\ns2,He cries"\ns3,x\n', "holds a further row"),
        ('name,reason\ns1,"He smiles.\nHowever, he cries."\n', None),
        ("name,reason,name\ns1,x,s2\n", "two columns"),
        ("name\ns1\n", "expected the columns"),
        ("", "no rows"),
        ("name,reason\n\n\n", "no rows"),
        ("name,reason\ns1," + "x" * 200_000 + "\n", "field larger than"),
        ("name,reason\ns1\n", "cut short"),
    ],
)
def test_a_text_is_read_whole_or_refused_with_its_line(tmp_path, capsys, text, said):
    path = tmp_path / "labels.csv"
    labels(path, text)
    if said is None:
        assert recognition_rows.read_csv(path, ("name", "reason"))
        return
    line = stopped(capsys, recognition_rows.read_csv, path, ("name", "reason"))
    assert said in line
    assert line.count("\n") == 1
    assert len(line) < 500


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"name,reason\ns1,caf\xe9\n"])
def test_labels_that_are_not_utf8_are_refused(tmp_path, capsys, content):
    (tmp_path / "labels.csv").write_bytes(content)
    assert "not UTF-8" in stopped(capsys, recognition_rows.read_csv, tmp_path / "labels.csv", ("name", "reason"))


def test_a_clip_with_two_labels_is_refused(tmp_path, capsys):
    labels(tmp_path / "test(single-labeled)/set_1.csv", "video_name,label\n7,1\n8,2\n00007,3\n")
    assert "line 4: '7' occurs twice" in stopped(capsys, dfew.read, tmp_path, HERE)
    labels(tmp_path / "test3-label.csv", "name,discrete\ns1,happy\ns1,worried\n")
    assert "line 3: 's1' occurs twice" in stopped(capsys, mer2023.read, tmp_path, HERE)
