"""Intervals over seeds and clips, paired differences and the tables, on studies made up here."""

import json

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from avem_train.study import record
from emorealm_results import cli
from emorealm_results.paper.layouts import GROUP
from emorealm_results.study import plots, tables
from emorealm_results.study import scores as study_scores
from emorealm_results.study.scores import Scored
from emorealm_results.study.tables import render
from emorealm_tasks import metrics
from emorealm_tasks.metrics import intervals

CLIPS = 40
PARTS = ("full", "blind", "shuffled")


def made_records(random, right):
    """Records of every task about CLIPS clips, each right with a chance of its own kind."""
    found = []
    for task in metrics.TASKS:
        for clip in range(CLIPS):
            basic = "basic" in task
            choices = ["(A) Hat.", "(B) Tears."] if basic else ["(A) Yes", "(B) No"]
            gold = "AB"[clip % 2]
            kind = "no_hallucination" if gold == "A" else ("spurious", "hallucination")[clip // 2 % 2]
            hit = random.random() < right
            strict = gold if hit else "BA"[clip % 2]
            found.append(
                {"id": f"{task}{clip}", "clip": f"{clip}.mp4", "task": task, "gold": gold, "choices": choices}
                | {"subtask": kind if "stress" in task else "", "strict": strict, "error": ""}
                | {"official": hit, "official_lenient": hit}
            )  # fmt: skip
    return found


@pytest.fixture
def found():
    random = np.random.default_rng(0)
    runs, questions = {}, None
    chances = {"base": [0.5], "naive": [0.6, 0.62], "avem": [0.9, 0.8], "avem2": [0.9, 0.8]}
    for name, rights in chances.items():
        for seed, right in enumerate(rights):
            records = {part: made_records(random, right if part == "full" else 0.5) for part in PARTS}
            questions = questions or record.questions(records["full"])
            answers = {part: record.answers(of_part) for part, of_part in records.items()}
            if name == "avem2":  # the same answers as avem's
                answers = runs[f"avem-{seed}"]["answers"]
            run = {"seed": None if name == "base" else seed, "answers": answers}
            run["scores"] = {part: record.scores(of_part) for part, of_part in records.items()}
            if name != "base":
                run |= {"steps": 3, "seconds": 10.0, "log": {"loss": {"first": 1.0, "last": 0.5}}}
            runs[f"{name}-{seed}"] = run
    runs["naive-2"] = {"seed": 2, "failed": "the loss is no number"}

    def row(name, label, seeds, **more):
        named = {"name": label, "published": "", "axis": "", "value": None}
        return named | {"runs": [f"{name}-{seed}" for seed in range(seeds)]} | more

    main = [row("base", "base", 1, published="Our base"), row("naive", "Naive-DPO", 3)]
    main.append(row("avem", "AVEm-DPO", 2, published="Our base + AVEm-DPO"))
    swept = [row("base", "base", 1), row("naive", "gamma_tpd 0", 2, axis="gamma_tpd", value=0.0)]
    swept.append(row("avem", "gamma_tpd 0.2", 2, axis="gamma_tpd", value=0.2))
    about = {"base": {"name": "nano", "fingerprint": "12"}, "split": "test", "training": {"optimiser": {"steps": 3}}}
    about |= {"world": {"clips": CLIPS, "seed": 0}, "preferences": {"clips": 9, "letters": 0.2}}
    about |= {"versions": {"torch": "2"}}
    sections = {"main": main, "sweeps": swept}
    return {"about": about, "questions": questions, "runs": runs, "sections": sections}


def rows(found):
    return {row.name: row for row in study_scores.rows(found, "main")}


def test_a_row_is_the_mean_over_its_seeds(found):
    row, scored = rows(found)["AVEm-DPO"], Scored(found, "strict")
    scores = scored.row(row, "full")
    single = [found["runs"][key]["scores"]["full"]["strict"] for key in row.runs]
    wanted = [one["group"]["accuracy"] for one in single]
    assert scores[GROUP, "accuracy"].value == pytest.approx(np.mean(wanted))
    assert scores[GROUP, "accuracy"].spread == pytest.approx(np.std(wanted, ddof=1))
    f1 = [one["tasks"]["modality_agreement"]["f1"] for one in single]
    assert scores["modality_agreement", "f1"].value == pytest.approx(np.mean(f1))
    assert scores[GROUP, "accuracy"].low < np.mean(wanted) < scores[GROUP, "accuracy"].high


def test_one_run_has_the_interval_over_clips_alone(found):
    scores = Scored(found, "strict").row(rows(found)["base"], "full")
    records = record.records(found["questions"], found["runs"]["base-0"]["answers"]["full"])
    for name, bounds in intervals.group_intervals(records, "strict").items():
        assert (scores[GROUP, name].low, scores[GROUP, name].high) == pytest.approx(bounds)
    assert scores[GROUP, "accuracy"].spread is None


def test_seeds_widen_the_interval(found):
    scored, row = Scored(found, "strict"), rows(found)["AVEm-DPO"]
    both = scored.row(row, "full")[GROUP, "accuracy"]
    equal = study_scores.StudyRow("x", "", "", None, (row.runs[0], row.runs[0]))
    same = scored.row(equal, "full")[GROUP, "accuracy"]
    assert both.high - both.low > same.high - same.low
    assert same.spread == 0


@pytest.mark.parametrize(("seeds", "clips"), [(1.0, 0.1), (0.02, 5.0), (0.8, 5.0)])
def test_a_difference_of_nothing_over_five_seeds_is_found_in_five_percent_at_most(seeds, clips):
    """Where the seeds dominate, where the clips do, and where both vary alike."""
    random = np.random.default_rng(3)
    records = [{"clip": str(i)} for i in range(100)]
    times, alarms = 400, 0
    for _ in range(times):
        by_seed, by_clip = random.normal(0, seeds, 5), random.normal(0, clips, 100)

        def stacks(weights, by_seed=by_seed, by_clip=by_clip):
            return ((weights @ by_clip) / weights.sum(axis=1) + by_seed[:, None])[:, :, None]

        ((low, high),) = study_scores.bounds_over_seeds(stacks, records, (-100, 100), 400)
        alarms += low > 0 or high < 0
    assert alarms / times <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / times)


def test_of_seeds_alone_the_interval_is_students():
    values = np.array([1.0, 2.0, 4.0, 3.0, 2.5])
    records = [{"clip": str(i)} for i in range(40)]
    ((low, high),) = study_scores.bounds_over_seeds(
        lambda weights: np.repeat(values[:, None, None], len(weights), axis=1), records, (-100, 100)
    )
    theirs = ttest_1samp(values, 0).confidence_interval()
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.1)


def test_differences_are_paired(found):
    scored, named = Scored(found, "strict"), rows(found)
    twin = study_scores.StudyRow("twin", "", "", None, ("avem2-0", "avem2-1"))
    for score in scored.difference(named["AVEm-DPO"], twin).values():
        assert (score.value, score.low, score.high) == (0, 0, 0)
    ahead = scored.difference(named["AVEm-DPO"], named["base"])[GROUP, "accuracy"]
    means = [scored.row(named[name], "full")[GROUP, "accuracy"].value for name in ("AVEm-DPO", "base")]
    assert ahead.value == pytest.approx(means[0] - means[1])
    assert ahead.low < 0 < ahead.high == 100  # of two seeds little is known
    one = study_scores.StudyRow("one", "", "", None, named["AVEm-DPO"].runs[:1])
    assert scored.difference(one, named["base"])[GROUP, "accuracy"].low > 0
    back = scored.difference(named["base"], named["AVEm-DPO"])[GROUP, "accuracy"]
    assert (back.value, back.low, back.high) == pytest.approx((-ahead.value, -ahead.high, -ahead.low), abs=1e-9)


@pytest.mark.slow
def test_the_verb_writes_tables_and_a_figure(found, tmp_path, capsys):
    path = tmp_path / "study.json"
    record.write(path, found)
    assert cli.main(["study", str(path)]) == 0
    text = (tmp_path / "study.md").read_text()
    assert capsys.readouterr().out == text
    assert "| paper: AVEm-DPO " in text
    line = next(line for line in text.splitlines() if line.startswith("| Naive-DPO − base"))
    assert line.count("[") == 6
    assert "AVEm-DPO − Naive-DPO" not in text  # the paper's order has Vista-DPO† between them
    assert any(line.startswith("| AVEm-DPO ") and "text alone" in line for line in text.splitlines())
    trained = next(line for line in text.splitlines() if line.startswith("| Naive-DPO ") and "→" in line)
    assert [cell.strip() for cell in trained.split("|")][2:4] == ["3", "10"]
    assert trained.rstrip(" |").endswith("| 1      | 0")
    assert "study_sweeps.png" in text
    assert (tmp_path / "study_sweeps.png").stat().st_size > 5000
    assert cli.main(["study", str(path), "--reading", "official", "--out", str(tmp_path / "o.md")]) == 0
    assert "official reading" in (tmp_path / "o.md").read_text()


def test_nothing_to_draw_with_one_value(found, tmp_path):
    scored = Scored(found, "strict")
    row = next(row for row in study_scores.rows(found, "sweeps") if row.axis)
    assert not plots.sweeps([(row, scored.row(row, "full"))], tmp_path / "x.png")


def test_a_study_without_a_run(found, tmp_path, capsys):
    (tmp_path / "study.json").write_text(json.dumps(found | {"runs": {}}))
    with pytest.raises(SystemExit):
        cli.main(["study", str(tmp_path / "study.json")])
    assert "holds no finished run" in capsys.readouterr().err


def test_trials_have_their_tables_with_letters_share_and_without_the_parts_that_they_did_not_answer(found):
    for key, run in found["runs"].items():
        if key.startswith("avem-"):
            run["log"]["gradient/letters"] = {"first": 0.25, "last": 0.375}
        if "scores" in run:
            run["scores"], run["answers"] = ({"full": run[name]["full"]} for name in ("scores", "answers"))
    named = zip(found["sections"]["main"], ("base", "w/o TPD", "penalty"), strict=True)
    found["sections"]["trials"] = [row | {"name": name} for row, name in named]
    text = tables.render(Scored(found, "strict"))
    assert "Without the clip" not in text
    trials = text.partition("## Changes of the objective")[2]
    assert "penalty − w/o TPD" in trials
    (header,) = [line for line in trials.splitlines() if "letters' share of the gradient" in line]
    (penalty,) = [line for line in trials.splitlines() if line.startswith("| penalty ") and " → " in line]
    cells = dict(zip(header.split("|"), penalty.split("|"), strict=True))
    assert {name.strip(): cell.strip() for name, cell in cells.items()}[
        "letters' share of the gradient"
    ] == "0.25 → 0.38"


def test_the_second_block_stands_beside_the_papers_own(found):
    """Its layouts, its base's numbers, and its base's name in the legend."""
    rows_of = found["sections"].pop("main")
    for row in rows_of:
        row["published"] = row["published"].replace("Our base", "EmotionLLaMA*")
    found["sections"] = {"methods": rows_of}
    text = render(Scored(found, "strict"))
    assert "## Methods\n" in text
    assert "### EmoReAlM, all scores (Table 13)" in text
    assert "paper: EmotionLLaMA* on EmoReAlM" in text
    printed = [line for line in text.splitlines() if line.startswith("| paper: base ")]
    (paper,) = [line for line in printed if "82.9" in line]  # the precision of agreement, in Table 13 alone
    assert paper.rstrip("| ").endswith("63.8")
    assert "| AVEm-DPO − base" in text


def test_the_second_studys_family_is_corrected_by_holms_method(found):
    rows_of = {row["name"]: row for row in found["sections"].pop("main")}
    penalty = rows_of["Naive-DPO"] | {"name": "AVEm-DPO, penalty", "runs": rows_of["AVEm-DPO"]["runs"]}
    found["sections"] = {"objectives": [*rows_of.values(), penalty]}
    text = render(Scored(found, "strict"))
    family = text.partition("### The family of comparisons")[2]
    assert "6 comparisons, named beforehand" in family
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in family.splitlines() if "−" in line]
    assert {(line[0], line[1]) for line in lines} == {
        (pair, score)
        for pair in ("Naive-DPO − AVEm-DPO", "AVEm-DPO, penalty − AVEm-DPO", "AVEm-DPO − base")
        for score in ("Hall.", "Avg. Acc.")
    }
    chances = [float(line[3]) for line in lines]
    adjusted = [float(line[4].strip("*")) for line in lines]
    order = np.argsort(chances)
    stepped_down = np.minimum(1, np.maximum.accumulate((6 - np.arange(6)) * np.array(chances)[order]))
    assert np.array(adjusted)[order] == pytest.approx(stepped_down, abs=4e-4)
    assert {line[3] for line in lines if line[0].startswith("AVEm-DPO, penalty")} == {"1.0000"}  # the same runs
    assert min(adjusted) < 1


def test_of_seeds_alone_the_chance_is_students():
    values = np.array([1.0, 2.0, 4.0, -1.0, 2.5])
    records = [{"clip": str(i)} for i in range(40)]
    (p,) = study_scores.chances_over_seeds(
        lambda weights: np.repeat(values[:, None, None], len(weights), axis=1), records, 8000
    )
    assert p == pytest.approx(ttest_1samp(values, 0).pvalue, abs=0.02)
