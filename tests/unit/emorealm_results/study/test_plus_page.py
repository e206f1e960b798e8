"""What results/mini/README.md says of AVEm-plus is what its trials measured."""

import json
from pathlib import Path

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


@pytest.fixture(scope="module")
def measured():
    """Row -> its run's record."""
    study = json.loads((MINI / "plus/study_validation.json").read_text())
    return {row["name"]: study["runs"][row["runs"][0]] for row in study["sections"]["towards_plus"]}


@pytest.mark.parametrize("written", ROWS)
def test_a_row_is_the_trials(measured, written):
    page = (MINI / "README.md").read_text(encoding="utf-8").partition("and AVEm-plus\n")[2]
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {written} |")]
    *shown, logps = [cell.strip() for cell in line.strip("|").split("|")][1:]
    run = measured[ROWS[written]]
    scores = run["scores"]["full"]["strict"]["group"]
    assert shown == [f"{scores[name]:.1f}" for name in SCORES]
    if logps:
        assert logps == ", ".join(f"{value:.1f}" for value in run["log"]["logps/chosen"].values())


def test_the_shipped_recipe_is_the_setting_that_was_tried(measured):
    from avem_train import config
    from avem_train.objectives import Objective

    recipe = config.read("avem_plus", [])["objective"]
    tried = measured["cross-entropy 1"]["settings"]["objective"]
    assert vars(Objective(**recipe)) == tried
