"""The same request at the same time, of threads and of processes: it is asked once, and all have what became of it."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from avem_train.curation.asking.asker import Asker, Source
from avem_train.curation.asking.pace import Pace
from avem_train.curation.asking.protocol import Completion
from avem_train.curation.asking.reply_cache import ReplyCache
from avem_train.curation.asking.requests import Request
from avem_train.curation.asking.spending import Ledger, Price
from avem_train.curation.prompts import Prompt
from avem_train.curation.stages.emotions import EmotionGuess
from emorealm_tasks.chat_client import RequestFailed

REQUEST = Request(Prompt("p", 1, "which emotion?"), {}, EmotionGuess)


class Slow:
    """A client that takes its time; `fails` says whether its n-th request does."""

    def __init__(self, fails=lambda number: False):
        self.identity = {"model": "slow"}
        self.fails, self.asked, self.lock = fails, 0, threading.Lock()

    def complete(self, request, repair=()):
        with self.lock:
            number, self.asked = self.asked, self.asked + 1
        time.sleep(0.1)
        if self.fails(number):
            raise RequestFailed(f"no {number}")
        return Completion(json.dumps({"emotion": "joy"}), 10, 5, 0.1)


def asker(folder, client):
    source = Source(client, Price(1.0, 1.0), Pace())
    return Asker({"slow": source}, ReplyCache(folder / "replies"), Ledger(folder / "spent.txt", None), 0)


def outcome(one):
    try:
        return one.ask("emotions", "slow", REQUEST)[0].emotion
    except RequestFailed as error:
        return str(error)


@pytest.mark.parametrize("fails", [False, True])
def test_threads_that_ask_the_same_share_its_reply_or_its_failure(tmp_path, fails):
    client = Slow(lambda number: fails)
    one = asker(tmp_path, client)
    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(lambda _: outcome(one), range(6)))
    assert client.asked == 1
    assert found == {"no 0" if fails else "joy"}
    assert one.tally.counts.cached == (0 if fails else 5)


def test_after_a_failure_the_same_is_asked_again_by_one_at_a_time(tmp_path):
    """More threads come while those that waited for the failure go on."""
    client = Slow(lambda number: number < 1)
    one, most, under_way = asker(tmp_path, client), [0], [0]
    complete = client.complete

    def watched(request, repair=()):
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        try:
            return complete(request, repair)
        finally:
            under_way[0] -= 1

    client.complete = watched
    with ThreadPoolExecutor(8) as pool:
        waves = [pool.submit(outcome, one) for _ in range(4)]
        time.sleep(0.11)
        waves += [pool.submit(outcome, one) for _ in range(4)]
        for wave in waves:
            wave.result()
    assert most == [1]
    assert outcome(one) == "joy"


def test_processes_that_ask_the_same_at_once_pay_for_it_once(tmp_path):
    """As processes do: each has an asker and a lock file of its own, and nothing else in common."""
    client = Slow()
    askers = [asker(tmp_path, client) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(outcome, askers)) == ["joy"] * 3
    assert client.asked == 1
    assert sum(one.tally.counts.cached for one in askers) == 2
    assert len((tmp_path / "spent.txt").read_text().split()) == 1
