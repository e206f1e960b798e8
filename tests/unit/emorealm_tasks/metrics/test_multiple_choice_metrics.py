"""Scores against scikit-learn, against hand-made cases, and their rules for what is undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from emorealm_tasks import metrics
from emorealm_tasks.emotions import EMOTIONS

YES_NO = ["(A) Yes", "(B) No"]


def record(task="modality_agreement", gold="A", strict="A", clip="part_1/1.mp4", **more):
    right = strict == gold
    return {"id": "x", "clip": clip, "task": task, "subtask": "", "gold": gold, "choices": YES_NO, "raw": strict,
            "official": right, "official_lenient": right, "strict": strict, "error": "", **more}  # fmt: skip


answers = st.lists(st.tuples(st.sampled_from(EMOTIONS), st.sampled_from([*EMOTIONS, None])), min_size=1, max_size=40)


@given(answers)
def test_recalls_and_weighted_f1_equal_scikit_learn(pairs):
    gold, predicted = zip(*pairs, strict=True)
    theirs = [word or "none" for word in predicted]
    present = sorted(set(gold))
    scores = metrics.recall_scores(gold, predicted, EMOTIONS)
    kwargs = {"labels": present, "average": None, "zero_division": 0}
    recalls = dict(zip(present, 100 * recall_score(gold, theirs, **kwargs), strict=True))
    assert scores["recall"] == pytest.approx(recalls)
    assert scores["uar"] == pytest.approx(100 * recall_score(gold, theirs, **kwargs | {"average": "macro"}))
    assert scores["war"] == pytest.approx(100 * accuracy_score(gold, theirs))
    expected = f1_score(gold, theirs, labels=EMOTIONS, average="weighted", zero_division=0)
    assert metrics.weighted_f1(gold, predicted, EMOTIONS) == pytest.approx(100 * expected)


yes_no = st.lists(st.tuples(st.sampled_from(["yes", "no"]), st.sampled_from(["yes", "no", None])), min_size=1)


@given(yes_no)
def test_yes_no_scores_equal_scikit_learn(pairs):
    gold, predicted = zip(*pairs, strict=True)
    scores = metrics.yes_no_scores(gold, [g == p for g, p in pairs], predicted)
    said = [word or "none" for word in predicted]
    assert scores["accuracy"] == pytest.approx(100 * accuracy_score(gold, said))
    for name, word in (("precision", "yes"), ("recall", "no")):
        expected = 100 * recall_score(gold, said, labels=[word], average="macro") if word in gold else None
        assert scores[name] == (expected if expected is None else pytest.approx(expected))
    assert scores["yes_rate"] == pytest.approx(100 * np.mean([word == "yes" for word in predicted]))


def test_yes_no_scores_by_hand():
    scores = metrics.yes_no_scores(["yes", "yes", "no", "no"], [True, False, False, False], ["yes", "no", "yes", None])
    assert scores == {"accuracy": 25, "precision": 50, "recall": 0, "f1": 0, "yes_rate": 50}
    inferred = metrics.yes_no_scores(["yes", "yes", "no", "no"], [True, False, False, True])
    assert inferred == {"accuracy": 50, "precision": 50, "recall": 50, "f1": 50, "yes_rate": 50}


def test_f1_is_zero_where_both_are_zero_and_none_where_a_class_is_absent():
    assert metrics.yes_no_scores(["yes", "no"], [False, False])["f1"] == 0
    assert metrics.yes_no_scores(["yes"], [False])["f1"] is None
    assert metrics.yes_no_scores([], []) == dict.fromkeys(("accuracy", *metrics.YES_NO_SCORES))


def test_lists_of_other_words_or_lengths_are_refused():
    with pytest.raises(ValueError, match="maybe"):
        metrics.yes_no_scores(["maybe"], [True])
    with pytest.raises(ValueError, match="length"):
        metrics.yes_no_scores(["yes"], [True, False])
    with pytest.raises(ValueError, match="joy"):
        metrics.recall_scores(["joy"], ["fear"], EMOTIONS)
    with pytest.raises(ValueError, match="strictly"):
        metrics.task_scores([record()], "strictly")


def test_unparsed_errors_and_wrong_are_three_counts():
    rows = [record(), record(strict="B"), record(strict=""), record(strict="", error="timeout", clip="part_1/2.mp4")]
    scores = metrics.task_scores(rows, "strict")
    assert (scores["accuracy"], scores["unparsed"], scores["unparsed_rate"], scores["errors"]) == (25, 1, 25, 1)
    assert (scores["n"], scores["n_clips"]) == (4, 2)
    assert scores["yes_rate"] == 25


def test_the_yes_letter_comes_from_the_choices():
    rows = [record(choices=["(A) No", "(B) Yes"], strict="B"), record(choices=YES_NO, strict="B")]
    scores = metrics.task_scores(rows, "strict")
    assert scores["yes_rate"] == 50  # letter B twice: yes, then no
    assert (scores["precision"], scores["recall"]) == (0, 0)


def test_a_basic_task_has_no_yes_no_scores():
    choices = ["(A) tears", "(B) a smile", "(C) a hat", "(D) no speech"]
    scores = metrics.task_scores([record("reasoning_basic_audio", choices=choices)], "official")
    assert scores["accuracy"] == 100
    assert not set(metrics.YES_NO_SCORES) & set(scores)


def all_tasks():
    """Accuracies 100, 100, 0, 50, 25; stress F1 50 (audio) and 0 (video: 50 and 0); every sub-task with its own."""
    four = ["(A) x", "(B) y", "(C) z", "(D) w"]
    audio, video = "reasoning_stress_audio", "reasoning_stress_video"
    return [
        record("modality_agreement"), record("modality_agreement", "B", "B"),
        record("reasoning_basic_audio", choices=four), record("reasoning_basic_video", strict="B", choices=four),
        record(audio, "A", "A", subtask="no_hallucination"), record(audio, "A", "B", subtask="no_hallucination"),
        record(audio, "B", "B", subtask="spurious"), record(audio, "B", "A", subtask="hallucination"),
        record(video, "A", "A", subtask="no_hallucination"), record(video, "A", "B", subtask="no_hallucination"),
        record(video, "B", "A", subtask="spurious"), record(video, "B", "A", subtask="hallucination"),
    ]  # fmt: skip


def test_group_scores_follow_the_papers_ablation_setup():
    scores = metrics.group_scores(all_tasks())
    assert scores == {"accuracy": 55, "basic": 50, "agree": 100, "stress": 25, "spur": 50, "hall": 0}
    assert metrics.ablation_columns(all_tasks()) == {k: v for k, v in scores.items() if k != "accuracy"}
    stress = metrics.task_scores([r for r in all_tasks() if r["task"] == "reasoning_stress_audio"], "strict")
    assert (stress["no_hallucination"], stress["spurious"], stress["hallucination"]) == (50, 100, 0)


def test_a_missing_task_or_subtask_makes_its_columns_undefined():
    without = [r for r in all_tasks() if r["task"] != "reasoning_basic_audio"]
    assert metrics.group_scores(without) | {"agree": 1} == {
        "accuracy": None, "basic": None, "agree": 1, "stress": 25, "spur": 50, "hall": 0,
    }  # fmt: skip
    nameless = [r | {"subtask": ""} for r in all_tasks()]
    assert metrics.ablation_columns(nameless)["hall"] is None
    assert metrics.ablation_columns(nameless)["stress"] == 25
