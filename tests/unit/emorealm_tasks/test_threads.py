"""Calls in threads: order, bound, exceptions."""

import time
from contextlib import closing

import pytest

from emorealm_tasks.threads import AHEAD, as_completed


def test_every_item_comes_once_with_its_result():
    found = dict(as_completed(lambda number: number * number, range(100), 3))
    assert found == {number: number * number for number in range(100)}
    assert list(as_completed(str, [], 3)) == []


def test_the_first_to_end_comes_first_also_if_all_have_ended_before_they_are_taken():
    """The standard library's gives finished calls in the order of a set."""
    results = as_completed(lambda number: time.sleep(0.1 * (5 - number)), range(5), 5)
    first, _ = next(results)
    time.sleep(0.6)
    assert [first, *(number for number, _ in results)] == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("threads", [1, 4])
def test_whoever_stops_has_asked_for_little_that_it_did_not_see(threads):
    begun = []
    with closing(as_completed(begun.append, range(1000), threads)) as results:
        for seen, _ in enumerate(results, 1):
            time.sleep(0.02)  # a slow caller
            assert len(begun) <= seen + AHEAD * threads
            if seen == 5:
                break
    assert len(begun) < 5 + AHEAD * threads


def test_an_exception_ends_it_and_what_waits_is_dropped():
    begun = []

    def call(number):
        begun.append(number)
        if number == 3:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(as_completed(call, range(1000), 2))
    assert len(begun) < 10
