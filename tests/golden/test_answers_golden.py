"""The two official readings and their scores equal the released evaluation's own output, item by item."""

import json
from pathlib import Path

import pytest

from emorealm_tasks import metrics
from emorealm_tasks.answers import choose_option, is_correct
from emorealm_tasks.answers.choices import split_choice

GOLDEN = json.loads((Path(__file__).parent / "data" / "metrics_dev.json").read_text())
MODES = {"official": "use_parse_answer_false", "official_lenient": "use_parse_answer_true"}


def records(case=GOLDEN):
    made = []
    for item in case["items"]:
        if (reply := case["predictions"].get(item["id"])) is None:
            continue  # the released code leaves items without a prediction out of the denominator
        readings = {mode: is_correct(reply, item["answer"], item["choices"], mode) for mode in MODES}
        strict = choose_option(reply, item["choices"], "strict") or ""
        made.append({
            "id": item["id"], "task": item["task"], "clip": item["video"], "subtask": "", "gold": item["answer"],
            "choices": item["choices"], "raw": reply, "strict": strict, "error": "", **readings,
        })  # fmt: skip
    return made


@pytest.mark.parametrize(("column", "mode"), list(enumerate(MODES)))
def test_every_item(column, mode):
    items = {item["id"]: item for item in GOLDEN["items"]}
    assert GOLDEN["per_item"].keys() == GOLDEN["predictions"].keys()
    for name, reply in GOLDEN["predictions"].items():
        read = is_correct(reply, items[name]["answer"], items[name]["choices"], mode)
        assert read == GOLDEN["per_item"][name][column], (name, reply)


@pytest.mark.parametrize("mode", MODES)
def test_every_score(mode):
    theirs = GOLDEN["outputs"][MODES[mode]]
    names = {"accuracy": "overall_accuracy", "precision": "precision", "recall": "recall", "f1": "f1_score",
             "yes_rate": "model_yes_percentage"}  # fmt: skip
    checked = 1
    for task in metrics.TASKS:
        scores = metrics.task_scores([r for r in records() if r["task"] == task], mode)
        for ours, name in names.items():
            if f"{task}_{name}" in theirs:
                assert scores[ours] == pytest.approx(theirs[f"{task}_{name}"])
                checked += 1
    assert metrics.group_scores(records(), mode)["accuracy"] == pytest.approx(theirs["average_accuracy"])
    assert checked == len(theirs)


def test_yes_no_scores_from_lists():
    task = [r for r in records() if r["task"] == "modality_agreement"]
    gold = ["yes" if "yes" in dict(map(split_choice, r["choices"]))[r["gold"]].lower() else "no" for r in task]
    scores = metrics.yes_no_scores(gold, [r["official"] for r in task])
    theirs = GOLDEN["outputs"]["use_parse_answer_false"]
    assert scores["f1"] == pytest.approx(theirs["modality_agreement_f1_score"])
    assert scores["yes_rate"] == pytest.approx(theirs["modality_agreement_model_yes_percentage"])


def test_all_wrong_is_zero_where_the_released_code_divides_by_zero():
    scores = metrics.task_scores(records(GOLDEN["edge_cases"]["all_wrong_yes_no"]), "official")
    assert (scores["precision"], scores["recall"], scores["f1"]) == (0, 0, 0)


def test_no_predictions_are_undefined_not_an_error():
    assert metrics.task_scores([], "official")["accuracy"] is None
