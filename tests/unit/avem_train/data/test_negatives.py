import dataclasses
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avem_train.data.negatives import KINDS, TABLE_17, Medium, Negatives, Pool, RejectedMedia, altered, draw, undrawable
from avem_train.data.records import Preference
from model_adapters.decoding.diffusion import diffused, kept_signal

OWN = Medium()


def record(identifier, clip, modality="audiovisual", emotion="anger", **further):
    fields = {"prompt": "?", "chosen": "a", "rejected_video_relevant": "b", "rejected_emotion_relevant": "c"}
    video = Path(f"{clip}.mp4")
    return Preference(identifier, video, None, modality=modality, emotion=emotion, **{**fields, **further})


def many():
    """Sixty records about thirty clips of three emotions, half of the clips with a wav of their own."""
    emotions, modalities = ("anger", "fear", "happiness"), ("video", "audio", "audiovisual")
    records = []
    for i in range(60):
        one = record(f"r{i}", i % 30, modalities[i // 3 % 3], emotions[i % 3])
        records.append(dataclasses.replace(one, audio=Path(f"{i % 30}.wav")) if i % 2 else one)
    return records


@pytest.mark.parametrize("name", TABLE_17)
def test_every_row_of_table_17_changes_what_it_says(name):
    row_settings, records = TABLE_17[name], many()
    by_clip = {row.video: row for row in records}
    for row, media in zip(records, draw(records, row_settings, 1), strict=True):
        changed = {m for m in ("video", "audio") if getattr(media, m) != OWN}
        about = {"video", "audio"} if row.modality == "audiovisual" else {row.modality}
        assert changed == ({"video", "audio"} if row_settings.change == "both" else about)
        for modality in changed:
            medium = getattr(media, modality)
            expected = {"any_clip": "file", "other_emotion": "file"}.get(row_settings.kind, row_settings.kind)
            assert medium.kind == expected
            if expected == "file":
                stem = by_clip[medium.path.with_suffix(".mp4")]
                assert medium.path.stem != row.video.stem
                if row_settings.kind == "other_emotion":
                    assert stem.emotion != row.emotion
                wanted = stem.video if modality == "video" else stem.audio or stem.video
                assert medium.path == wanted
        if changed == {"video", "audio"} and row_settings.kind in ("any_clip", "other_emotion"):
            assert media.video.path.stem == media.audio.path.stem  # one clip, not a mixture of two


def test_table_17_has_eight_rows_the_last_one_the_default():
    assert len(set(TABLE_17.values())) == 8
    assert {(row.kind, row.change) for row in TABLE_17.values()} == {(k, c) for k in KINDS for c in ("prompt", "both")}
    assert list(TABLE_17.values())[-1] == Negatives()


@given(st.permutations(range(60)), st.integers(0, 2**40), st.sampled_from(list(TABLE_17)))
@settings(max_examples=25, deadline=None)
def test_a_draw_depends_on_id_and_seed_alone(order, seed, name):
    records = many()
    drawn = dict(zip([row.id for row in records], draw(records, TABLE_17[name], seed), strict=True))
    turned = [records[i] for i in order]
    assert draw(turned, TABLE_17[name], seed) == [drawn[row.id] for row in turned]
    assert draw(records, TABLE_17[name], seed, epoch=3) == list(drawn.values())


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_or_with_redraw_another_epoch_draws_again(kind):
    records = many()
    once = draw(records, Negatives(kind), 0)
    assert draw(records, Negatives(kind), 1) != once
    again = Negatives(kind, redraw=True)
    assert draw(records, again, 0, epoch=0) == once
    assert draw(records, again, 0, epoch=1) != once


def test_clips_are_drawn_evenly():
    records = many()
    drawn = Counter()
    for seed in range(200):
        drawn[draw(records, Negatives("any_clip", "both"), seed)[0].video.path] += 1
    assert len(drawn) == 29
    assert max(drawn.values()) < 3 * 200 / 29


def test_noise_differs_between_records_and_modalities():
    for kind in ("diffusion", "random"):
        media = draw(many(), Negatives(kind, "both", diffusion_step=700), 0)
        seeds = [medium.seed for both in media for medium in (both.video, both.audio)]
        assert len(set(seeds)) == len(seeds)
        assert {both.video.step for both in media} == ({700} if kind == "diffusion" else {0})


def test_only_records_about_the_same_modality_tell_a_modalitys_emotion():
    """Clip 1 looks angry and sounds afraid: it is no clip of another emotion for a question about an angry picture."""
    records = [
        record("a", 0, "video", "anger"),
        record("b", 1, "video", "anger"),
        record("c", 1, "audio", "fear"),
        record("d", 2, "video", "fear"),
        record("e", 3, "audio", "happiness"),  # how clip 3 looks nobody says
    ]
    for seed in range(20):
        media = draw(records, Negatives(), seed)
        assert media[0] == RejectedMedia(Medium("file", Path("2.mp4")), OWN)
        assert media[2] == RejectedMedia(OWN, Medium("file", Path("3.mp4")))
    few = [record("a", 0, "video", "anger"), record("b", 1, "audio", "fear")]
    assert draw(few, Negatives(), 0)[0].video == Medium("file", Path("1.mp4"))  # better than none


def test_where_both_change_each_gets_another_emotion():
    """Clip 1 is no rejected clip for clip 0 (it sounds the same), nor is 3, whose sound nobody has named."""
    records = [
        record("a", 0, "video", "anger"),
        record("b", 0, "audio", "fear"),
        record("c", 1, "video", "happiness"),
        record("d", 1, "audio", "fear"),
        record("e", 2, "video", "happiness"),
        record("f", 2, "audio", "sadness"),
        record("g", 3, "video", "surprise"),
    ]
    both = Negatives(change="both")
    for seed in range(20):
        media = draw(records, both, seed)
        assert media[0].video.path == media[0].audio.path == Path("2.mp4")  # of a clip 0 that looks angry
        assert media[1].video.path == Path("2.mp4")  # of one that sounds afraid
        assert media[6].video.path in {Path("0.mp4"), Path("1.mp4"), Path("2.mp4")}  # its own sound is unknown
    assert Pool(records[:4]).candidates(records[0], both) == [(Path("1.mp4"), None)]  # better than none


def test_a_silent_clip_gives_no_sound(make_clip, tmp_path):
    for name, sound in (("angry", True), ("silent", False), ("afraid", True)):
        make_clip(tmp_path / f"{name}.mp4", seconds=0.5, size=32, sound=sound)
    rows = [
        record(name, tmp_path / name, modality, emotion)
        for name, modality, emotion in (
            ("angry", "audio", "anger"),
            ("silent", "video", "fear"),
            ("afraid", "audio", "fear"),
        )
    ]
    for seed in range(10):
        heard, seen, _ = draw(rows, Negatives("any_clip", "both"), seed)
        assert heard.audio.path == tmp_path / "afraid.mp4"
        assert seen.audio == OWN  # it has no sound that could change
        assert seen.video.kind == "file"
    assert undrawable(rows[:2], Negatives("any_clip")) == [0]


def test_a_records_own_rejected_media_come_first():
    given = {"rejected_video": Path("l.mp4")}
    rows = [
        record("a", 0, **given),
        record("b", 0, **given, rejected_audio=Path("l.wav")),
        record("c", 1, "audio", "fear", rejected_audio=Path("l.wav")),
        record("d", 1, "audio", "fear"),
    ]
    media = draw(rows, Negatives(), 0)
    clip, wav = Medium("file", Path("l.mp4")), Medium("file", Path("l.wav"))
    assert media[0] == RejectedMedia(clip, clip)  # a rejected clip brings its sound
    assert media[1] == RejectedMedia(clip, wav)
    assert media[2] == RejectedMedia(OWN, wav)
    assert media[3].audio.path == Path("0.mp4")
    assert draw(rows, Negatives("random"), 0)[0].video.kind == "random"


def test_a_sound_alone_has_no_picture_to_change_or_to_give():
    sounds = [
        dataclasses.replace(record(name, 0, "audio", emotion), video=None, audio=Path(f"{name}.wav"))
        for name, emotion in (("a", "anger"), ("b", "fear"))
    ]
    media = draw(sounds, Negatives(change="both"), 0)
    assert media[0] == RejectedMedia(OWN, Medium("file", Path("b.wav")))
    rows = [*sounds, record("c", 7, "audiovisual", "happiness")]
    assert [rows[number].id for number in undrawable(rows, Negatives())] == ["c"]


def test_nothing_to_draw_from_is_an_error_that_names_the_record():
    alike = [record("a", 0), record("b", 1)]
    assert undrawable(alike, Negatives()) == [0, 1]
    assert undrawable(alike, Negatives("any_clip")) == undrawable(alike, Negatives("random")) == []
    with pytest.raises(ValueError, match="record 'a': there is no clip of another emotion than anger"):
        draw(alike, Negatives(), 0)
    twice = [record("a", 0), record("b", 0)]
    assert undrawable(twice, Negatives("any_clip")) == [0, 1]
    with pytest.raises(ValueError, match="record 'a': there is no other clip"):
        draw(twice, Negatives("any_clip"), 0)


def test_settings_that_mean_nothing_are_refused():
    for wrong in ({"kind": "noise"}, {"change": "none"}, {"diffusion_step": 1000}, {"diffusion_step": -1}):
        with pytest.raises(ValueError, match=f"negatives.{next(iter(wrong))}"):
            Negatives(**wrong)


def test_the_diffusion_schedule_is_vcds():
    """Computed from the formula in the paper's own arithmetic: betas, their complements, the cumulative product."""
    kept = 1.0
    for step in range(1000):
        kept *= 1 - (1e-5 + (0.005 - 1e-5) / (1 + 2.718281828459045 ** (6 - 12 * step / 999)))
        if step in (0, 500, 999):
            assert kept_signal(step) == pytest.approx(kept, rel=1e-9)
    assert kept == pytest.approx(0.0812, abs=1e-4)


@given(st.integers(0, 999), st.integers(0, 2**62))
@settings(max_examples=25, deadline=None)
def test_diffusion_keeps_the_signals_share(step, seed):
    features = torch.full((4000,), 3.0)
    noisy = diffused(features, step, seed)
    kept = kept_signal(step)
    assert noisy.mean().item() == pytest.approx(3 * kept**0.5, abs=0.1)
    assert noisy.std().item() == pytest.approx((1 - kept) ** 0.5, abs=0.05)
    assert torch.equal(noisy, diffused(features, step, seed))
    assert not torch.equal(noisy, diffused(features, step, seed + 1))


def test_noise_keeps_shape_and_type():
    features = torch.randn(2, 3, 4, dtype=torch.float16)
    for medium in (OWN, Medium("diffusion", seed=5, step=500), Medium("random", seed=5)):
        made = altered(features, medium)
        assert (made.shape, made.dtype) == (features.shape, features.dtype)
        assert torch.equal(made, features) == (medium == OWN)
    uniform = altered(torch.empty(1000), Medium("random", seed=1))
    assert 0 <= uniform.min() < 0.02 < 0.98 < uniform.max() < 1
    with pytest.raises(ValueError, match=r"load .*x\.mp4"):
        altered(features, Medium("file", Path("x.mp4")))
