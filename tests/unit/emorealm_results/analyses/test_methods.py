"""A study's methods under an analysis, against values worked out by hand; training what is missing."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from avem_train.study import adapters, program, settings
from emorealm_results.analyses import adversarial, methods, sentences, study_runs, swap
from emorealm_results.analyses.estimates import Figure, Group


def question(name, value):
    return {"id": name, "clip": name, "task": "reasoning_basic_audio", "value": value, "subtask": "", "emotion": ""}


def mean(lines):
    return [Figure(Group("all", "all", lines), "mean", np.array([[one["value"]] for one in lines]))]


def lines(*values):
    return [question(name, value) for name, value in zip("abcd", values, strict=False)]


def test_means_and_differences_over_seeds_by_hand():
    studied = {
        "base": {None: lines(0.0, 0.0)},
        "naive": {0: lines(1.0, 1.0), 1: lines(3.0, 3.0), 2: lines(9.0, 9.0)},
        "avem": {1: lines(4.0, 4.0, 99.0)[::-1], 0: lines(2.0, 2.0)},  # the third question is not of every training
    }
    found = methods.report(studied, mean, ("base", "avem"))
    values = {(name, one["metric"]): one for name, of in found.items() for one in of}
    assert {key: one["value"] for key, one in values.items()} == pytest.approx({
        ("base", "mean"): 0, ("base", "mean_against_avem"): -3,
        ("naive", "mean"): 13 / 3, ("naive", "mean_against_base"): 13 / 3,
        ("naive", "mean_against_avem"): -1,  # seeds 0 and 1, in pairs
        ("avem", "mean"): 3, ("avem", "mean_against_base"): 3,
    })  # fmt: skip
    paired = values["naive", "mean_against_avem"]
    assert (paired["low"], paired["high"], paired["questions"]) == (pytest.approx(-1), pytest.approx(-1), 2)
    alone = values["avem", "mean"]  # seeds of 2 and 4: Student's interval with one degree of freedom, 3 +- 12.7
    assert alone["low"] == pytest.approx(3 - 12.7, abs=1.5)
    assert alone["high"] == pytest.approx(3 + 12.7, abs=1.5)


def test_the_figures_of_a_study_are_those_of_a_model():
    cells = {cell: {"gold": 0, "scores": [m, 0.0]} for cell, m in zip(swap.CELLS, (2.0, -2.0, 1.0, -2.0), strict=True)}
    one = {**question("a", 0), "conditions": cells}
    (of_all, of_task) = swap.figures([one])
    (index,) = (
        found for found in swap.report([one]) if found["metric"] == "shortcut_index" and found["level"] == "all"
    )
    assert of_all.combine(of_all.columns)[0, 0] == index["value"] == of_task.combine(of_task.columns)[0, 0]
    shifted = {"own": {"gold": 0, "scores": [-1.0]}, "picture_noise": {"gold": 0, "scores": [-3.0]}}
    (figure,) = adversarial.figures([{**one, "conditions": shifted}])
    assert (figure.metric, figure.condition, figure.columns.tolist()) == ("shift_absolute", "picture_noise", [[2.0]])


def test_what_methods_change_is_one_sentence_a_number():
    def row(model, low, high, condition="", metric="asked_share_against_base"):
        about = {"model": model, "metric": metric, "level": "all", "group": "all", "condition": condition}
        return about | {"value": (low + high) / 2, "low": low, "high": high}

    estimates = [row("naive", 1, 3), row("avem", -1, 1), row("vista", -3, -1)]
    estimates += [row("base", -9, -8, metric="asked_share_against_avem"), row("naive", 1, 2, metric="asked_share")]
    estimates += [row(name, -1, 1, "sound_noise", "shift_against_base") for name in "abcdefg"]
    assert sentences.of_methods({"model_args": ["base"], "estimates": estimates}) == [
        "Against base, asked share: naive grows (2.00 [1.00, 3.00]); vista shrinks (-2.00 [-3.00, -1.00]); "
        "no clear change: avem.",
        "Against base, shift: no clear change: 7 others.",
    ]


def test_places_of_this_machine_are_not_told():
    assert study_runs.without_places(["seeds=2", "folder=/home/me", "workers=4"]) == ["seeds=2"]


@dataclass(frozen=True)
class Stub:
    key: str
    seed: int
    trained: bool
    examined: bool = True
    recipe: str = "naive_dpo"


def test_only_what_is_missing_is_trained_first_seeds_first_and_nothing_is_examined(monkeypatch, capsys):
    asked = []

    def made_by(jobs, workers):
        asked.extend((job.key, job.examined) for job in jobs)
        for job in jobs:
            yield job, {"failed": "the loss is no number"} if job.key == "b1" else {"seconds": 3.0}

    monkeypatch.setattr(program, "made_by", made_by)
    jobs = [Stub("a0", 0, True), Stub("b1", 1, False), Stub("b0", 0, False)]
    assert adapters.train(settings.Study(), jobs) == {"b1"}
    assert asked == [("b0", False), ("b1", False)]
    assert "[2/2] naive_dpo, seed 1: the loss is no number" in capsys.readouterr().out


def test_models_that_differ_in_answering_alone_are_left_out(monkeypatch):
    study = settings.Study(sections=["main", "table17"], seeds=2)
    worlds = Path("worlds")
    monkeypatch.setattr(program, "built", lambda *of: worlds)
    monkeypatch.setattr(program.build_record, "built_with", lambda folder: {})
    found = adapters.of(study)
    names = [name for name, _ in found]
    assert names.count("base") == 1
    assert "contrastive decoding" not in names
    assert names.count("AVEm-DPO") == names.count("random tensor, both") == 2
    assert names.count("different emotion, prompt-based") == 0  # the same trainings as AVEm-DPO
    with pytest.raises(adapters.RecipeError, match="unknown section"):
        adapters.of(replace(study, sections=["nothing"]))
