"""Datasets as they are given out -> clips; every wrong file ends in a line that names it."""

import openpyxl
import pytest

from avem_train.curation import manifests
from avem_train.curation.manifests.settings import Manifest
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.build.split import build

MORE = (*EMOTIONS, "contempt", "anxiety", "worry")
MER, DFEW, DFEW_ROWS = "track1_train_disdim.csv", "single-labeled)/set_1.csv", "video_name,label\n1,1\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def clips(reader, path, emotions=MORE, **more):
    return list(manifests.read(Manifest(reader, str(path), **more), emotions))


def test_own_clips_from_csv(tmp_path):
    write(
        tmp_path / "my.csv",
        'id,video,emotion,subtitle,licence\na,v/a.mp4,Happy,"Well, yes",CC0\nb,v/b.mp4,anger,,\n',
    )
    first, second = clips("csv", tmp_path / "my.csv")
    assert (first.id, first.video, first.emotion, first.subtitle) == ("a", "v/a.mp4", "happiness", "Well, yes")
    assert (second.emotion, second.audio, second.licence) == ("anger", None, "")


def test_sounds_alone_split_and_limit(tmp_path):
    write(tmp_path / "my.csv", "id,audio,emotion,split\na,a.wav,fear,train\nb,b.wav,fear,test\nc,c.wav,fear,train\n")
    assert [clip.id for clip in clips("csv", tmp_path / "my.csv", split="train")] == ["a", "c"]
    assert [clip.video for clip in clips("csv", tmp_path / "my.csv", limit=1)] == [None]


@pytest.mark.parametrize("sheet", [False, True])
def test_mafw_from_its_lists_or_its_spreadsheet(tmp_path, sheet):
    (tmp_path / "data" / "clips").mkdir(parents=True)
    (tmp_path / "data" / "clips" / "00151.mp4").touch()
    if sheet:
        book = openpyxl.Workbook()
        for row in (
            ["clip", *["anger"] * 11, "single_label"],
            ["00151.mp4", *[0] * 11, 4],
            ["00152.mp4", *[0] * 11, 9],
        ):
            book.active.append(row)
        book.save(tmp_path / "single-set.xlsx")
    else:
        lists = tmp_path / "Train & Test Set" / "single" / "no_caption"
        write(lists / "set_1" / "train.txt", "00151.mp4 4\n")
        write(lists / "set_1" / "test.txt", "00152.mp4 anxiety\n")
        write(lists / "set_2" / "train.txt", "00153.mp4 1\n")
    first, second = clips("mafw", tmp_path)
    assert (first.id, first.emotion, first.video) == ("mafw_00151", "happiness", "data/clips/00151.mp4")
    assert (second.id, second.emotion, second.video) == ("mafw_00152", "anxiety", "clips/00152.mp4")
    assert [first.split, second.split] == (["", ""] if sheet else ["train", "test"])


def test_mer2025_with_subtitles(tmp_path, capsys):
    write(tmp_path / "track1_train_disdim.csv", "name,discrete,valence\ns_1,worried,-1.5\ns_2,happy,2\n")
    write(tmp_path / "subtitle_chieng.csv", 'name,chinese,english\ns_1,好,"Oh, no."\ns_2,,\n')
    write(tmp_path / "audio" / "s_1.wav", "")
    first, second = clips("mer2025", tmp_path)
    assert (first.emotion, first.subtitle, first.audio) == ("worry", "Oh, no.", "audio/s_1.wav")
    assert (second.emotion, second.subtitle, second.audio) == ("happiness", "", None)
    assert [clip.id for clip in clips("mer2025", tmp_path, EMOTIONS)] == ["mer2025_s_2"]
    assert "left out, as their labels are none of the recipe's emotions: worry 1" in capsys.readouterr().err


def test_dfew_train_and_test(tmp_path):
    write(tmp_path / "EmoLabel_DataSplit" / "train(single-labeled)" / "set_1.csv", "video_name,label\n2,1\n")
    write(tmp_path / "EmoLabel_DataSplit" / "test(single-labeled)" / "set_1.csv", "video_name,label\n15,7\n")
    write(tmp_path / "Clip" / "part_1" / "2.mp4", "")
    first, second = clips("dfew", tmp_path)
    assert (first.id, first.video, first.emotion, first.split) == ("dfew_2", "Clip/part_1/2.mp4", "happiness", "train")
    assert (second.emotion, second.split) == ("fear", "test")


def test_ravdess(tmp_path):
    write(tmp_path / "Actor_07" / "01-01-06-01-02-01-07.mp4", "")
    (clip,) = clips("ravdess", tmp_path)
    assert (clip.id, clip.emotion, clip.video) == (
        "ravdess_01-01-06-01-02-01-07",
        "fear",
        "Actor_07/01-01-06-01-02-01-07.mp4",
    )


@pytest.mark.slow
def test_the_embedded_world(tmp_path):
    build(tmp_path / "mini", "validation", 28, 0)
    found = clips("mini", tmp_path / "mini")
    assert len(found) == 28
    assert (tmp_path / "mini" / found[0].video).is_file()


@pytest.mark.parametrize(
    ("reader", "files", "message"),
    [
        ("csv", {"a.csv": "id,video,emotion\na,a.mp4,anger\na,b.mp4,fear\n"}, "line 3: 'a' occurs twice"),
        ("csv", {"a.csv": "id,clip,emotion\na,a.mp4,anger\n"}, "unknown column 'clip'"),
        (
            "csv",
            {"a.csv": "path,label\na.mp4,anger\n"},
            "lacks the columns id, emotion, video (or audio); unknown columns",
        ),
        (
            "csv",
            {"a.csv": "path,label\na.mp4,anger\n"},
            "'path', 'label'; its first line names the columns: id, emotion",
        ),
        ("csv", {"a.csv": "id,video\na,a.mp4\n"}, "a.csv: it lacks the column emotion; its first line names"),
        ("csv", {"a.csv": "\n"}, "a.csv: is empty; its first line names the columns: id, emotion, video or audio"),
        ("csv", {"a.csv": "id,video,emotion\na,,anger\n"}, "line 2: a clip has an id, and a video"),
        ("csv", {"a.csv": "id,video,emotion\na,a.mp4,joyful\n"}, "no clip is left"),
        ("csv", {"a.csv": "id,video,emotion\na,a.mp4,\n"}, "a.csv, line 2: the clip a has no emotion"),
        (
            "csv",
            {"a.csv": 'id,video,emotion,subtitle\na,a,fear,"x\ny"\n\nb,,fear,\n'},
            "a.csv, line 5: a clip has an id",
        ),
        ("mafw", {"x.txt": ""}, "has neither MAFW's lists"),
        ("mafw", {"single_label.txt": "00001.mp4 boredom\n"}, "'boredom' is none of MAFW's labels"),
        ("mafw", {"single_label.txt": "00001.mp4 1\n00001.mp4 2\n"}, "single_label.txt, line 2: 00001 occurs twice"),
        ("mafw", {"single/no_caption/s/t.txt": "1.mp4 1\n2.avi 2\n"}, "t.txt, line 2: expected a clip and its label"),
        ("mer2025", {"x": ""}, "no training labels of track 1"),
        ("mer2025", {MER: "name,discrete\ns_1,happy\n,happy\n"}, f"{MER}, line 3: expected a clip's name"),
        ("mer2025", {MER: "name,discrete\ns_1,hapy\n"}, f"{MER}, line 2: expected a clip's name and a label"),
        ("mer2025", {MER: "name,discrete\ns_1,sad\ns_1,sad\n"}, f"{MER}, line 3: 's_1' occurs twice"),
        ("dfew", {f"train({DFEW}": DFEW_ROWS, f"test({DFEW}": DFEW_ROWS}, f"test({DFEW}, line 2: '1' occurs twice"),
        ("dfew", {f"train({DFEW}": DFEW_ROWS + "2,8\n"}, f"train({DFEW}, line 3: expected a clip's number"),
        ("dfew", {"x": ""}, "manifest.path= names the folder with DFEW's labels"),
        ("ravdess", {"x": ""}, "manifest.path= names the folder that holds Actor_01"),
        ("mini", {"cues.json": "[{}]"}, "cues.json cannot be read"),
        ("ravdess", {"x": ""}, "there is no audiovisual speech"),
        ("voice", {"x": ""}, "manifest.reader is 'voice'"),
    ],
)
def test_what_cannot_be_read_ends_in_a_line(tmp_path, capsys, reader, files, message):
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises(SystemExit):
        clips(reader, tmp_path / "a.csv" if reader == "csv" else tmp_path)
    assert message in capsys.readouterr().err
