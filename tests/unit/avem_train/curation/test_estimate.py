"""What an estimate says, by hand."""

from avem_train.curation import estimate, pipeline, recipe
from curation import content

STAGES = {"captions": {"picture": "server", "sound": "server", "frames": 4}}


def test_requests_tokens_dollars_and_hours_of_three_clips(folder, server):
    (one,) = estimate.estimate(recipe.from_content(content(folder, server.url, STAGES)))
    assert (one.rows, one.requests, one.tokens_out) == (3, 6, 6 * 350)
    assert one.tokens_in == 3 * (300 + 4 * 260) + 3 * (300 + 120)
    assert one.dollars == (one.tokens_in * 1.0 + one.tokens_out * 2.0) / 1e6
    assert one.hours == 6 / (8 * 10) / 60  # eight at once, ten a minute each
    assert server.asked == []
    assert "together" in estimate.table([one])


def test_the_slower_of_pace_and_concurrency_counts(folder, server):
    whole = content(folder, server.url, STAGES)
    whole["clients"]["server"] |= {"per_minute": 3.0}
    (one,) = estimate.estimate(recipe.from_content(whole))
    assert one.hours == 6 / 3 / 60


def test_rows_that_are_there_are_counted(folder, server):
    chosen = recipe.from_content(content(folder, server.url, STAGES))
    pipeline.run(chosen)
    assert estimate._rows_out(chosen, estimate.STAGES["captions"], 1000.0) == 3


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
