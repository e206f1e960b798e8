"""EmoReAlM's layout: rows, refusals, the check of clips, and the two floors."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorealm_tasks.benchmarks import availability, controls, emorealm, registry
from emorealm_tasks.settings import Settings
from emorealm_tasks.untrusted import inside

ITEM = {
    "id": "a1",
    "task": "modality_agreement",
    "video": "part_1/1.mp4",
    "question": "Do picture and sound agree?",
    "choices": ["(A) Yes", "(B) No"],
    "answer": "B",
}


def _write(folder: Path, items: object) -> Path:
    path = folder / "emorealm_v1.json"
    path.write_text(json.dumps(items))
    return path


def test_a_row_holds_what_the_layout_says(tmp_path):
    items = [ITEM, ITEM | {"id": 7, "subtask": "Spurious cue-emotion association", "emotion": "anger"}]
    first, second = emorealm.read_file(_write(tmp_path, items), tmp_path / "videos", None)
    assert first == {
        "id": "a1",
        "task": "modality_agreement",
        "clip": "part_1/1.mp4",
        "video": str(tmp_path / "videos/part_1/1.mp4"),
        "audio": "",
        "question": "Do picture and sound agree?",
        "choices": ["(A) Yes", "(B) No"],
        "answer": "B",
        "subtask": "",
        "emotion": "",
    }
    assert (second["id"], second["subtask"], second["emotion"]) == ("7", "spurious", "anger")


def test_the_wav_is_beside_the_clip_or_in_a_folder_of_its_own(tmp_path):
    (tmp_path / "part_1").mkdir()
    (tmp_path / "part_1" / "1.wav").touch()
    questions = _write(tmp_path, [ITEM])
    assert emorealm.read_file(questions, tmp_path, None)[0]["audio"] == str(tmp_path / "part_1/1.wav")
    assert emorealm.read_file(questions, tmp_path, tmp_path / "w")[0]["audio"] == str(tmp_path / "w/part_1/1.wav")


@pytest.mark.parametrize(
    ("said", "meant"),
    [("hallucination", "hallucination"), ("No Hallucination", "no_hallucination"), ("spurious", "spurious"), ("x", "")],
)
def test_subtask_spellings(tmp_path, said, meant):
    assert emorealm.read_file(_write(tmp_path, [ITEM | {"subtask": said}]), tmp_path, None)[0]["subtask"] == meant


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "reasoning"}, ["'a1'", "'task'", "reasoning_basic_audio"]),
        ({"video": None}, ["'a1'", "'video'"]),
        ({"question": " "}, ["'a1'", "'question'"]),
        ({"choices": ["(A) Yes"]}, ["'a1'", "'choices'"]),
        ({"choices": ["Yes", "No"]}, ["'a1'", "'choices'", "Yes"]),
        ({"choices": ["(A) Yes", "(A) No"]}, ["'a1'", "'choices'", "share a letter"]),
        ({"choices": ["(A) Yes", "(B) Perhaps"]}, ["'a1'", "'choices'", "one choice Yes and one No"]),
        ({"answer": "C"}, ["'a1'", "'answer'", "A, B"]),
        ({"answer": 1}, ["'a1'", "'answer'"]),
        ({"id": ""}, ["number 0", "'id'"]),
        ({"video": "../../etc/passwd"}, ["'a1'", "'video'", "leaves the data folder"]),
        ({"video": "/etc/passwd"}, ["'a1'", "'video'", "leaves the data folder"]),
        ({"video": "part_1\\..\\..\\x.mp4"}, ["'a1'", "'video'", "leaves the data folder"]),
        ({"video": "part_1/1\0.mp4"}, ["'a1'", "'video'", "leaves the data folder"]),
    ],
)
def test_a_malformed_item_names_its_id_and_the_field(tmp_path, capsys, change, words):
    with pytest.raises(SystemExit) as stopped:
        emorealm.read_file(_write(tmp_path, [ITEM | change]), tmp_path, None)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    for word in ["emorealm_v1.json", *words]:
        assert word in printed


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([ITEM, ITEM], ["'a1' (number 1)", "same id"]),
        ([3], ["not an object", "int"]),
        ({}, ["expected a list", "dict"]),
        ([], ["an empty list"]),
    ],
)
def test_a_file_of_another_shape(tmp_path, capsys, items, words):
    with pytest.raises(SystemExit):
        emorealm.read_file(_write(tmp_path, items), tmp_path, None)
    printed = capsys.readouterr().err
    for word in words:
        assert word in printed


def test_a_file_that_is_no_json(tmp_path, capsys):
    (tmp_path / "q.json").write_text("[{")
    with pytest.raises(SystemExit):
        emorealm.read_file(tmp_path / "q.json", tmp_path, None)
    assert "not valid JSON" in capsys.readouterr().err


def test_parts_may_lie_on_another_disk_and_questions_may_not_climb_there(tmp_path):
    root, disk = tmp_path / "videos", tmp_path / "disk"
    root.mkdir()
    disk.mkdir()
    (root / "part_2").symlink_to(disk)
    assert inside(root, "part_2/1.mp4") == root / "part_2/1.mp4"
    for path in ("../disk/1.mp4", "part_2/../../secret.mp4", str(disk / "1.mp4"), "..\\disk\\1.mp4"):
        with pytest.raises(ValueError, match="leaves the data folder"):
            inside(root, path)


@given(st.text(max_size=30))
def test_nothing_read_from_json_gets_out_of_the_root(text):
    root = Path("/data/videos")
    try:
        found = inside(root, text)
    except (ValueError, OSError):  # OSError: a name the file system cannot hold
        return
    assert found.resolve().is_relative_to(root)


def test_without_a_videos_folder_it_says_what_to_set(tmp_path, capsys):
    with pytest.raises(SystemExit):
        emorealm.read("emorealm", Settings(json=_write(tmp_path, [ITEM])))
    assert "EMOREALM_VIDEOS" in capsys.readouterr().err


def test_an_unbuilt_mini_benchmark_names_the_command(tmp_path, capsys):
    with pytest.raises(SystemExit):
        emorealm.read("emorealm_mini", Settings(mini=tmp_path / "none"))
    assert "emorealm-mini build" in capsys.readouterr().err


@pytest.fixture(scope="module")
def world(tmp_path_factory, make_clip):
    """Five clips: two good (one with its sound in a wav), one missing, one corrupt, one without sound."""
    root = tmp_path_factory.mktemp("world")
    make_clip(root / "part_1/1.mp4", seconds=0.5)
    make_clip(root / "part_1/2.mp4", seconds=0.5, sound=False)
    (root / "part_1/4.mp4").write_bytes(b"\0" * 5000)
    make_clip(root / "part_1/5.mp4", seconds=0.5, sound=False)
    make_clip(root / "part_1/6.mp4", seconds=0.5)
    from emorealm_tasks import media

    media.separate_wav(root / "part_1/1.mp4", root).rename(root / "part_1/2.wav")
    items = [ITEM | {"id": str(n), "video": f"part_1/{n}.mp4"} for n in (1, 2, 3, 4, 5, 6)]
    items.append(ITEM | {"id": "again", "video": "part_1/3.mp4"})
    return Settings(json=_write(root, items), videos=root, cache=root / "cache")


def test_every_kind_of_unusable_clip_is_found(world):
    rows = emorealm.read("emorealm", world)
    problems = availability.find_problems(rows, world.cache)
    assert {clip: problem.kind for clip, problem in problems.items()} == {
        "part_1/3.mp4": "missing",
        "part_1/4.mp4": "unreadable",
        "part_1/5.mp4": "soundless",
    }
    text = availability.report(problems, 6, "somewhere", "do this")
    assert "3 of 6 clips cannot be used: 1 missing, 1 unreadable, 1 soundless." in text
    assert "part_1/5.mp4" in text
    assert text.endswith("Looked under somewhere.\ndo this")


def test_probing_again_opens_nothing_until_a_file_changes(world, monkeypatch):
    rows = emorealm.read("emorealm", world)
    before = availability.find_problems(rows, world.cache)
    opened = []
    examine_all = availability.guard.examine_all
    monkeypatch.setattr(availability.guard, "examine_all", lambda files: opened.extend(files) or examine_all(files))
    assert availability.find_problems(rows, world.cache) == before
    assert opened == []
    corrupt = world.videos / "part_1/4.mp4"
    corrupt.write_bytes(b"\0" * 6000)
    availability.find_problems(rows, world.cache)
    assert opened == [str(corrupt)]


def test_unusable_clips_stop_the_task_with_one_report(world, capsys):
    with pytest.raises(SystemExit) as stopped:
        registry.rows(registry.TASK_NAMES["emorealm_modality_agreement"], world)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count("cannot be used") == 1
    assert "EMOREALM_ALLOW_MISSING=1" in printed
    assert str(world.videos) in printed


def test_allow_missing_leaves_them_out_and_counts_them(world, capsys):
    from dataclasses import replace

    rows = registry.rows(registry.TASK_NAMES["emorealm_modality_agreement"], replace(world, allow_missing=True))
    assert [row["id"] for row in rows] == ["1", "2", "6"]
    assert json.loads(rows[0]["left_out"]) == {"missing": 1, "unreadable": 1, "soundless": 1, "questions": 4}
    assert {row["given_clip"] for row in rows} == {row["clip"] for row in rows}
    assert "3 of 6 clips" in capsys.readouterr().err


def test_blind_needs_no_clips_and_hands_out_none(world):
    rows = registry.rows(registry.TASK_NAMES["emorealm_blind_modality_agreement"], world)
    assert len(rows) == 7
    assert {(row["video"], row["audio"], row["given_clip"]) for row in rows} == {("", "", "")}


def test_a_task_without_items_stops(world, capsys):
    with pytest.raises(SystemExit):
        registry.rows(registry.TASK_NAMES["emorealm_reasoning_basic_audio"], world)
    assert "no item of task 'reasoning_basic_audio'" in capsys.readouterr().err


@given(st.lists(st.sampled_from(["anger", "fear", "sadness", ""]), min_size=2, max_size=40), st.integers(0, 99))
def test_shuffling_is_a_derangement_across_emotions_wherever_that_can_be(emotions, seed):
    clips_ = {f"part_1/{n}.mp4": emotion for n, emotion in enumerate(emotions)}
    given_ = controls.derange(clips_, seed)
    assert sorted(given_) == sorted(given_.values()) == sorted(clips_)
    assert all(clip != giver for clip, giver in given_.items())
    assert given_ == controls.derange(clips_, seed)
    named = Counter(filter(None, emotions))
    if not named or max(named.values()) <= len(emotions) / 2:
        assert all(not clips_[clip] or clips_[clip] != clips_[giver] for clip, giver in given_.items())


def test_shuffling_mixes_more_than_one_rotation():
    emotions = {f"{n}": ["anger", "fear", "sadness"][n % 3] for n in range(30)}
    given_ = controls.derange(emotions)
    assert {(emotions[clip], emotions[giver]) for clip, giver in given_.items()} == {
        (one, other) for one in set(emotions.values()) for other in set(emotions.values()) if one != other
    }


def test_emotions_come_from_the_field_else_from_the_words():
    base = {"choices": ["(A) a tear", "(B) anger"], "emotion": ""}
    rows = [
        base | {"clip": "1", "question": "Why is she sad?"},
        base | {"clip": "1", "question": "Does the sadness show?"},
        base | {"clip": "2", "question": "Which is it?"},
        base | {"clip": "3", "question": "Why is he angry?", "emotion": "fear"},
        base | {"clip": "4", "question": "Which?", "choices": ["(A) x"]},
    ]
    assert controls.clip_emotions(rows) == {"1": "sadness", "2": "anger", "3": "fear", "4": ""}


def test_shuffled_rows_name_the_clip_whose_media_they_carry():
    rows = [
        {"clip": f"{n}.mp4", "video": f"/v/{n}.mp4", "audio": "", "emotion": emotion, "question": "?", "choices": []}
        for n, emotion in enumerate(["anger", "fear"])
    ]
    first, second = controls.shuffled(rows)
    assert (first["clip"], first["given_clip"], first["video"]) == ("0.mp4", "1.mp4", "/v/1.mp4")
    assert (second["clip"], second["given_clip"], second["video"]) == ("1.mp4", "0.mp4", "/v/0.mp4")


def test_one_clip_alone_cannot_be_shuffled():
    with pytest.raises(ValueError, match="two are needed"):
        controls.derange({"a": "anger"})


def test_the_file_is_read_once_while_it_stays_the_same(tmp_path, monkeypatch):
    path = _write(tmp_path, [ITEM])
    (row,) = emorealm.read_file(path, tmp_path, None)
    row["question"] = "changed by whoever got it"
    reads = []
    monkeypatch.setattr("emorealm_tasks.benchmarks.emorealm._row", lambda *a: reads.append(a))
    assert emorealm.read_file(path, tmp_path, None)[0]["question"] == ITEM["question"]
    assert reads == []


def test_a_changed_file_is_read_again(tmp_path):
    assert len(emorealm.read_file(_write(tmp_path, [ITEM]), tmp_path, None)) == 1
    two = [ITEM, ITEM | {"id": "another"}]
    assert len(emorealm.read_file(_write(tmp_path, two), tmp_path, None)) == 2


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "q.json"
    path.write_text(json.dumps([ITEM]), encoding="utf-8-sig")
    assert emorealm.read_file(path, tmp_path, None)[0]["id"] == "a1"


def test_an_absolute_path_inside_the_root_is_inside(tmp_path):
    videos = tmp_path / "videos"
    item = ITEM | {"video": str(videos / "part_1" / "1.mp4")}
    [row] = emorealm.read_file(_write(tmp_path, [item]), videos, tmp_path / "wavs")
    assert (row["clip"], row["video"]) == ("part_1/1.mp4", str(videos / "part_1/1.mp4"))
    assert row["audio"] == str(tmp_path / "wavs/part_1/1.wav")


def test_half_an_emoji_in_a_question_is_replaced(tmp_path):
    item = ITEM | {"question": "Why \ud83d?", "choices": ["(A) Yes \udc00", "(B) No"], "id": "a\ud83d"}
    [row] = emorealm.read_file(_write(tmp_path, [item]), tmp_path, None)
    assert (row["question"], row["choices"][0], row["id"]) == ("Why \ufffd?", "(A) Yes \ufffd", "a\ufffd")


@pytest.mark.parametrize(
    "content",
    [
        *("", "{}", "[]", "5", "null", "[[]]", "[" * 100_000, '[{"id": ' + "9" * 5000 + "}]", "\x00"),
        json.dumps([ITEM | {"video": "x" * 5000 + ".mp4"}]),
        json.dumps([ITEM | {"id": ["x" * 1_000_000]}]),
        json.dumps([ITEM | {"id": "\x1b[31m" * 100_000, "task": 5}]),
        json.dumps([ITEM | {"choices": [["x" * 1_000_000]]}]),
        json.dumps([ITEM | {"video": "."}]),
    ],
)
def test_any_questions_file_ends_in_one_short_line(tmp_path, capsys, content):
    path = tmp_path / "q.json"
    path.write_text(content)
    with pytest.raises(SystemExit) as stopped:
        emorealm.read_file(path, tmp_path, None)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert len(said) < 1000
    assert "\x1b" not in said


def test_the_public_file_is_held_against_table_1():
    tasks = [task for task, count in emorealm.PUBLISHED.items() for _ in range(count)]
    rows = [{"task": task, "clip": str(n % 2649), "subtask": "spurious"} for n, task in enumerate(tasks)]
    assert emorealm.notes(rows) == ["emorealm: as in the paper's Table 1"]
    [differs] = emorealm.notes(rows[1:])
    assert "modality_agreement 455 instead of 456" in differs
    told = emorealm.notes([row | {"subtask": ""} for row in rows])[1]
    assert "1548 of 1548 stress-test questions do not say their sub-task" in told
    assert "no_hallucination, spurious, hallucination" in told


def test_the_questions_are_those_of_the_revision_that_is_set(tmp_path, monkeypatch):
    from huggingface_hub import constants

    commits = "1" * 40, "2" * 40
    data = tmp_path / f"datasets--{emorealm.HUB_DATASET.replace('/', '--')}"
    for commit in commits:
        (data / "snapshots" / commit).mkdir(parents=True)
        (data / "snapshots" / commit / emorealm.HUB_FILE).write_text(json.dumps([]))
    (data / "refs").mkdir()
    (data / "refs" / "main").write_text(commits[0])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    read = []
    monkeypatch.setattr(emorealm, "read_file", lambda path, videos, audios: read.append(path.parent.name))
    for revision in (None, commits[1]):
        emorealm.read("emorealm", Settings(json_revision=revision, videos=tmp_path))
    assert read == list(commits)
