"""Questions about a clip go to one process, and processes have equal shares."""

import random
from collections import Counter

import pytest
from lmms_eval import evaluator, utils

from emorealm_tasks import plugin
from emorealm_tasks.benchmarks.emorealm import PUBLISHED, PUBLISHED_CLIPS
from emorealm_tasks.harness.sharding import ClipShares, by_clip


def paper(seed):
    """Questions and clips as many as in the paper; which clips have several questions is drawn."""
    draw = random.Random(seed)
    tasks = [task for task, count in PUBLISHED.items() for _ in range(count)]
    draw.shuffle(tasks)
    clips = [str(number) for number in range(PUBLISHED_CLIPS)]
    clips += [draw.choice(clips) for _ in range(len(tasks) - len(clips))]
    by_task = {task: [] for task in PUBLISHED}
    for task, clip in zip(tasks, clips, strict=True):
        by_task[task].append(question(clip))
    return by_task


def question(clip, video=None):
    texts = dict.fromkeys(("id", "task", "audio", "question", "answer", "left_out"), "")
    return texts | {"clip": clip, "video": clip if video is None else video, "choices": []}


@pytest.mark.parametrize("ranks", [1, 2, 8])
def test_every_rank_shares_prefixes_as_one_process_does(ranks):
    shares, clips_of, questions, padded = ClipShares(ranks), {}, Counter(), 0
    for rows in paper(0).values():
        dealt = shares.ranks(rows)
        for row, rank in zip(rows, dealt, strict=True):
            clips_of.setdefault(rank, set()).add(row["clip"])
        questions.update(dealt)
        padded += max(Counter(dealt).values())
    assert sum(questions.values()) / sum(map(len, clips_of.values())) == pytest.approx(1.51, abs=0.005)
    assert max(questions.values()) - min(questions.values()) <= 4
    assert padded <= 4000 / ranks + len(PUBLISHED)  # what lmms-eval makes every rank answer


def test_the_iterator_gives_each_numbered_question_to_one_rank_the_same_again():
    rows = [question(clip) for clip in "abacbd"]
    create = by_clip(utils.create_iterator)
    parts = [list(create(enumerate(rows), rank, 3)) for rank in range(3)]
    assert sorted(number for part in parts for number, _ in part) == list(range(6))
    for part in parts:
        assert [number for number, _ in part] == sorted(number for number, _ in part)
    ranks_of = {clip: {rank for rank in range(3) for _, row in parts[rank] if row["clip"] == clip} for clip in "abcd"}
    assert all(len(ranks) == 1 for ranks in ranks_of.values())
    assert [list(create(enumerate(rows), rank, 3)) for rank in range(3)] == parts


def test_limit_and_offset_are_of_the_questions_and_one_process_gets_all():
    rows = [question(str(number)) for number in range(9)]
    create = by_clip(utils.create_iterator)
    two = [number for rank in range(2) for number, _ in create(enumerate(rows), rank, 2, 4, 3)]
    assert sorted(two) == [3, 4, 5, 6]
    assert list(create(enumerate(rows), 0, 1, 2)) == [(0, rows[0]), (1, rows[1])]


def test_questions_asked_without_their_clip_are_shared_out_too():
    dealt = ClipShares(2).ranks([question(clip, video="") for clip in "abcd"])
    assert sorted(dealt) == [0, 0, 1, 1]


def test_other_tasks_are_dealt_out_as_before():
    create = by_clip(utils.create_iterator)
    assert list(create(range(7), 1, 3)) == [1, 4]
    assert list(create(enumerate([{"clip": "a"}] * 4), 1, 2)) == [(1, {"clip": "a"}), (3, {"clip": "a"})]
    assert list(create(iter(()), 0, 2)) == []


def test_lmms_eval_shares_out_by_clip():
    plugin.register()
    plugin._guard()
    rows = [question(clip) for clip in ("x", "x", "y", "y")]
    for module in (utils, evaluator):
        assert [[number for number, _ in module.create_iterator(enumerate(rows), rank, 2)] for rank in (0, 1)] in (
            [[0, 1], [2, 3]],
            [[2, 3], [0, 1]],
        )
