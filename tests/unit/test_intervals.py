"""The clip bootstrap against a plain loop, and what it must and must not resample."""

import numpy as np
import pytest

from emorealm_tasks import intervals, metrics

CHOICES = ["(A) Yes", "(B) No"]


def made(clips, per_clip, task="modality_agreement", seed=0):
    random = np.random.default_rng(seed)
    rows = []
    for clip in range(clips):
        quality = random.random()
        for i in range(per_clip):
            gold = "AB"[i % 2]
            strict = gold if random.random() < quality else "AB"[gold == "A"]
            rows.append({"id": f"{clip}-{i}", "clip": f"part_1/{clip}.mp4", "task": task, "subtask": "", "gold": gold,
                         "choices": CHOICES, "official": strict == gold, "official_lenient": strict == gold,
                         "strict": strict, "error": ""})  # fmt: skip
    return rows


def right(rows):
    hit = np.array([row["strict"] == row["gold"] for row in rows], dtype=float)
    return lambda weights: 100 * (weights @ hit) / weights.sum(axis=1)


def test_equals_a_plain_loop_over_drawn_clips():
    rows = made(60, 3)
    random = np.random.default_rng(7)
    by_clip = [rows[i : i + 3] for i in range(0, len(rows), 3)]
    plain = []
    for _ in range(4000):
        drawn = [row for i in random.integers(60, size=60) for row in by_clip[i]]
        plain.append(metrics.accuracy([row["strict"] == row["gold"] for row in drawn]))
    low, high = intervals.clip_bootstrap(rows, right(rows), resamples=4000)
    assert [low, high] == pytest.approx(np.percentile(plain, [2.5, 97.5]), abs=1.0)


def test_questions_of_one_clip_are_no_independent_evidence():
    rows = made(60, 2)
    copied = [row for row in rows for _ in range(9)]
    assert intervals.clip_bootstrap(copied, right(copied)) == pytest.approx(intervals.clip_bootstrap(rows, right(rows)))


def test_clips_are_drawn_jointly_over_tasks():
    """Where every clip fails in one task what it masters in the other, the group mean does not vary at all."""
    rows = []
    for i in range(40):
        for j, task in enumerate(metrics.TASKS[1:3]):
            rows.append(made(1, 1, task)[0] | {"clip": str(i), "gold": "A", "strict": "AB"[(i + j) % 2]})
    low, high = intervals.group_intervals(rows, "strict")["basic"]
    assert (low, high) == (50, 50)


def test_same_seed_same_interval_and_it_holds_the_score():
    rows = made(50, 2)
    first = intervals.score_intervals(rows, "strict")
    assert first == intervals.score_intervals(rows, "strict")
    assert first != intervals.score_intervals(rows, "strict", seed=1)
    scores = metrics.task_scores(rows, "strict")
    for name, (low, high) in first.items():
        assert low <= scores[name] <= high
    narrow = intervals.score_intervals(rows, "strict", level=0.5)["accuracy"]
    assert first["accuracy"][0] < narrow[0] < narrow[1] < first["accuracy"][1]


def test_a_resample_without_a_class_is_skipped():
    yes = made(1, 1)[0] | {"gold": "A", "strict": "A"}
    no = yes | {"clip": "other", "gold": "B", "strict": "A"}
    found = intervals.score_intervals([yes, no], "strict")
    assert found["precision"] == (100, 100)
    assert found["recall"] == (0, 0)
    assert found["f1"] == (0, 0)


def test_what_is_never_defined_has_no_interval():
    yes = made(1, 1)[0] | {"gold": "A"}
    assert intervals.score_intervals([yes], "strict")["f1"] == (None, None)
    assert intervals.group_intervals([yes], "strict")["accuracy"] == (None, None)
    assert intervals.score_intervals([], "strict")["accuracy"] == (None, None)
