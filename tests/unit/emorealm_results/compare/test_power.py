"""Questions needed and differences shown, against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

import run_folders
from emorealm_results import cli
from emorealm_results.compare import power
from emorealm_tasks.metrics import TASKS


def draw(first, second, correlation, shape, random):
    """Right/wrong answers of two models with these means and this correlation."""
    both = first * second + correlation * math.sqrt(first * (1 - first) * second * (1 - second))
    kind = random.choice(4, size=shape, p=[both, first - both, second - both, 1 - first - second + both])
    return kind < 2, (kind == 0) | (kind == 2)


@pytest.mark.parametrize(("accuracy", "difference", "correlation"), [(0.6, 0.05, 0.5), (0.8, 0.04, 0.2), (0.5, 0.1, 0)])
def test_the_questions_asked_for_show_the_difference_as_often_as_promised(accuracy, difference, correlation):
    n = power.questions(power.Design(accuracy, correlation), difference)
    random = np.random.default_rng(0)
    first, second = draw(accuracy, accuracy + difference, correlation, (2000, n), random)
    gaps = second.astype(float) - first
    z = gaps.mean(axis=1) / (gaps.std(axis=1) / math.sqrt(n))
    assert np.mean(np.abs(z) > norm.ppf(0.975)) == pytest.approx(0.8, abs=0.03)


@given(st.floats(0.2, 0.8), st.floats(0, 0.7), st.integers(50, 5000))
def test_what_n_questions_show_needs_about_n_questions(accuracy, correlation, n):
    design = power.Design(accuracy, correlation)
    gain = power.detectable(design, n)
    if math.isnan(gain):
        return
    low, high = power.possible_correlations(accuracy, accuracy + gain)
    if low < correlation < high:
        assert power.questions(design, gain) == pytest.approx(n, rel=0.01, abs=1)


def test_correlation_saves_questions_and_clips_cost_them():
    alone = power.questions(power.Design(0.6, 0.0), 0.05)
    assert power.questions(power.Design(0.6, 0.5), 0.05) < 0.55 * alone
    assert power.questions(power.Design(0.6, 0.0, per_clip=3, icc=0.5), 0.05) == pytest.approx(2 * alone, abs=1)


def test_impossible_wishes_end_in_one_line(capsys):
    for arguments, words in [
        (["--difference", "50"], "60% and 110%"),
        (["--difference", "30", "--correlation", "0.9"], "can correlate between"),
        (["--power", "1"], "--power must lie"),
        (["--correlation", "1"], "--correlation lies"),
    ]:
        with pytest.raises(SystemExit) as error:
            cli.main(["power", *arguments])
        assert error.value.code == 2
        assert words in capsys.readouterr().err


def test_the_benchmarks_sizes_come_from_the_paper(capsys):
    assert cli.main(["power", "--difference", "3"]) == 0
    said = capsys.readouterr().out
    assert "needs 2,064 questions" in said
    assert "| reasoning_basic_video  | 1024 " in said


def test_accuracy_and_correlation_can_be_measured(tmp_path, capsys):
    runs = []
    for name, wrong in (("a", range(16)), ("b", range(8, 20))):
        rows = [run_folders.record(TASKS[0], number) for number in range(40)]
        for number in wrong:
            rows[number]["raw"] = "AB"[number % 2 == 0]
        runs.append(str(run_folders.write(tmp_path / name, {f"emorealm_mini_{TASKS[0]}": rows})))
    assert cli.main(["power", "--runs", *runs]) == 0
    a, b = np.ones(40), np.ones(40)
    a[:16], b[8:20] = 0, 0
    assert f"60.0%, correlation {np.corrcoef(a, b)[0, 1]:.2f}" in capsys.readouterr().out


def measured(folder, clip_of, parts=("",), clips=200, seed=0):
    """The design of two runs about `clips` clips of two questions, whose answers agree within a clip."""
    random = np.random.default_rng(seed)
    sides = [random.random(clips) < 0.6 for _ in "ab"]
    runs = []
    for name, side in zip("ab", sides, strict=True):
        rows = [run_folders.record(TASKS[0], number) for number in range(2 * clips)]
        for number, row in enumerate(rows):
            row["clip"] = f"{clip_of(number)}.mp4"
            if not side[number // 2]:
                row["raw"] = "AB"[number % 2 == 0]
        tasks = {f"emorealm_mini_{part}{TASKS[0]}": rows if not part else [row | {"raw": "A"} for row in rows]
                 for part in parts}  # fmt: skip
        runs.append(run_folders.write(folder / name, tasks))
    return power.measured(*runs)


def test_floors_are_no_part_of_what_is_measured(tmp_path):
    full = measured(tmp_path / "full", lambda number: number // 2)
    assert measured(tmp_path / "both", lambda number: number // 2, ("", "blind_", "shuffled_")) == full
    with pytest.raises(SystemExit):
        measured(tmp_path / "floors", lambda number: number, ("blind_",))


def test_the_design_effect_is_the_runs(tmp_path, capsys):
    """Both questions of a clip are right or wrong together: half as many clips stand for as many questions."""
    together = measured(tmp_path / "together", lambda number: number // 2)
    assert (together.per_clip, together.icc) == (2, pytest.approx(1, abs=0.02))
    apart = measured(tmp_path / "apart", lambda number: number)
    assert (apart.per_clip, apart.icc) == (1, 0)
    assert power.questions(together, 0.05) == pytest.approx(2 * power.questions(apart, 0.05), rel=0.03)
    runs = [str(tmp_path / "together" / name) for name in "ab"]
    assert cli.main(["power", "--runs", *runs]) == 0
    assert "2 question(s) a clip correlated by 1." in capsys.readouterr().out
    assert cli.main(["power", "--runs", *runs, "--icc", "0.25"]) == 0
    assert "correlated by 0.25." in capsys.readouterr().out
