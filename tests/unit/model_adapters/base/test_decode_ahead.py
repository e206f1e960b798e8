"""Decoding ahead: each medium once, a bounded number of them, faults where they are taken, and an end at any time."""

import threading
import time

import pytest
import torch

from model_adapters.base import decode_ahead
from model_adapters.base.decode_ahead import DecodeAhead

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    monkeypatch.setenv("EMOREALM_DECODE_THREADS", "2")


def waited(condition):
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.002)
    return condition()


def test_each_medium_is_decoded_once_in_threads_and_only_so_many_lie_ready(monkeypatch):
    monkeypatch.setattr(decode_ahead, "_MOST", 3)
    decoded = []

    def decode(medium):
        decoded.append((medium, threading.current_thread().name))
        return medium * 10

    ahead = DecodeAhead(decode, CPU)
    ahead.start(range(5))
    ahead.start(range(5))
    assert waited(lambda: len(decoded) == 3)
    time.sleep(0.05)
    assert len(decoded) == 3
    assert ahead.take(0) == 0
    assert waited(lambda: len(decoded) == 4)
    assert [ahead.take(medium) for medium in (4, 3, 2, 1, 7)] == [40, 30, 20, 10, 70]  # 7 was never started
    assert sorted(medium for medium, _ in decoded) == [0, 1, 2, 3, 4, 7]
    assert all(thread.startswith("decode") for _, thread in decoded)
    ahead.close()


def test_a_fault_is_raised_where_the_medium_is_taken_and_the_others_go_on():
    def decode(medium):
        if medium == "bad":
            raise ValueError("cannot be read")
        return medium

    ahead = DecodeAhead(decode, CPU)
    ahead.start(["bad", "good"])
    with pytest.raises(ValueError, match="cannot be read"):
        ahead.take("bad")
    assert ahead.take("good") == "good"
    ahead.close()


def test_closing_waits_for_nothing_and_begins_nothing_more():
    begun, go_on = [], threading.Event()

    def decode(medium):
        begun.append(medium)
        go_on.wait(20)

    ahead = DecodeAhead(decode, CPU)
    ahead.start(range(30))
    assert waited(lambda: len(begun) == 2)
    started = time.monotonic()
    ahead.close()
    assert time.monotonic() - started < 5
    go_on.set()
    ahead._pool.shutdown(wait=True)
    assert sorted(begun) == [0, 1]
