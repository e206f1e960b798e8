"""What the kinds of task share: names of columns, what is kept between them, and the marks of a failed request."""

import pytest

from emorealm_tasks.answers import choose_option
from emorealm_tasks.harness import columns, failures, samples


def test_a_score_has_its_value_and_both_ends():
    found = columns.bounded({"sub_spurious": "accuracy"}, "official")
    assert list(found) == ["sub_spurious_official", "sub_spurious_low_official", "sub_spurious_high_official"]
    assert found["sub_spurious_low_official"] == ("accuracy", "low", "official")
    assert [columns.end((1.0, 2.0), bound) for bound in ("low", "high")] == [1.0, 2.0]


def test_a_function_that_is_kept_runs_once_for_equal_arguments():
    asked = []
    kept = columns.LastResult(lambda records, reading: asked.append(reading) or len(records))
    assert [kept([{"id": 1}], "strict"), kept([{"id": 1}], "strict"), kept([], "strict")] == [1, 1, 0]
    assert asked == ["strict", "strict"]
    by_id = columns.LastResult(
        lambda records: asked.append("judged"), key=lambda records: [one["id"] for one in records]
    )
    records = [{"id": 1}]
    by_id(records)
    records[0]["verdict"] = "judging fills it in"
    by_id(records)
    assert asked == ["strict", "strict", "judged"]


@pytest.mark.parametrize("mark", [failures.FAILED, failures.OUT_OF_TOKENS, failures.BLOCKED])
def test_every_mark_is_an_error_and_no_answer(mark):
    said = mark.format("B")
    assert failures.error(said) == said
    assert choose_option(said, ["(A) Yes", "(B) No"], "strict") is None
    assert failures.error("B") == ""


@pytest.mark.parametrize("results", [[], [None], [""]])
def test_no_reply_is_an_empty_one(results):
    assert samples.reply_text(results) == ""
