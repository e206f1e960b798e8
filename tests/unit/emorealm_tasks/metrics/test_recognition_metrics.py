"""Emotion recognition's scores are scikit-learn's, in both readings, and so are their resamples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from emorealm_tasks import metrics
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.metrics import recognition

LABELS = list(EMOTIONS[:5])
reply = st.sampled_from([*LABELS, ""])
replies = st.lists(st.tuples(st.sampled_from(LABELS), reply, reply, st.booleans()), min_size=1, max_size=40)


def make(rows):
    """Records of (gold, strict, official, failed) rows; a failed request has no class."""
    return [
        {"id": str(n), "clip": str(n), "labels": LABELS, "gold": gold, "error": "failed" if failed else "",
         "strict": "" if failed else strict, "official": "" if failed else official}
        for n, (gold, strict, official, failed) in enumerate(rows)
    ]  # fmt: skip


@given(replies)
def test_strict_is_scikit_learn_over_the_classes_with_a_gold_sample(rows):
    records = make(rows)
    gold, read = [r["gold"] for r in records], [r["strict"] or "none" for r in records]
    present = sorted(set(gold))
    scores = recognition.scores(records, "strict")
    assert scores["uar"] == pytest.approx(100 * recall_score(gold, read, labels=present, average="macro"))
    assert scores["war"] == pytest.approx(100 * accuracy_score(gold, read))
    assert scores["weighted_f1"] == pytest.approx(
        100 * f1_score(gold, read, labels=present, average="weighted", zero_division=0)
    )
    recalls = recall_score(gold, read, labels=present, average=None)
    assert {name: value for name, value in scores.items() if name.startswith("recall")} == pytest.approx(
        {f"recall_{label}": 100 * value for label, value in zip(present, recalls, strict=True)}
    )
    ours = metrics.recall_scores(gold, [r["strict"] or None for r in records], LABELS)
    assert (scores["uar"], scores["war"]) == pytest.approx((ours["uar"], ours["war"]))
    assert scores["weighted_f1"] == pytest.approx(metrics.weighted_f1(gold, read, LABELS))


@given(replies)
def test_official_is_scikit_learn_over_gold_and_read_classes_without_dropped_rows(rows):
    records = make(rows)
    kept = [r for r in records if r["official"] or r["error"]]
    scores = recognition.scores(records, "official")
    if not kept:
        assert all(scores[name] is None for name in recognition.AVERAGES)
        return
    gold, read = [r["gold"] for r in kept], [r["official"] or "none" for r in kept]
    union = sorted({*gold, *read} - {"none"})
    assert scores["uar"] == pytest.approx(
        100 * recall_score(gold, read, labels=union, average="macro", zero_division=0)
    )
    assert scores["war"] == pytest.approx(100 * accuracy_score(gold, read))
    assert scores["weighted_f1"] == pytest.approx(
        100 * f1_score(gold, read, labels=union, average="weighted", zero_division=0)
    )


@given(replies, st.integers(0, 2**20))
def test_a_resample_scores_as_if_its_records_were_repeated(rows, seed):
    records = make(rows)
    weights = np.random.default_rng(seed).multinomial(len(records), np.full(len(records), 1 / len(records)))
    repeated = [record for record, times in zip(records, weights, strict=True) for _ in range(times)]
    for reading in recognition.READINGS:
        names, function = recognition.score_function(records, reading)
        resampled = dict(zip(names, function(weights[None].astype(float))[0], strict=True))
        direct = recognition.scores(repeated, reading)
        missed = {r["gold"] for r in records} != {r["gold"] for r in repeated}
        for name in ("war", "weighted_f1", *(() if reading == "strict" and missed else ("uar",))):
            expected = np.nan if direct[name] is None else direct[name]
            assert resampled[name] == pytest.approx(expected, nan_ok=True), (reading, name)
        assert np.isnan(resampled["uar"]) or not (reading == "strict" and missed)


@given(replies)
def test_the_confusion_matrix_is_scikit_learns(rows):
    records = make(rows)
    matrix = recognition.confusion(records, "strict")
    whole = confusion_matrix([r["gold"] for r in records], [r["strict"] for r in records], labels=[*LABELS, ""])
    present = [label for label in LABELS if label in matrix]
    assert {r["gold"] for r in records} == set(present)
    for label in present:
        assert list(matrix[label].values()) == whole[LABELS.index(label)].tolist()


def test_counts_tell_unparsed_from_failed_and_dropped():
    rows = [("anger", "", "anger", False), ("anger", "anger", "", False), ("fear", "", "", True)]
    records = [record | {"labels": EMOTIONS} for record in make(rows)]
    counts = recognition.counts(records)
    assert (counts["n"], counts["unparsed"], counts["errors"], counts["dropped"]) == (3, 1, 1, 1)
    assert counts["unparsed_rate"] == pytest.approx(100 / 3)
    assert counts["by_class"]["anger"] == 2
    assert counts["by_class"]["surprise"] == 0


def test_the_papers_averages_follow_from_its_class_recalls_and_dfews_counts():
    """Table 15's WAR is its recalls weighted by the first fold's class counts: Emotion-LLaMA's row."""
    from emorealm_tasks.benchmarks.dfew import TEST_FOLDS

    recalls = dict(zip(EMOTIONS, (71.98, 76.25, 61.99, 71.95, 33.67, 0.0, 3.31), strict=True))
    records = []
    for emotion, count in zip(EMOTIONS, TEST_FOLDS[1], strict=True):
        right = round(recalls[emotion] * count / 100)
        records += [(emotion, emotion)] * right + [(emotion, "")] * (count - right)
    records = [
        {"id": str(n), "clip": str(n), "labels": EMOTIONS, "gold": gold, "strict": read, "official": read, "error": ""}
        for n, (gold, read) in enumerate(records)
    ]
    scores = recognition.scores(records, "strict")
    assert scores["uar"] == pytest.approx(45.59, abs=0.01)
    assert scores["war"] == pytest.approx(59.37, abs=0.01)


def test_intervals_hold_their_score_and_unparsed_replies():
    rows = [("anger", "anger" if n % 3 else "", "anger", False) for n in range(30)] + [
        ("sadness", "anger", "", False)
    ] * 20
    records = make(rows)
    bounds = recognition.score_intervals(records, "strict")
    for name, value in recognition.scores(records, "strict").items():
        assert bounds[name][0] <= value <= bounds[name][1]
    assert bounds["unparsed_rate"][0] < 20 < bounds["unparsed_rate"][1]
    assert bounds == recognition.score_intervals(records, "strict")


def test_near_100_the_official_interval_is_as_wide_as_the_strict_one():
    """A bootstrap of right answers alone says [100, 100]. A class that replies alone name counts as 0."""
    right = [("anger", "anger", "anger", False), ("sadness", "sadness", "sadness", False)]
    strict, official = (recognition.score_intervals(make(right), reading)["uar"] for reading in ("strict", "official"))
    assert strict == official
    assert official[0] < 60
    other = make([*right, ("anger", "anger", "disgust", False)])
    low, high = recognition.score_intervals(other, "official")["uar"]
    assert low <= recognition.scores(other, "official")["uar"] <= high


def test_wrong_calls_are_refused():
    records = make([("anger", "anger", "anger", False)])
    with pytest.raises(ValueError, match="lenient"):
        recognition.scores(records, "lenient")
    with pytest.raises(ValueError, match="fear"):
        recognition.scores([record | {"gold": "fear"} for record in records], "strict")
    assert recognition.scores([], "strict") == {"uar": None, "war": None, "weighted_f1": None}


def test_a_class_whose_replies_are_all_dropped_keeps_its_place_without_a_score():
    """So that two runs on the same clips have the same scores."""
    records = make([(LABELS[0], LABELS[0], LABELS[0], False), (LABELS[1], LABELS[1], "", False)])
    scores = recognition.scores(records, "official")
    assert list(scores) == [*recognition.AVERAGES, f"recall_{LABELS[0]}", f"recall_{LABELS[1]}"]
    assert (scores["uar"], scores["war"], scores[f"recall_{LABELS[1]}"]) == (100, 100, None)
