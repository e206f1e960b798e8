"""The page of curation's study, on records made up here."""

from emorealm_results.study.curation import page

SCORES = ("basic", "agree", "stress", "spur", "hall")


def row(captions, noise):
    grade = {"value": 75.0, "low": 70.0, "high": 80.0, "n": 40}
    stages = {"preferences": {"rows_in": 200, "rows": 120, "rejects": {}}}
    return {
        "captions": captions,
        "noise": noise,
        "stages": stages,
        "grades": {"chosen response true": grade},
        "planted": {"leak": {"planted": 4, "caught": {"questions": 3}, "left": 1}} if noise else {},
    }


def run(accuracy):
    return {"0": {"scores": {"group": {"accuracy": accuracy, **dict.fromkeys(SCORES, 50.0)}}, "steps": 60}}


def record(runs):
    training = {"optimiser": {"steps": 60, "batch": 24, "accumulation": 1, "learning_rate": 1e-4}}
    about = {"clips": 400, "split": "validation", "answered": 300, "seeds": 1, "training": training}
    rows = {"truth-0": row("truth", 0.0), "truth-15": row("truth", 0.15), "avere-0": row("avere", 0.0)}
    return {"about": about, "curated": rows, "runs": runs}


def test_what_survives_of_the_gain_is_computed_and_what_is_not_trained_is_said():
    text = page({"validation": record({"base": run(80.0), "truth-0": run(90.0), "avere-0": run(86.0)})})
    assert "bring +10.0 points of accuracy (80.0 to 90.0)" in text
    assert "captions from avere-nano, +6.0 at 0% noise (60% of that gain; 120 records, 25 % of their chosen" in text
    assert "sees 1440 records" in text
    assert "Not trained yet: the truth, 15% noise." in text
    (untrained,) = [line for line in text.splitlines() if line.startswith("| the truth, 15% noise")]
    assert "not trained" in untrained
    assert "The test world has not been answered." in text
    assert "| leak    | 75 % of 4 (questions 3) |" in text


def test_without_a_gain_from_true_cues_no_share_is_named():
    runs = {"base": run(80.0), "truth-15": run(85.0)}
    text = page({"validation": record(runs), "test": record(runs)})
    assert "What is seen" not in text
    assert text.count("| +5.0") == 2
    assert "has not been answered" not in text
    assert "Training" not in page({"validation": record({})})
