"""Agreement of judges: scikit-learn's kappa, the interval's formula, and people's scores from a CSV."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

import run_folders
from emorealm_results import cli
from emorealm_results.runs import judge_agreement
from emorealm_tasks.metrics.description import CRITERIA
from judged_records import record

PAIRS = st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=2, max_size=30)


def scores(values):
    return {str(n): dict.fromkeys(CRITERIA, value) for n, value in enumerate(values)}


@settings(max_examples=30)
@given(PAIRS)
def test_the_interval_s_formula_is_scikit_learn_s_kappa(pairs):
    a, b = np.array(pairs, dtype=float).T
    ours = judge_agreement.quadratic(np.ones((1, len(a))), a, b)[0]
    if np.isnan(ours):
        assert len(set(a) | set(b)) == 1
    else:
        assert ours == pytest.approx(cohen_kappa_score(a, b, labels=list(range(1, 11)), weights="quadratic"))


def test_kappa_by_hand():
    # observed: mean (a - b)^2 = (0 + 1 + 0 + 1) / 4 = 0.5; variances 1.25 and 0.75, means 2.5 and 2.5
    # kappa = 1 - 0.5 / (1.25 + 0.75) = 0.75
    a, b = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 3, 3])
    assert judge_agreement.quadratic(np.ones((1, 4)), a, b)[0] == pytest.approx(0.75)


def test_scores_that_nobody_gave_count_as_distance():
    a, b = [1, 2, 1, 9], [9, 1, 1, 9]  # 3 to 8 are never given, and yet 1 and 9 are eight apart
    expected = judge_agreement.quadratic(np.ones((1, 4)), np.array(a, float), np.array(b, float))[0]
    assert judge_agreement.compare(scores(a), scores(b))["clue"]["kappa"] == pytest.approx(expected)


def test_only_clips_that_both_judged_are_compared():
    found = judge_agreement.compare(scores([1, 5, 9, 7]), scores([1, 6, 9]))["clue"]
    assert (found["n"], found["near"], found["higher_by"]) == (3, 100, pytest.approx(1 / 3))
    assert found["equal"] == pytest.approx(200 / 3)
    assert found["low"] <= found["kappa"] <= found["high"]
    assert judge_agreement.compare(scores([5, 5]), scores([5, 5]))["clue"]["kappa"] is None
    assert judge_agreement.compare(scores([1]), {}) == {}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    rows = [record(n, big=1 + n % 10, small=1 + (n + n % 2) % 10) for n in range(12)]
    return run_folders.write(tmp_path / "run", {"emer": rows})


def test_the_command_compares_the_judges_of_a_run_and_people(run, tmp_path, capsys):
    out = tmp_path / "agreement.json"
    assert cli.main(["judge-agreement", str(run), "--json", str(out)]) == 0
    assert "| big, small | clue overlap" in capsys.readouterr().out
    assert json.loads(out.read_text())["emer"]["big, small"]["label"]["n"] == 12
    people = tmp_path / "people.csv"
    people.write_text("id,clue,label,spurious,halluc\n" + "".join(f"s{n},{1 + n},5,5,5\n" for n in range(8)))
    assert cli.main(["judge-agreement", str(run), "--human", str(people), "--json", str(out)]) == 0
    found = json.loads(out.read_text())["emer"]
    assert set(found) == {"people, big", "people, small"}
    assert found["people, big"]["clue"]["kappa"] == 1
    assert found["people, big"]["clue"]["n"] == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,clue,label,spurious\ns1,1,1,1\n", "lacks the column(s) halluc"),
        ("id,clue,label,spurious,halluc\ns1,1,11,1,1\n", "line 2: label is '11'"),
        ("id,clue,label,spurious,halluc\ns1,1,2.5,1,1\n", "label is '2.5'"),
        ("id,clue,label,spurious,halluc\ns1,1,1,1,1\ns1,1,1,1,1\n", "'s1' is scored twice"),
        ("id,clue,label,spurious,halluc\nother,1,1,1,1\n", "nothing to compare"),
    ],
)
def test_people_s_scores_that_cannot_be_used_are_named(run, tmp_path, capsys, text, said):
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(SystemExit):
        cli.main(["judge-agreement", str(run), "--human", str(path)])
    assert said in capsys.readouterr().err


def test_an_unknown_judge_is_named(run, capsys):
    with pytest.raises(SystemExit):
        cli.main(["judge-agreement", str(run), "--judges", "big", "gpt-9"])
    assert "no verdicts by gpt-9/prompt-1; there are verdicts by big, small" in capsys.readouterr().err


def test_a_run_of_descriptions_has_its_table(run, capsys):
    assert cli.main(["table", str(run), "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert "| big   | 12    |" in printed
    assert printed == (run / "table.md").read_text()
