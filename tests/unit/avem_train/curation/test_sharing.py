"""What threads and processes share: the pace of requests, and the ledger with its budget."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avem_train.curation.asking.pace import Pace
from avem_train.curation.asking.spending import BudgetSpent, Ledger, Price


@settings(max_examples=8, deadline=None)
@given(threads=st.integers(1, 12), starts=st.integers(2, 12), apart=st.sampled_from([0.004, 0.01, 0.02]))
def test_threads_start_no_closer_together_than_the_pace(threads, starts, apart):
    pace = Pace(60 / apart)

    def start(_):
        with pace.turn():
            return time.monotonic()

    with ThreadPoolExecutor(threads) as pool:
        at = sorted(pool.map(start, range(starts)))
    assert at[-1] - at[0] >= (starts - 1) * apart - 0.01  # the first one's wake-up may be late


def test_no_pace_waits_for_nothing():
    pace = Pace()
    before = time.monotonic()
    for _ in range(1000):
        with pace.turn():
            pass
    assert time.monotonic() - before < 0.5


@settings(max_examples=6, deadline=None)
@given(threads=st.integers(1, 6), tokens=st.lists(st.integers(1, 40), min_size=2, max_size=8))
def test_tokens_start_no_faster_than_the_pace_whatever_each_request_takes(threads, tokens):
    """All but the first requests wait until those before them are paid off, at a millisecond a token."""
    pace = Pace(tokens=60_000)
    before = time.monotonic()

    def ask(took):
        with pace.turn() as turn:
            turn.tokens = took

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, tokens))
    with pace.turn():
        assert time.monotonic() - before >= sum(tokens) / 1000 - 0.002


@settings(max_examples=25, deadline=None)
@given(costs=st.lists(st.integers(0, 10**6).map(lambda n: n / 1e6), max_size=40), threads=st.integers(1, 8))
def test_threads_lose_no_cost(tmp_path_factory, costs, threads):
    path = tmp_path_factory.mktemp("ledger") / "spent.txt"
    mine, other = Ledger(path, None), Ledger(path, None)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda pair: (mine, other)[pair[0] % 2].add(pair[1]), enumerate(costs)))
    for ledger in (mine, other, Ledger(path, None)):
        assert ledger.dollars == pytest.approx(sum(costs))
        assert ledger.dollars == pytest.approx(sum(costs))  # read on, not twice


_SPENDER = """
import sys
from pathlib import Path
from avem_train.curation.asking.spending import BudgetSpent, Ledger
ledger = Ledger(Path(sys.argv[1]), float(sys.argv[2]))
count = 0
try:
    while True:
        ledger.check()
        ledger.add(0.001)
        count += 1
except BudgetSpent:
    print(count)
"""


def test_processes_stop_together_at_the_budget_and_lose_no_cost(tmp_path):
    path = tmp_path / "spent.txt"
    command = [sys.executable, "-c", _SPENDER, str(path), "0.5"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert 500 <= sum(counts) <= 502  # each may have one reply under way when the last dollar goes
    assert Ledger(path, None).dollars == pytest.approx(sum(counts) * 0.001)
    with pytest.raises(BudgetSpent, match="budget"):
        Ledger(path, 0.5).check()


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / "spent.txt"
    path.write_text("0.5\n0.2")
    ledger = Ledger(path, None)
    assert ledger.dollars == 0.5
    path.write_text("0.5\n0.25\n")
    assert ledger.dollars == 0.75


def test_lines_that_a_full_disk_or_a_power_failure_spoiled_cost_only_themselves(tmp_path, capsys):
    path = tmp_path / "spent.txt"
    path.write_bytes(b"0.5\n\0\0\0\n0.25\n0.0")
    ledger = Ledger(path, None)
    ledger.add(1.0)
    assert ledger.dollars == 1.75
    assert "is no number" in capsys.readouterr().err


def test_a_cost_that_was_written_in_part_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "write", lambda descriptor, line: 3)
    with pytest.raises(OSError, match="No space left"):
        Ledger(tmp_path / "spent.txt", None).add(1.0)


@given(tokens_in=st.integers(0, 10**9), tokens_out=st.integers(0, 10**9))
def test_a_price_adds_up(tokens_in, tokens_out):
    price = Price(1.0, 2.0)
    assert price.of(tokens_in, tokens_out) == pytest.approx((tokens_in + 2 * tokens_out) / 1e6)
