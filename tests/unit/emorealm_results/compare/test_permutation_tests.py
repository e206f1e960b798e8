"""The gate's two error rates, its exact tests against SciPy's, and which scores it judges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

import run_folders
from emorealm_results.compare import pairs, permutation_tests
from emorealm_tasks.metrics import TASKS

SIZES = (972, 1024, 456, 820, 728)
"""Questions of EmoReAlM's tasks (paper, Table 1)."""
RIGHT = {"official": False, "official_lenient": False}


def paired(task, before, after, clips, part="full"):
    """Two runs' answers to one task, right or wrong."""
    runs = []
    for right in (before, after):
        rows = [run_folders.record(task, number) for number in range(len(right))]
        runs.append(tuple(
            row | {"clip": f"{clip}.mp4", "strict": row["gold"] if hit else "B" if row["gold"] == "A" else "A"}
            for row, hit, clip in zip(rows, right, clips, strict=True)
        ))  # fmt: skip
    return pairs.Pair(f"emorealm_{task}", pairs.QUESTIONS, "emorealm", part, task, *runs, (), ())


def test_losses_of_single_questions_are_mcnemars_test():
    lost = [1] * 12 + [-1] * 4 + [0] * 900
    assert permutation_tests.sign_flip_p(lost) == pytest.approx(binomtest(12, 16, alternative="greater").pvalue)
    assert permutation_tests.sign_flip_p([1] * 4 + [0] * 968) == 1 / 16  # two-sided 0.125
    assert permutation_tests.sign_flip_p([0, 0]) == permutation_tests.sign_flip_p([]) == 1


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=9))
def test_losses_of_clips_are_scipys_permutation_test(losses):
    """Exact in both: SciPy tries all signs where there are few."""
    array = np.array(losses)
    theirs = permutation_test(
        (array, np.zeros_like(array)), lambda a, b, axis: (a - b).sum(axis=axis), permutation_type="samples",
        vectorized=True, alternative="greater", n_resamples=np.inf,
    )  # fmt: skip
    assert permutation_tests.sign_flip_p(losses) == pytest.approx(theirs.pvalue)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 4)), min_size=4, max_size=12))
def test_swapping_clips_gives_accuracy_the_exact_p(answers):
    before, after, clips = zip(*answers, strict=True)
    pair = paired(TASKS[0], before, after, clips)
    assert permutation_tests._swap_p(pair, "accuracy", "strict", 9999) == pytest.approx(
        permutation_tests.p_of_loss(pair, "accuracy", "strict")
    )


def test_holm_by_hand():
    assert permutation_tests.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert permutation_tests.holm([0.5, 0.001]) == pytest.approx([0.5, 0.002])
    assert permutation_tests.holm([]) == []


def test_what_is_judged_is_what_the_paper_prints():
    right = [True] * 4
    assert permutation_tests.primary(paired(TASKS[0], right, right, range(4))) == ("accuracy", "f1")
    assert permutation_tests.primary(paired(TASKS[1], right, right, range(4))) == ("accuracy",)
    assert permutation_tests.primary(paired(TASKS[1], right, right, range(4), "blind")) == ()


def test_a_trade_of_yes_for_no_at_equal_accuracy_is_seen_in_f1():
    """30 no's lost, 30 yes's gained: accuracy stands, F1 falls."""
    gold_yes = np.arange(200) % 2 == 0
    before = np.where(gold_yes, np.arange(200) >= 60, True)
    after = np.where(gold_yes, True, np.arange(200) >= 60)
    worse = np.where(gold_yes, True, np.arange(200) >= 90)
    balanced = np.where(gold_yes, np.arange(200) >= 46, np.arange(200) >= 44)
    pair = paired(TASKS[0], balanced, worse, range(200))
    assert before.sum() == after.sum()
    assert permutation_tests.p_of_loss(pair, "accuracy", "strict") > 0.05
    assert permutation_tests.p_of_loss(pair, "f1", "strict") < 0.05
    assert (
        permutation_tests.p_of_loss(paired(TASKS[0], before, after, range(200)), "f1", "strict") > 0.1
    )  # mirrored: F1 stands


def clip_losses(random, n, per_clip, flips=0.04, loss=0.0):
    """Right answers lost, a clip each: a share of answers flips, to either side alike, and a share is lost besides.

    With several questions a clip, they flip together in half of the clips that flip.
    """
    clips = int(n / per_clip)
    clip_of = np.concatenate([np.arange(clips), random.integers(clips, size=n - clips)])
    kind = random.random(n)
    together = random.random(clips) < 0.5
    kind = np.where(together[clip_of], random.random(clips)[clip_of], kind)
    change = np.where(kind < flips / 2, 1, np.where(kind < flips, -1, 0))
    change = np.where(random.random(n) < loss, 1, change)
    return np.bincount(clip_of, weights=change, minlength=clips).astype(int).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("per_clip", [1, 1.5])
def test_runs_that_differ_by_chance_raise_a_false_alarm_in_five_percent_at_most(per_clip):
    random = np.random.default_rng(0)
    times = 1500
    alarms = sum(
        min(permutation_tests.holm([permutation_tests.sign_flip_p(clip_losses(random, n, per_clip)) for n in SIZES]))
        <= permutation_tests.LEVEL
        for _ in range(times)
    )
    assert alarms / times <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / times)
    assert alarms / times > 0.01  # and it is no dead gate


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(SIZES)))
def test_a_loss_of_the_size_that_is_named_is_found_with_the_power_that_is_named(place):
    random = np.random.default_rng(1)
    n, times, flips = SIZES[place], 400, 0.04
    loss = 0.03
    for _ in range(20):  # a loss adds to the flips it is seen among
        error = 100 * np.sqrt((flips + loss - loss**2) / n)
        loss = permutation_tests.found_from(error, 100 / n, len(SIZES)) / 100
    hits = 0
    for _ in range(times):
        chances = [
            permutation_tests.sign_flip_p(clip_losses(random, m, 1, flips, loss * (i == place)))
            for i, m in enumerate(SIZES)
        ]
        hits += permutation_tests.holm(chances)[place] <= permutation_tests.LEVEL
    assert hits / times >= permutation_tests.POWER - 2 * np.sqrt(0.16 / times)
