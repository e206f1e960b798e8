"""The parts of the adapter that need no model: what is asked, in which batches, and what is remembered."""

import threading
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_adapters.avere.clips import FeatureStore, MediaEncoder
from model_adapters.avere.prefix import truncate_at
from model_adapters.avere.runner import Question, clip_batches
from model_adapters.base.media_refs import ClipFiles, MediaFile
from model_adapters.base.requests import from_messages, from_visuals

VIDEO = {"type": "video", "url": "/d/1.mp4"}
CPU = torch.device("cpu")
AUDIO = {"type": "audio", "url": "/d/1.wav"}
TEXT = {"type": "text", "text": "Why? (A) x (B) y"}


def user(*content: dict) -> list[dict]:
    return [{"role": "user", "content": list(content)}]


@pytest.mark.parametrize(
    ("content", "clip"),
    [
        ([VIDEO, AUDIO, TEXT], ClipFiles("/d/1.mp4", "/d/1.wav")),
        ([VIDEO, {"type": "audio", "url": "/d/1.mp4"}, TEXT], ClipFiles("/d/1.mp4", "/d/1.mp4")),
        ([VIDEO, TEXT], ClipFiles("/d/1.mp4", None)),
        ([AUDIO, TEXT], ClipFiles(None, "/d/1.wav")),
        ([TEXT], ClipFiles(None, None)),
    ],
)
def test_messages_become_a_clip_and_a_text(content, clip):
    assert from_messages(user(*content), "t", "avere") == (clip, "Why? (A) x (B) y")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (user(VIDEO, VIDEO, TEXT), "2 videos and 0 sounds"),
        (user({"type": "image", "url": "/d/1.png"}, TEXT), "an item of type 'image'"),
        (user({"type": "audio", "url": {"array": [0.0]}}, TEXT), "a medium as dict"),
        ([*user(TEXT), {"role": "assistant", "content": []}], "sends a dialogue"),
    ],
)
def test_what_avere_cannot_take_is_one_line_naming_the_task(messages, said, capsys):
    with pytest.raises(SystemExit) as caught:
        from_messages(messages, "some_task", "avere")
    printed = capsys.readouterr().err
    assert caught.value.code == 2
    assert "some_task" in printed
    assert said in printed
    assert printed.count("\n") == 1


def test_visuals_of_simple_tasks(make_clip, tmp_path):
    sounding = str(make_clip(tmp_path / "a.mp4", seconds=1))
    mute = str(make_clip(tmp_path / "b.mp4", seconds=1, sound=False))
    assert from_visuals("q", [mute, "/d/1.wav"], "t", "avere").clip == ClipFiles(mute, "/d/1.wav")
    assert from_visuals("q", [sounding], "t", "avere").clip == ClipFiles(sounding, sounding)
    assert from_visuals("q", [mute], "t", "avere").clip == ClipFiles(mute, None)
    assert from_visuals("q", [], "t", "avere").clip == ClipFiles(None, None)
    assert from_visuals("q", None, "t", "avere").clip == ClipFiles(None, None)


def test_media_of_a_clip():
    assert ClipFiles("v", "a").media == [MediaFile("video", "v"), MediaFile("audio", "a")]
    assert ClipFiles(None, "a").media == [MediaFile("audio", "a")]
    assert ClipFiles(None, None).media == []


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(1, 9))
def test_batches_hold_every_question_once_and_never_split_a_clip(clips, batch_size):
    questions = [Question(ClipFiles(str(clip), None), [0]) for clip in clips]
    batches = clip_batches(questions, range(len(questions)), batch_size)
    numbers = [number for batch in batches for _, asked in batch for number in asked]
    assert sorted(numbers) == list(range(len(questions)))
    seen = [clip for batch in batches for clip, _ in batch]
    assert len(seen) == len(set(seen))
    for batch in batches:
        assert batch
        assert sum(len(asked) for _, asked in batch) <= batch_size or len(batch) == 1


def test_batches_are_filled_before_a_new_one_begins():
    questions = [Question(ClipFiles(name, None), [0]) for name in "aabbcd"]
    batches = clip_batches(questions, range(6), 4)
    assert [[clip.video for clip, _ in batch] for batch in batches] == [["a", "b"], ["c", "d"]]


def test_prompts_of_like_length_share_a_batch_the_longest_first():
    lengths = {"a": [2, 9], "b": [3], "c": [8, 1], "d": [4]}
    questions = [Question(ClipFiles(name, None), [0] * length) for name, each in lengths.items() for length in each]
    batches = clip_batches(questions, range(len(questions)), 4)
    assert [[clip.video for clip, _ in batch] for batch in batches] == [["a", "c"], ["d", "b"]]


def test_questions_without_media_are_no_one_batch():
    questions = [Question(ClipFiles(None, None), [0] * length) for length in (3, 9, 5, 7, 1)]
    batches = clip_batches(questions, range(5), 2)
    assert [[numbers for _, numbers in batch] for batch in batches] == [[[1, 3]], [[2, 0]], [[4]]]


def test_ids_before_the_end():
    assert truncate_at([5, 2, 7, 2], 2) == [5]
    assert truncate_at([5, 7], 2) == [5, 7]


def test_feature_store_stays_inside_its_budget_and_drops_the_least_recently_used():
    store = FeatureStore(budget=2 * 4 * 10)  # two tensors of ten floats
    first, second, third = (MediaFile("video", name) for name in "abc")
    store.put(first, torch.zeros(10))
    store.put(second, torch.ones(10))
    assert store.get(first, CPU) is not None  # now the more recent one
    store.put(third, torch.full((10,), 2.0))
    assert second not in store
    assert torch.equal(store.get(third, CPU), torch.full((10,), 2.0))
    assert torch.equal(store.get(first, CPU), torch.zeros(10))
    assert store.bytes == 80
    store.put(second, torch.zeros(21))  # larger than everything: not worth emptying the store for
    assert second not in store
    assert store.bytes == 80


def test_feature_store_keeps_a_row_not_the_batch_it_came_from():
    store = FeatureStore(budget=1000)
    batch = torch.zeros(100, 10)
    store.put(MediaFile("video", "a"), batch[3])
    assert store.get(MediaFile("video", "a"), CPU).untyped_storage().nbytes() == 40


def test_as_many_clips_are_decoded_at_once_as_is_set(monkeypatch):
    monkeypatch.setenv("EMOREALM_DECODE_THREADS", "3")
    together = threading.Barrier(3, timeout=20)  # each waits for two others
    model = SimpleNamespace(device=torch.device("cpu"))
    encoder = MediaEncoder(model, None, 0, lambda processor, medium: together.wait())
    encoder.prefetch(MediaFile("video", f"{number}.mp4") for number in range(3))
    assert sorted(encoder._ahead.take(MediaFile("video", f"{number}.mp4")) for number in range(3)) == [0, 1, 2]
    encoder.close()
