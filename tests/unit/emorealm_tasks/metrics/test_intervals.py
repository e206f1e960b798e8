"""Intervals: the clip bootstrap against a plain loop, shares against the exact interval, and how often both hold."""

import numpy as np
import pytest
from scipy.stats import binomtest

from emorealm_tasks import metrics
from emorealm_tasks.metrics import intervals

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
    _, function = metrics.score_function([yes, no], "strict")
    precision, recall, f1 = intervals.clip_bootstraps([yes, no], function)[1:4]
    assert (precision, recall, f1) == ((100, 100), (0, 0), (0, 0))


def test_what_is_never_defined_has_no_interval():
    yes = made(1, 1)[0] | {"gold": "A"}
    assert intervals.score_intervals([yes], "strict")["f1"] == (None, None)
    assert intervals.group_intervals([yes], "strict")["accuracy"] == (None, None)
    assert intervals.score_intervals([], "strict")["accuracy"] == (None, None)


@pytest.mark.parametrize(("hits", "n"), [(118, 120), (62, 62), (0, 55), (30, 55)])
def test_of_single_questions_a_share_has_the_exact_binomial_interval(hits, n):
    right = [True] * hits + [False] * (n - hits)
    exact = binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert intervals.share(right, [str(i) for i in range(n)]) == pytest.approx((100 * exact.low, 100 * exact.high))


def test_no_interval_of_a_share_is_a_point():
    rows = [row | {"strict": row["gold"]} for row in made(60, 2)]
    found = intervals.score_intervals(rows, "strict")
    for name in ("accuracy", "precision", "recall", "f1"):
        low, high = found[name]
        assert 85 < low < 97 < high == 100, name
    assert found["unparsed_rate"][1] == pytest.approx(100 * (1 - 0.025 ** (1 / 60)))
    whole = [row for task in metrics.TASKS for row in made(60, 2, task)]
    whole = [row | {"strict": row["gold"]} for row in whole]
    for name in ("accuracy", "basic", "agree", "stress"):
        assert intervals.group_intervals(whole, "strict")[name][0] < 98.5, name


def test_a_copy_of_every_question_tells_a_share_nothing():
    rows = made(60, 2)
    right, clips = [row["strict"] == row["gold"] for row in rows], [row["clip"] for row in rows]
    once = intervals.share(right, clips)
    assert intervals.share(right * 9, clips * 9) == pytest.approx(once, abs=0.5)
    assert intervals.share([True] * 9, ["a"] * 9) == pytest.approx((2.5, 100))
    assert intervals.share([True, False], ["a", "a"]) == (0, 100)
    assert intervals.share([], []) == (None, None)


def test_the_design_effect_by_hand():
    assert intervals.design_effect([1, 0, 1, 0], list("abcd")) == 1
    assert intervals.design_effect([1, 1, 0, 0], list("aabb")) == pytest.approx(
        3
    )  # (G / G-1) 2 / (n / n-1) = 2 / (2/3)
    assert intervals.design_effect([1, 1, 1], list("aab")) == 1


def answers(random, p, n, per_clip, together=0.5):
    """Right or wrong answers with mean p; in half of the clips all questions share one answer."""
    clips = round(n / per_clip)
    clip_of = np.concatenate([np.arange(clips), random.integers(clips, size=n - clips)])
    alike = random.random(clips) < together
    draws = np.where(alike[clip_of], random.random(clips)[clip_of], random.random(n))
    return draws < p, clip_of.astype(str)


@pytest.mark.parametrize("per_clip", [1, 1.5])
@pytest.mark.parametrize("n", [55, 120, 300])
@pytest.mark.parametrize("p", [0.5, 0.9, 0.98, 0.998])
def test_a_share_lies_in_its_interval_in_93_percent_and_more(p, n, per_clip):
    random = np.random.default_rng(round(1000 * p) + n)
    times = 500
    held = 0
    for _ in range(times):
        low, high = intervals.share(*answers(random, p, n, per_clip))
        held += low <= 100 * p <= high
    assert held / times >= 0.93


def test_means_of_shares_near_100_percent_hold_too_where_the_bootstrap_alone_does_not():
    """The mean accuracy of two sub-tasks of 55 questions, right in 99.5%, as Spur. and Hall. are made."""
    random = np.random.default_rng(0)
    times, held = 150, np.zeros(2)
    for _ in range(times):
        (first, ours), (second, theirs) = (answers(random, 0.995, 55, 1) for _ in "ab")
        both = np.concatenate([first, second]).astype(float)
        rows = [{"clip": clip} for clip in (*ours, *theirs)]
        weight = np.arange(110) < 55

        def mean(weights, both=both, weight=weight):
            return 50 * sum((weights[:, m] @ both[m]) / weights[:, m].sum(axis=1) for m in (weight, ~weight))

        alone = intervals.clip_bootstrap(rows, mean, resamples=400)
        wider = intervals.wider(alone, intervals.of_shares(np.mean, [(first, ours), (second, theirs)]))
        held += [low <= 99.5 <= high for low, high in (alone, wider)]
    assert held[0] / times < 0.9
    assert held[1] / times >= 0.93
