"""Two runs on the same questions: paired differences, changed answers, and the gate built on them."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import judged_records
import recognition_runs
import run_folders
from emorealm_results import cli
from emorealm_results.compare import pairs, power
from emorealm_results.compare import report as compare
from emorealm_results.runs import recognition, saved
from emorealm_tasks.harness import request_settings
from emorealm_tasks.metrics import TASKS

READING = "strict"


def many(task, count=40, wrong=()):
    rows = [run_folders.record(task, number) for number in range(count)]
    for number in wrong:
        rows[number]["raw"] = "AB"[number % 2 == 0]
    return rows


def written(folder, wrong=(), count=40, tasks=TASKS, **more):
    return run_folders.write(folder, {f"emorealm_mini_{task}": many(task, count, wrong) for task in tasks}, **more)


def compared(first, second, reading=READING):
    return compare.compare(saved.load(first), saved.load(second), reading)


def test_a_run_against_itself_differs_nowhere(tmp_path):
    run = run_folders.write(tmp_path, run_folders.whole())
    report = compared(run, run)
    scores = [score for part in (*report["tasks"].values(),) for score in part["scores"].values()]
    scores += [score for group in report["groups"].values() for score in group.values()]
    assert len(scores) > 20
    assert all(score["difference"] == score["low"] == score["high"] == 0 for score in scores)
    assert report["changes"] == []
    assert {task["mcnemar"]["p"] for task in report["tasks"].values()} == {1.0}


def test_differences_equal_those_of_the_scores_and_lie_in_their_interval(tmp_path):
    first, second = written(tmp_path / "a", range(10)), written(tmp_path / "b", range(5, 12))
    task = compared(first, second)["tasks"]["emorealm_mini_modality_agreement"]
    accuracy = task["scores"]["accuracy"]
    assert (accuracy["first"], accuracy["second"], accuracy["difference"]) == (75, 82.5, 7.5)
    assert accuracy["low"] < 7.5 < accuracy["high"]
    assert task["mcnemar"] == {"only_first": 2, "only_second": 5, "p": pytest.approx(0.453125)}


def test_pairing_is_tighter_than_two_separate_intervals(tmp_path):
    first, second = written(tmp_path / "a", range(20)), written(tmp_path / "b", range(19))
    accuracy = compared(first, second)["tasks"]["emorealm_mini_modality_agreement"]["scores"]["accuracy"]
    assert accuracy["high"] - accuracy["low"] < 10  # separately: about 31 points each


def test_questions_of_a_clip_move_together(tmp_path):
    """Ten flips on one clip say less than ten flips on ten clips."""

    def width(folder, clip_of):
        runs = []
        for name, wrong in (("a", ()), ("b", range(10))):
            rows = many(TASKS[0], 40, wrong)
            for number, row in enumerate(rows):
                row["clip"] = clip_of(number)
            runs.append(run_folders.write(folder / name, {f"emorealm_mini_{TASKS[0]}": rows}))
        score = compared(*runs)["tasks"][f"emorealm_mini_{TASKS[0]}"]["scores"]["accuracy"]
        return score["high"] - score["low"]

    alone = width(tmp_path / "alone", lambda number: f"{number}.mp4")
    together = width(tmp_path / "together", lambda number: f"{number // 10}.mp4")
    assert together > 1.3 * alone


def test_changes_name_the_question_and_both_answers(tmp_path):
    first, second = written(tmp_path / "a", [0]), written(tmp_path / "b", [1])
    changes = compared(first, second)["changes"]
    assert len(changes) == 2 * len(TASKS)
    one = next(c for c in changes if c["id"] == "modality_agreement_0")
    assert (one["change"], one["gold"], one["first"], one["second"]) == ("gained", "A", "B", "A")
    assert next(c for c in changes if c["id"] == "modality_agreement_1")["change"] == "lost"


def test_unmatched_questions_are_counted_and_left_out(tmp_path, capsys):
    first, second = written(tmp_path / "a", count=12), written(tmp_path / "b", count=9)
    assert cli.main(["compare", str(first), str(second)]) == 0
    said = capsys.readouterr().out
    assert "3 question(s) only in the first, 0 only in the second" in said
    assert "| 9 / 9 " in said


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_mcnemar_is_symmetric_and_a_probability(answers):
    first, second = [a for a, _ in answers], [b for _, b in answers]
    there, back = pairs.mcnemar(first, second), pairs.mcnemar(second, first)
    assert 0 < there["p"] <= 1
    assert np.isclose(there["p"], back["p"])
    assert (there["only_first"], there["only_second"]) == (back["only_second"], back["only_first"])


def regress(first, second, *more):
    return cli.main(["regress", "--baseline", str(first), "--run", str(second), *more])


def test_no_regression_is_status_0(tmp_path, capsys):
    first, second = written(tmp_path / "a", range(10)), written(tmp_path / "b", range(9))
    assert regress(first, second, "--junit", str(tmp_path / "junit.xml")) == 0
    assert capsys.readouterr().out.startswith("# No regression")
    suites = ET.parse(tmp_path / "junit.xml").getroot()
    assert len(suites) == 6
    assert all(suite.get("failures") == "0" for suite in suites)


def test_a_fall_beyond_its_interval_is_status_1_and_says_which(tmp_path, capsys):
    first, second = written(tmp_path / "a", range(2)), written(tmp_path / "b", range(20))
    assert regress(first, second, "--junit", str(tmp_path / "junit.xml")) == 1
    said = capsys.readouterr().out
    assert "emorealm_mini_modality_agreement: accuracy went from 95.00 to 50.00, worse by 45.00" in said
    assert "18 right answers lost, 0 gained" in said
    failures = ET.parse(tmp_path / "junit.xml").getroot().findall(".//failure")
    assert any("accuracy went from 95.00" in failure.get("message") for failure in failures)
    assert regress(first, second, "--tolerance", "100") == 0


def test_a_fall_within_its_interval_passes_unless_exact(tmp_path):
    first, second = written(tmp_path / "a", range(5)), written(tmp_path / "b", range(6))
    assert regress(first, second) == 0
    assert regress(first, second, "--exact") == 1
    assert regress(first, second, "--exact", "--tolerance", "10", "--markdown", str(tmp_path / "s.md")) == 0
    assert (tmp_path / "s.md").read_text().startswith("# No regression")


def test_a_tolerance_belongs_to_its_score(tmp_path, capsys):
    first, second = written(tmp_path / "a", range(2)), written(tmp_path / "b", range(20))
    assert regress(first, second, "--tolerance", "100", "--tolerance", "accuracy=1") == 1
    said = capsys.readouterr().out
    assert said.count("worse by") > said.count(": f1 went") == 0


def test_more_unparsed_replies_are_a_loss_of_right_answers_and_reported(tmp_path, capsys):
    first = written(tmp_path / "a", tasks=TASKS[:1])
    rows = [row | {"raw": "Well."} for row in many(TASKS[0])]
    second = run_folders.write(tmp_path / "b", {f"emorealm_mini_{TASKS[0]}": rows})
    assert regress(first, second) == 1
    said = capsys.readouterr().out
    assert "accuracy went from 100.00 to 0.00, worse by 100.00" in said
    assert "+100.0 [+100.0, +100.0]" in said.split("Reported, not judged:")[1]
    assert regress(first, second, "--exact") == 1
    assert "unparsed_rate went from 0.00 to 100.00" in capsys.readouterr().out


def flipped(folder, lost, count, gained=0, part=""):
    """A baseline and a run of one task that lost and gained so many right answers."""
    task = TASKS[1]
    name = f"emorealm_mini_{part}{task}"
    before, after = many(task, count, range(lost, lost + gained)), many(task, count, range(lost))
    return [run_folders.write(folder / at, {name: rows}) for at, rows in (("a", before), ("b", after))]


def test_four_lost_of_972_may_be_chance_and_twelve_are_not(tmp_path, capsys):
    assert regress(*flipped(tmp_path / "four", 4, 972)) == 0
    assert "p " in capsys.readouterr().out
    assert regress(*flipped(tmp_path / "twelve", 12, 972)) == 1
    assert "12 right answers lost, 0 gained" in capsys.readouterr().out


def test_the_error_rate_is_a_setting(tmp_path, capsys):
    runs = flipped(tmp_path, 4, 40)
    assert regress(*runs) == 0
    assert regress(*runs, "--error-rate", "10") == 1  # p = 1/16
    assert "p = 0.0625" in capsys.readouterr().out
    for bad in (["--error-rate", "0"], ["--error-rate", "70"], ["--power", "20"]):
        with pytest.raises(SystemExit) as error:
            regress(*runs, *bad)
        assert error.value.code == 2


@pytest.mark.parametrize("part", ["blind_", "shuffled_", "likelihood_"])
def test_floors_are_reported_and_never_judged(tmp_path, capsys, part):
    """A floor that falls is no regression, and floors alone are nothing to judge."""
    runs = flipped(tmp_path / "floor", 30, 40, part=part)
    with pytest.raises(SystemExit) as error:
        regress(*runs)
    assert error.value.code == 2
    assert "only floors" in capsys.readouterr().err
    for run in runs:
        run_folders.write(run, {f"emorealm_mini_{TASKS[0]}": many(TASKS[0])}, pretrained="")
    both = [tmp_path / "both" / name for name in "ab"]
    for run, (lost,) in zip(both, ((0,), (30,)), strict=True):
        rows = {f"emorealm_mini_{part}{TASKS[1]}": many(TASKS[1], 40, range(lost)),
                f"emorealm_mini_{TASKS[0]}": many(TASKS[0])}  # fmt: skip
        run_folders.write(run, rows)
    assert regress(*both, "--junit", str(tmp_path / "junit.xml")) == 0
    assert f"emorealm_mini_{part}{TASKS[1]}" in capsys.readouterr().out.split("Reported, not judged:")[1]
    assert ET.parse(tmp_path / "junit.xml").getroot().find(".//skipped") is not None
    assert regress(*both, "--exact") == 0


def test_too_few_questions_to_see_the_tolerance_is_status_2(tmp_path, capsys):
    """Three lost and two gained of 40: a loss of 5 points could be there, and could have been missed."""
    few = flipped(tmp_path / "few", 3, 40, gained=2)
    assert regress(*few, "--tolerance", "5", "--junit", str(tmp_path / "junit.xml")) == 2
    told = capsys.readouterr()
    assert told.out.startswith("# Cannot be said")
    assert "may be missed" in told.out
    assert told.err.count("\n") == 1
    assert ET.parse(tmp_path / "junit.xml").getroot().find(".//error") is not None
    assert regress(*few) == 0  # without a tolerance there is no size to be seen
    assert regress(*few, "--tolerance", "60") == 0  # the interval ends before
    assert regress(*flipped(tmp_path / "many", 10, 2000, gained=10), "--tolerance", "1") == 0


def test_a_loss_must_be_shown_to_exceed_the_tolerance(tmp_path):
    """30 of 1,000 lost: 3 points [2, 4]."""
    runs = flipped(tmp_path, 30, 1000)
    assert regress(*runs, "--tolerance", "1") == 1
    assert regress(*runs, "--tolerance", "2.5") == 0


@pytest.mark.parametrize("fault", ["absent", "task gone", "fewer questions", "other gold", "itself"])
def test_what_cannot_be_compared_is_status_2(tmp_path, capsys, fault):
    baseline = written(tmp_path / "a")
    run = tmp_path / "b"
    if fault == "task gone":
        written(run, tasks=TASKS[:4])
    elif fault == "fewer questions":
        written(run, count=39)
    elif fault == "other gold":
        rows = many(TASKS[0])
        rows[3]["gold"] = "A"
        run_folders.write(run, {f"emorealm_mini_{TASKS[0]}": rows})
    elif fault == "itself":
        run = baseline
    with pytest.raises(SystemExit) as error:
        regress(baseline, run, "--junit", str(tmp_path / "junit.xml"))
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    wanted = {
        "absent": "no such folder",
        "task gone": "lacks emorealm_mini_reasoning_stress_video",
        "fewer questions": "1 question(s) less",
        "other gold": "modality_agreement_3",
        "itself": "own baseline",
    }
    assert wanted[fault] in said
    assert ET.parse(tmp_path / "junit.xml").getroot().find(".//error") is not None


@pytest.mark.parametrize("tolerance", ["-1", "f1=", "much", "nothing=1"])
def test_a_bad_tolerance_is_status_2(tmp_path, tolerance):
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    with pytest.raises(SystemExit) as error:
        regress(first, second, f"--tolerance={tolerance}")
    assert error.value.code == 2


def recognising(folder, replies):
    """A run of dfew that replies so, about forty clips of two emotions in turn."""
    asked = [("happiness" if number % 2 else "fear", reply) for number, reply in enumerate(replies)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognition_runs, "REPLIES", asked)
        return recognition_runs.write(folder)


def replies(right=40):
    """Forty replies, the first `right` of them right."""
    return [("happy" if number % 2 else "afraid") if number < right else "angry" for number in range(40)]


def test_recognition_is_compared_by_its_own_scores(tmp_path, capsys):
    first, second = recognising(tmp_path / "a", replies()), recognising(tmp_path / "b", replies(30))
    task = compared(first, second)["tasks"]["dfew"]
    for score in ("uar", "war", "weighted_f1", "recall_fear"):
        one, other = (recognition.score(recognition.load(run))["dfew"]["readings"]["strict"] for run in (first, second))
        assert task["scores"][score]["difference"] == pytest.approx(other[score]["value"] - one[score]["value"])
    assert task["mcnemar"]["only_first"] == 10
    assert cli.main(["compare", str(first), str(second), "--show", "5"]) == 0
    said = capsys.readouterr().out
    assert "| WAR " in said
    assert "| lost " in said
    assert power.measured(second, recognising(tmp_path / "c", replies(31))).accuracy == 0.75


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_class_that_one_run_drops_is_compared_by_name_in_the_official_reading(tmp_path, capsys, which):
    """The released code fails on an empty reply: here one run has none left of a class."""
    good = ["happy" if number % 2 else "afraid" for number in range(40)]
    none = ["happy" if number % 2 else "" for number in range(40)]
    runs = {"first": none, "second": good} if which == "first" else {"first": good, "second": none}
    paths = [recognising(tmp_path / name, told) for name, told in runs.items()]
    assert cli.main(["compare", *map(str, paths), "--reading", "official"]) == 0
    scores = compared(*paths, "official")["tasks"]["dfew"]["scores"]
    for one, run in zip(("first", "second"), paths, strict=True):
        alone = recognition.score(recognition.load(run))["dfew"]["readings"]["official"]
        assert {name: scores[name][one] for name in alone} == {name: score["value"] for name, score in alone.items()}
    assert scores["recall_fear"]["difference"] is None
    assert "recall fear" in capsys.readouterr().out


def test_a_fall_in_recognition_is_status_1_and_a_lacking_task_status_2(tmp_path, capsys):
    first, second = recognising(tmp_path / "a", replies()), recognising(tmp_path / "b", replies(30))
    assert regress(second, first) == 0
    assert "-0.0" not in capsys.readouterr().out
    assert regress(first, second) == 1
    assert "dfew: uar went from 100.00 to 75.00, worse by 25.00" in capsys.readouterr().out
    run_folders.write(first, {f"emorealm_mini_{TASKS[0]}": many(TASKS[0])}, pretrained="x")
    with pytest.raises(SystemExit) as error:
        regress(first, second)
    assert error.value.code == 2
    assert f"lacks emorealm_mini_{TASKS[0]}" in capsys.readouterr().err


def described(folder, points, judge="big"):
    rows = [judged_records.record(number, **{judge: value}) | {"judge": judge} for number, value in enumerate(points)]
    return run_folders.write(folder, {"emer": rows})


def test_descriptions_are_compared_by_one_judge_in_its_points(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    first, second = described(tmp_path / "a", [8] * 20), described(tmp_path / "b", [5] * 10 + [8] * 10)
    assert regress(second, first) == 0
    assert "clue overlap" in capsys.readouterr().out
    assert regress(first, second, "--tolerance", "0.5", "--junit", str(tmp_path / "junit.xml")) == 1
    said = capsys.readouterr().out
    assert "emer: clue went from 8.00 to 6.50, worse by 1.50" in said
    assert "10 descriptions judged lower, 0 higher" in said
    assert "emer: points of 1 to 10, judged by big." in said
    assert regress(first, second, "--tolerance", "2", "--judge", "big") == 0
    assert len(ET.parse(tmp_path / "junit.xml").getroot().findall(".//failure")) == 4


@pytest.mark.parametrize("judge", ["", "small"])
def test_what_two_judges_scored_cannot_be_compared(tmp_path, capsys, monkeypatch, judge):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    first, second = described(tmp_path / "a", [8] * 20), described(tmp_path / "b", [8] * 20, "other")
    with pytest.raises(SystemExit) as error:
        regress(first, second, *(["--judge", judge] if judge else []))
    assert error.value.code == 2
    lacking, name = ("a", "small") if judge else ("b", "big")
    assert re.search(rf"/{lacking}/nano: emer lacks 20 of 20 verdicts of {name}\b", capsys.readouterr().err)


ASKED = {"frames": 8, "interleave": True, "prompt": f"{'a' * 60} <video> {{question}}", "answer": "generate_until"}
OTHERWISE = ASKED | {"frames": 16, "prompt": f"{'a' * 60} <video><audio> {{question}}"}


def test_runs_that_were_not_asked_alike_are_marked_and_refused(tmp_path, capsys):
    first, second = written(tmp_path / "a", asked=ASKED), written(tmp_path / "b", asked=OTHERWISE)
    assert cli.main(["compare", str(first), str(second)]) == 0
    said = capsys.readouterr().out
    assert said.count("**Asked in two ways** (emorealm_mini_") == 1
    assert "frames: 8 | 16; prompt: ...aaaaaaaaaaaa <video> {question}... | ...aaaaaaaaaaaa <video><audio> " in said
    with pytest.raises(SystemExit) as left:
        regress(first, second)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "emorealm_mini_" in line
    assert "was asked otherwise than in the baseline (frames: 8 | 16; prompt: " in line
    assert line.endswith("--asked-otherwise frames --asked-otherwise prompt")
    with pytest.raises(SystemExit):
        regress(first, second, "--asked-otherwise", "frames")
    capsys.readouterr()
    assert regress(first, second, "--asked-otherwise", "frames", "--asked-otherwise", "prompt") == 0
    assert "**Asked in two ways**" in capsys.readouterr().out


def test_of_runs_without_a_record_it_is_told_that_it_is_not_known(tmp_path, capsys):
    old, new, alike = (
        written(tmp_path / "a"),
        written(tmp_path / "b", asked=ASKED),
        written(tmp_path / "c", asked=ASKED),
    )
    for first, second in ((old, new), (new, old)):
        assert regress(first, second) == 0
        assert "Whether both runs were asked alike is not known of " in capsys.readouterr().out
    assert regress(new, alike) == 0
    assert "asked" not in capsys.readouterr().out.lower()


def test_only_what_both_runs_recorded_is_compared():
    assert request_settings.differences({"frames": 8, "interleave": True}, {"frames": 8, "thinking": 0}) == {}
    assert request_settings.differences({"until": []}, {"until": ["x"]}) == {"until": "[] | ['x']"}


def test_another_build_of_the_benchmark_is_the_first_thing_a_refusal_says(tmp_path, capsys):
    usual = {"split": "test", "clips": 800, "seed": 0}
    changed = {t: [r | {"clip": f"other/{r['clip']}"} for r in rs] for t, rs in run_folders.whole().items()}
    first = run_folders.write(tmp_path / "first", run_folders.whole(), benchmark=usual)
    second = run_folders.write(tmp_path / "second", changed, benchmark=usual | {"clips": 8})
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compare", str(first), str(second)])
    assert stopped.value.code == 2
    assert "another build of the benchmark than" in (line := capsys.readouterr().err)
    assert line.index("clips 8 instead of 800") < line.index("differs between the runs")


def test_the_same_run_twice_is_said(tmp_path, capsys):
    run = str(run_folders.write(tmp_path / "run", run_folders.whole()))
    assert cli.main(["compare", run, run]) == 0
    assert "**The same run twice**" in capsys.readouterr().out
