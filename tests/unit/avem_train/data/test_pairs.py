"""Preference records in other trainers' layouts and back; and pairs that others wrote."""

import json

import numpy as np
import pytest
import soundfile

from avem_train import cli
from avem_train.data.checks import read


@pytest.fixture
def folder(make_clip, tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    make_clip(tmp_path / "a.mp4", seconds=0.3, size=32)
    make_clip(tmp_path / "silent.mp4", seconds=0.3, size=32, sound=False)
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 16000)
    return tmp_path


def record(identity, **more):
    return {
        "id": identity,
        "video": "a.mp4",
        "prompt": "How does the face tell?",
        "modality": "video",
        "emotion": "anger",
        "chosen": "By its brows.",
        "rejected_video_relevant": "By the hat.",
        "rejected_emotion_relevant": "By its teeth.",
    } | more


def written(path, *items):
    path.write_text("".join(json.dumps(one) + "\n" for one in items))
    return path


COLUMNS = {
    "trl": {"prompt", "chosen", "rejected", "images"},
    "ms-swift": {"messages", "rejected_response"},
    "llama-factory": {"conversations", "chosen", "rejected"},
}


@pytest.mark.parametrize("layout", COLUMNS)
def test_records_come_back_from_the_layout_as_they_were(folder, layout, capsys):
    sources = [
        record("1"),
        record("2", video="silent.mp4", rejected_irrelevant="Rain."),
        record("3", audio="a.wav", modality="audio"),
        record("4", video=None, audio="a.wav", modality="audio", rejected_emotion_relevant=""),
        record("5", modality="audiovisual", rejected_video="silent.mp4"),
        record("6_irrelevant", rejected_video_relevant=""),
    ]
    path, out = written(folder / "prefs.jsonl", *sources), folder / "pairs.jsonl"
    assert cli.main(["data", "export", str(path), "--to", layout, "--out", str(out)]) == 0
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "11 pairs of 6 records; rejected media" in told
    assert "(1 records bring their own, left out)" in told
    pairs = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(pairs) == 11
    assert {frozenset(pair) for pair in pairs} == {
        frozenset({"id", "modality", "emotion", "videos", "audios"} | COLUMNS[layout])
    }
    sources[4].pop("rejected_video")
    assert list(read(out)) == list(read(written(path, *sources)))


MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "<video>Why?"}]
TURN = {"from": "human", "value": "<video>Why?"}
CHOSEN, REJECTED = ({"role": "assistant", "content": text} for text in ("So.", "Not so."))


@pytest.mark.parametrize(
    "pair",
    [
        {"prompt": MESSAGES, "chosen": [CHOSEN], "rejected": [REJECTED], "videos": ["a.mp4"]},
        {"chosen": [*MESSAGES, CHOSEN], "rejected": [*MESSAGES, REJECTED], "videos": ["a.mp4"]},
        {"prompt": "<video>Why?", "chosen": "So.", "rejected": "Not so.", "videos": ["a.mp4"]},
        {"prompt": "<video>Why?", "chosen": " So.", "rejected": " Not so.", "videos": ["a.mp4"]},
        {"prompt": "Why?", "chosen": "So.", "rejected": "Not so.", "image": "a.mp4"},
        {"conversations": [TURN], "chosen": CHOSEN, "rejected": REJECTED, "videos": ["a.mp4"]},
        {"messages": [*MESSAGES, CHOSEN], "rejected_response": "Not so.\n", "videos": ["a.mp4"]},
        {
            "messages": [*MESSAGES, CHOSEN],
            "rejected_messages": [*MESSAGES, REJECTED],
            "videos": ["a.mp4"],
            "rejected_videos": ["a.mp4"],
        },
        {"messages": [*MESSAGES, CHOSEN], "rejected_response": "Not so.", "videos": ["a.mp4"]},
        {"messages": [*MESSAGES, CHOSEN], "rejected_messages": [*MESSAGES, REJECTED], "videos": "a.mp4"},
    ],
)
def test_pairs_that_others_wrote_are_records(folder, pair):
    first, second = read(written(folder / "pairs.jsonl", pair, pair))
    assert (first.prompt, first.chosen, first.rejected_video_relevant) == ("Why?", "So.", "Not so.")
    assert (first.video, first.audio, first.modality, first.emotion) == (folder / "a.mp4", None, "video", "")
    assert (first.id, second.id) == ("line 1", "line 2")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rejected_videos": ["b.mp4"]}, "a pair whose media differ cannot be read"),
        ({"messages": [*MESSAGES, CHOSEN, *MESSAGES, CHOSEN]}, "one question and its answer; found other turns"),
        ({"messages": "Why?"}, "it has no list"),
        ({"rejected_response": ["Not so."]}, "expected text"),
        ({"videos": ["a.mp4", "b.mp4"]}, "2 files of video"),
        ({"videos": ["../a.mp4"]}, "leaves the data folder"),
    ],
)
def test_pairs_that_cannot_be_read_say_why(folder, changes, reason, capsys):
    pair = {"messages": [*MESSAGES, CHOSEN], "rejected_response": "Not so.", "videos": ["a.mp4"]}
    with pytest.raises(SystemExit):
        read(written(folder / "pairs.jsonl", pair | changes))
    printed = capsys.readouterr().err
    assert "1 of 1 records cannot be trained on" in printed
    assert reason in printed


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        ({"chosen": "Why? So.", "rejected": "Why? Not so."}, "texts without a prompt; give the question in prompt"),
        (
            {"chosen": [*MESSAGES, CHOSEN], "rejected": [{"role": "user", "content": "When?"}, REJECTED]},
            "a pair has one question; chosen answers '<video>Why?', and rejected 'When?'",
        ),
        (
            {"messages": [*MESSAGES, CHOSEN], "rejected_messages": [{"role": "user", "content": "When?"}, REJECTED]},
            "a pair has one question; chosen answers '<video>Why?', and rejected 'When?'",
        ),
    ],
)
def test_pairs_whose_question_is_not_plain_say_why(folder, pair, reason, capsys):
    with pytest.raises(SystemExit):
        read(written(folder / "pairs.jsonl", pair | {"videos": ["a.mp4"]}))
    assert reason in capsys.readouterr().err


def test_an_export_of_no_file_or_over_itself_ends_in_one_line(folder, capsys):
    path = written(folder / "prefs.jsonl", record("1"))
    for source, out in ((folder / "none", folder / "out"), (path, path)):
        with pytest.raises(SystemExit) as end:
            cli.main(["data", "export", str(source), "--to", "trl", "--out", str(out)])
        assert end.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert json.loads(path.read_text())["id"] == "1"
