"""Files of conversations: their layouts, what is wrong with a record, and the order in which records come."""

import gzip
import json
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avem_train.data import conversations
from avem_train.data.bad_records import BadRecords
from avem_train.data.conversations import Conversation
from avem_train.data.model_facts import ModelFacts
from avem_train.data.records import Problem
from avem_train.supervised import dataset
from avem_train.supervised.dataset import MixedSampler

TOKENS = ModelFacts(("</s>",), "</s>")
TURNS = [("human", "<video>\nWhy sad?"), ("gpt", "Tears."), ("human", "Sure?"), ("gpt", "Yes.")]
OURS = {"id": "a", "video": "0.mp4", "conversations": [{"from": who, "value": text} for who, text in TURNS]}
ROLES = {"human": "user", "gpt": "assistant"}
SWIFT = {"messages": [{"role": ROLES[who], "content": text} for who, text in TURNS], "videos": ["0.mp4"]}
SWIFT["messages"].insert(0, {"role": "system", "content": "Be kind."})
BLOCKS = [{"type": "video"}, {"type": "text", "text": "Why sad?"}]
TRL = {"prompt": [{"role": "user", "content": BLOCKS}], "videos": ["0.mp4"]}
TRL |= {"completion": [{"role": "assistant", "content": [{"type": "text", "text": "Tears."}]}]}


def written(folder, items, name="data.jsonl"):
    path = folder / name
    text = json.dumps(items) if name.endswith(("json", "json.gz")) else "".join(json.dumps(one) + "\n" for one in items)
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def read(folder, items, name="data.jsonl"):
    return list(conversations.read(written(folder, items, name), None, TOKENS))


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.jsonl.gz", "data.json.gz"])
def test_every_layout_says_the_same(tmp_path, name):
    ours, swift, trl = read(tmp_path, [OURS, SWIFT, TRL], name)
    whole = Conversation("a", str(tmp_path / "0.mp4"), "", False, ("Why sad?", "Sure?"), ("Tears.", "Yes."))
    assert ours == whole
    assert (swift.prompts, swift.responses, swift.video) == (whole.prompts, whole.responses, whole.video)
    assert (trl.prompts, trl.responses, trl.video) == (("Why sad?",), ("Tears.",), whole.video)


@pytest.mark.parametrize(
    ("files", "seen", "heard"),
    [
        ({"video": "0.mp4"}, ("0.mp4", ""), ("", "0.mp4")),
        ({"video": "0.mp4", "audio": "1.wav"}, ("0.mp4", ""), ("", "1.wav")),
        ({}, ("", ""), ("", "")),
    ],
)
def test_a_model_of_one_medium_is_given_it_alone(tmp_path, files, seen, heard):
    path = written(tmp_path, [files | {"prompt": "Why?", "response": "Tears."}])
    for medium, expected in (("video", seen), ("audio", heard)):
        (one,) = conversations.read(path, None, ModelFacts(media=(medium,)))
        assert (one.video, one.audio) == tuple(str(tmp_path / name) if name else "" for name in expected)
        assert one.own_sound is False


def test_a_conversation_about_another_medium_is_a_problem(tmp_path):
    items = [{"video": "0.mp4", "prompt": f"<{tag}>Why?", "response": "Tears."} for tag in ("video", "audio")]
    path = written(tmp_path, items)
    for medium, bad in (("audio", 0), ("video", 1)):
        found = list(conversations.read(path, None, ModelFacts(media=(medium,))))
        assert f"the model takes {medium} alone" in found[bad].reason
        assert isinstance(found[1 - bad], Conversation)


@pytest.mark.parametrize(
    ("tags", "files", "kinds"),
    [
        ("", {"video": "0.mp4"}, ["video", "audio"]),
        ("<video>", {"video": "0.mp4"}, ["video"]),
        ("<video><audio>", {"video": "0.mp4"}, ["video", "audio"]),
        ("<audio>", {"video": "0.mp4"}, ["audio"]),
        ("<image>", {"image": "0.mp4"}, ["video"]),
        ("", {"audio": "0.mp4"}, ["audio"]),
        ("<video>", {"videos": ["0.mp4"], "audios": ["1.mp4"]}, ["video"]),
        ("", {}, []),
    ],
)
def test_tags_say_which_media_are_given(tmp_path, make_clip, tags, files, kinds):
    make_clip(tmp_path / "0.mp4", seconds=0.3)
    (one,) = read(tmp_path, [files | {"prompt": f"{tags}Why?", "response": "So."}])
    assert [source.kind for source in one.sources] == kinds
    assert one.prompts == ("Why?",)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"video": "0.mp4"}, "no list conversations or messages"),
        ({"conversations": [{"from": "human", "value": "Why?"}]}, "must take turns"),
        ({"conversations": [{"from": "tool", "value": "Why?"}]}, "a turn is of human, user"),
        ({"messages": [{"role": "user", "content": 3}]}, "neither text nor a list of blocks"),
        ({"prompt": "<video>Why?", "response": "So."}, "there is no file of one"),
        ({"prompt": "Why?", "response": "<audio> So."}, "in the first question only"),
        ({"prompt": "Why?", "response": "So.</s>"}, "reads as its own mark"),
        ({"prompt": "Why?", "response": " "}, "is empty"),
        ({"prompt": "Why?", "response": "So.", "videos": ["0.mp4", "1.mp4"]}, "2 files of video"),
        ({"prompt": "Why?", "response": "So.", "video": "../0.mp4"}, "leaves the data folder"),
        (["Why?"], "a record is an object, found str"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, item, reason):
    (problem,) = read(tmp_path, [item])
    assert isinstance(problem, Problem)
    assert reason in problem.reason


@pytest.mark.parametrize("content", [b"\x1f\x8b broken", b"[1, 2", b"\xff\xfe"])
def test_a_broken_file_is_named(tmp_path, content, capsys):
    path = tmp_path / ("data.jsonl.gz" if content[0] == 0x1F else "data.json")
    path.write_bytes(content)
    with pytest.raises(SystemExit):
        list(conversations.read(path, None, TOKENS))
    assert f"{path}: not readable" in capsys.readouterr().err


def test_bad_records_are_listed_and_the_others_kept(tmp_path, make_clip, capsys):
    make_clip(tmp_path / "0.mp4", seconds=0.3, sound=False)
    silent = {"id": "c", "video": "0.mp4", "audio": "0.mp4", "prompt": "Why?", "response": "So."}
    path = written(tmp_path, [OURS, OURS | {"id": "b", "video": "gone.mp4"}, silent, {"id": "d"}])
    bad = BadRecords(tmp_path / "out", "stop")
    (tmp_path / "out").mkdir()
    with pytest.raises(SystemExit):
        dataset.held([path], None, TOKENS, bad, check_media=True)
    said = capsys.readouterr().err
    assert "3 of 4 records cannot be trained on" in said
    listed = [json.loads(line) for line in (tmp_path / "out" / "bad_records.jsonl").read_text().splitlines()]
    assert {(one["id"], one["kind"]) for one in listed} == {
        ("b", "missing file"),
        ("c", "no sound"),
        ("d", "unreadable"),
    }
    (table,) = dataset.held([path], None, TOKENS, BadRecords(tmp_path / "out", "skip"), check_media=True)
    assert list(table["id"]) == ["a"]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.data())
def test_an_epoch_has_the_shares_that_are_asked_for(sizes, data):
    mix = data.draw(st.lists(st.floats(0.1, 5), min_size=len(sizes), max_size=len(sizes)))
    found = Counter(MixedSampler(sizes, mix, 1, 1, 3).order(torch.Generator().manual_seed(0)).tolist())
    total = sum(sizes)
    assert sum(found.values()) == total
    for number, size in enumerate(sizes):
        start = sum(sizes[:number])
        counts = [found[record] for record in range(start, start + size)]
        assert abs(sum(counts) - total * mix[number] / sum(mix)) <= 1
        assert max(counts) - min(counts) <= 1
    plain = MixedSampler(sizes, [], 1, 1, 3)
    assert sorted(plain.order(torch.Generator()).tolist()) == list(range(total))


def test_batches_by_length_hold_records_of_about_one_length():
    sampler = MixedSampler([400], [], 4, 4, 0)
    sampler.lengths = torch.randint(1, 1000, (400,))
    order = list(sampler)
    spread = [max(of_batch) - min(of_batch) for of_batch in _batches(sampler.lengths, order)]
    assert sorted(sample.record for sample in order) == list(range(400))
    assert sum(spread) / len(spread) < 60  # 600 in an order by chance


def _batches(lengths, order):
    return [[lengths[sample.record] for sample in order[start : start + 4]] for start in range(0, len(order), 4)]


def test_a_stream_goes_round_and_weighs_its_files(tmp_path):
    first = written(tmp_path, [{"id": f"a{i}", "prompt": "Why?", "response": "So."} for i in range(5)], "a.jsonl")
    second = written(tmp_path, [{"id": "b", "prompt": "Why?", "response": "So."}, {"id": "bad"}], "b.jsonl.gz")
    skip = BadRecords(tmp_path, "skip")
    rows = iter(dataset.stream([first, second], None, TOKENS, skip, [3, 1], 0, 10))
    drawn = Counter(next(rows).conversation.id[0] for _ in range(200))
    assert 30 < drawn["b"] < 70
    assert json.loads((tmp_path / "bad_records.jsonl").read_text().splitlines()[0])["id"] == "bad"
