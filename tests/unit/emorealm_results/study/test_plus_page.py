"""What results/mini/README.md says of AVEm-plus is what its trials and the second study measured."""

import json
from pathlib import Path
from statistics import fmean

import pytest

MINI = Path(__file__).resolve().parents[4] / "results/mini"
ROWS = {
    "base": "base",
    "AVEm-DPO, as printed": "AVEm-DPO",
    "without TPD": "w/o TPD",
    "and cross-entropy 1: AVEm-plus": "cross-entropy 1",
    "cross-entropy 0.5, and the penalty's sign": "cross-entropy 0.5, penalty",
    "cross-entropy 0.5, and the printed sign": "cross-entropy 0.5, printed",
    "cross-entropy 0.5, and clips that differ in one cue": "cross-entropy 0.5, one cue, both ways",
}
SCORES = ("basic", "agree", "stress", "spur", "hall", "accuracy")


def section(title):
    """The text of a part of the page."""
    page = (MINI / "README.md").read_text(encoding="utf-8")
    return page.partition(f"### {title}\n")[2].partition("\n### ")[0]


@pytest.fixture(scope="module")
def measured():
    """Row -> its run's record."""
    study = json.loads((MINI / "plus/study_validation.json").read_text())
    return {row["name"]: study["runs"][row["runs"][0]] for row in study["sections"]["towards_plus"]}


@pytest.mark.parametrize("written", ROWS)
def test_a_row_is_the_trials(measured, written):
    page = section("On the validation world, where it was found")
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {written} |")]
    *shown, logps = [cell.strip() for cell in line.strip("|").split("|")][1:]
    run = measured[ROWS[written]]
    scores = run["scores"]["full"]["strict"]["group"]
    assert shown == [f"{scores[name]:.1f}" for name in SCORES]
    if logps:
        assert logps == ", ".join(f"{value:.1f}" for value in run["log"]["logps/chosen"].values())


@pytest.fixture(scope="module")
def second():
    """Row -> its runs' records in the second study."""
    study = json.loads((MINI / "study_2.json").read_text())
    return {row["name"]: [study["runs"][key] for key in row["runs"]] for row in study["sections"]["objectives"]}


def test_the_second_study_is_whole(second):
    assert [len(runs) for runs in second.values()] == [1, 1, 1, *[8] * 13]
    assert all("failed" not in run for runs in second.values() for run in runs)


def test_the_page_has_the_means_of_the_second_study(second):
    page = section("On the test world")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:2] == "| "]
    shown = {name: values for name, *values in cells if name in second}
    assert shown.keys() == second.keys()
    for name, runs in second.items():
        scores = [run["scores"]["full"]["strict"]["group"] for run in runs]
        assert shown[name][:6] == [f"{fmean(one[score] for one in scores):.1f}" for score in SCORES], name
        if len(runs) > 1:
            accuracies = [one["accuracy"] for one in scores]
            assert shown[name][6] == f"{min(accuracies):.1f}, {max(accuracies):.1f}", name
            assert shown[name][7] == f"{fmean(run['log']['logps/chosen']['last'] for run in runs):.1f}", name


def test_the_shipped_recipe_is_the_setting_that_was_tried(measured):
    from avem_train import config
    from avem_train.objectives import Objective

    recipe = config.read("avem_plus", [])["objective"]
    tried = measured["cross-entropy 1"]["settings"]["objective"]
    assert vars(Objective(**recipe)) == tried


def test_the_page_has_what_noise_taught():
    study = json.loads((MINI / "noise/study_validation.json").read_text())
    runs = {row["name"]: study["runs"][row["runs"][0]] for row in study["sections"]["noise"]}
    alternatives = {"none": "no rejected media", "a clip of another emotion": "another emotion"}
    page = section("Noise as the rejected clip, by how much of it")
    lines = [line for line in page.splitlines() if line.startswith(("| n", "| r", "| a")) and "---" not in line]
    for name, _, *cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]):
        row = alternatives.get(name, name.replace(", step", ""))
        plus, mod = runs[f"AVEm-plus, {row}"], runs.get(f"MoD-DPO (derived), {row}")
        told = [f"{plus['log']['accuracies/media']['last']:.2f}" if "accuracies/media" in plus["log"] else ""]
        for run, scores in ((plus, ("agree", "spur", "hall")), (mod, ("stress", "spur"))):
            found = run["scores"]["full"]["strict"]["group"] if run else {}
            told += [f"{found[score]:.1f}" if run else "" for score in scores]
        assert cells == told, name
    assert len(lines) == 9
