"""What an estimate says, by hand."""

import json
import time

import pytest

from avem_train.curation import estimate, pipeline, recipe
from curation import ORACLE, answering, content, form, manifest
from faulty_server import chat

STAGES = {"captions": {"picture": "server", "sound": "server", "frames": 4}}


def test_requests_tokens_dollars_and_hours_of_three_clips(folder, server):
    (one,) = estimate.estimate(recipe.from_content(content(folder, server.url, STAGES)))
    assert (one.rows, one.requests, one.tokens_out) == (3, 6, 6 * 350)
    assert one.tokens_in == 3 * (300 + 4 * 260) + 3 * (300 + 120)
    assert one.dollars == (one.tokens_in * 1.0 + one.tokens_out * 2.0) / 1e6
    assert one.hours == pytest.approx(6 / (8 * 10) / 60)  # eight at once, ten a minute each
    assert server.asked == []
    assert "together" in estimate.table([one])


def test_the_slower_of_pace_and_concurrency_counts(folder, server):
    whole = content(folder, server.url, STAGES)
    whole["clients"]["server"] |= {"per_minute": 3.0}
    (one,) = estimate.estimate(recipe.from_content(whole))
    assert one.hours == 6 / 3 / 60


def test_tokens_a_minute_and_batches_count(folder, server):
    whole = content(folder, server.url, STAGES)
    whole["clients"]["server"] |= {"tokens_per_minute": 100.0}
    (slow,) = estimate.estimate(recipe.from_content(whole))
    assert slow.hours == pytest.approx((slow.tokens_in + slow.tokens_out) / 100 / 60)
    whole["clients"]["server"] |= {"batch": True}
    (one,) = estimate.estimate(recipe.from_content(whole))
    assert (one.hours, one.dollars) == (0, pytest.approx(slow.dollars / 2))
    assert "By batch, at 50% of the price: captions" in estimate.table([one])


def test_what_a_few_clips_took_says_what_many_will_take(tmp_path, make_clip):
    def script(body, number):
        time.sleep(0.02)
        return 200, {}, chat(json.dumps(ORACLE[form(body)]))

    server = answering()
    server.script = script
    clip = make_clip(tmp_path / "0.mp4").read_bytes()
    videos = [tmp_path / f"{number}.mp4" for number in range(30)]
    for number, video in enumerate(videos):
        video.write_bytes(clip + bytes([number]))
    chosen = recipe.from_content(content(tmp_path, server.url, STAGES | {"emotions": {"client": "server"}}))
    try:
        manifest(tmp_path, videos)
        before = estimate.estimate(chosen)
        manifest(tmp_path, videos[:3])
        pipeline.run(chosen)
        manifest(tmp_path, videos)
        after = estimate.estimate(chosen)
        ran = pipeline.run(chosen)
    finally:
        server.stop()
    assert [one.measured for one in before + after] == [False, False, True, True]
    assert "Assumed, by rules of thumb and 6 s a reply: captions, emotions." in estimate.table(before)
    assert "Assumed" not in estimate.table(after)
    for expected, report in zip(after, ran, strict=True):
        used = report.used["server"]
        assert expected.rows == report.rows_in == 30
        for mine, theirs in (
            (expected.requests, used["replies"]),
            (expected.tokens_in, used["tokens_in"]),
            (expected.tokens_out, used["tokens_out"]),
        ):
            assert mine == pytest.approx(theirs, rel=0.3)
    changed = content(tmp_path, server.url, {"captions": STAGES["captions"] | {"frames": 3}})
    assert not estimate.estimate(recipe.from_content(changed))[0].measured  # another number of frames was not tried


def test_the_checker_is_counted_and_paid(folder, server):
    whole = content(folder, server.url, {"captions": {"picture": "server"}, "emotions": {"client": "server"}})
    whole["clients"]["other"] = whole["clients"]["server"] | {"price_in": 100.0, "price_out": 0.0}
    stages = {"questions": {"client": "server"}, "filter": {}, "preferences": {"client": "server", "letters": 1}}
    whole["stages"] |= stages
    own = estimate.estimate(recipe.from_content(whole))
    for name in ("questions", "preferences"):
        whole["stages"][name] = stages[name] | {"checker": "other"}
    other = estimate.estimate(recipe.from_content(whole))
    assert [one.requests for one in own] == [one.requests for one in other]
    assert [two.dollars > one.dollars for one, two in zip(own, other, strict=True)] == [False, False, True, False, True]
