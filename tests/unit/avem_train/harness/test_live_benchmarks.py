"""The model in training answers the harness's tasks: as its saved adapters do, and training does not notice."""

import functools
import json
from dataclasses import replace

import pytest
import torch
from lmms_eval.models import get_model
from safetensors.torch import load_file

from avem_train import cli
from avem_train.backbones import base, loading
from avem_train.dpo import evaluation, train
from avem_train.dpo.adapters import adapters
from avem_train.dpo.model_card import settle
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Evaluation, Optimiser
from avem_train.harness import asked, live
from avem_train.harness.tasks import Tasks
from avem_train.packing import attention
from emorealm_results import cli as results_cli
from emorealm_tasks.errors import DataAbsent
from emorealm_tasks.mini.build import split
from model_adapters.base.embedded import NANO


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    split.build(folder, "validation", 8, 0)
    return folder


@pytest.fixture(scope="module")
def tasks():
    """Built once a model's name."""
    return functools.cache(lambda name, groups, limit: Tasks(name, groups, limit))


@pytest.fixture(autouse=True)
def in_the_world(world, tasks, monkeypatch):
    monkeypatch.setenv("EMOREALM_MINI", str(world))
    monkeypatch.setattr(live, "Tasks", lambda name, groups, limit: tasks(name, tuple(groups), limit))


@pytest.fixture
def settings(tiny_avere, preference_file, tmp_path):
    running = Running(device="cpu", save_every=0, tensorboard=False, reference=str(tmp_path / "kept"))
    optimiser = Optimiser(learning_rate=1e-2, batch=2, accumulation=1, steps=2)
    return DpoSettings(preference_file, tmp_path / "out", str(tiny_avere), optimiser=optimiser, running=running)


def replies(records):
    return [(one["task"], one["raw"], one["error"]) for one in records["emorealm_mini"]]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "dtype"), [("tiny_avere", torch.float32), ("tiny_omni", torch.bfloat16)])
def test_live_adapters_answer_as_the_saved_ones(family, dtype, request, settings, tmp_path, monkeypatch):
    folder = request.getfixturevalue(family)
    backbone = loading.load(folder, torch.device("cpu"), dtype, 1 << 20)
    out = tmp_path / "out"
    with adapters(settings, backbone) as model:
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.5)
        model.save_pretrained(out)
        settle(out, folder)
        about = {"settings": {}} | ({"answering": dict(backbone.answering)} if backbone.answering else {})
        (out / "training.json").write_text(json.dumps(about))
        parts = base.encoders(backbone)
        state = torch.random.get_rng_state()
        benchmarks = live.Benchmarks(backbone, out, ["emorealm_mini"], 1, 4)
        answered, ask = [], benchmarks._tasks.records
        monkeypatch.setattr(benchmarks._tasks, "records", lambda model: answered.append(ask(model)) or answered[0])
        scores = benchmarks.scores()
        benchmarks.close()
        assert torch.equal(torch.random.get_rng_state(), state)
        assert base.encoders(backbone) == parts
        assert attention.installed(backbone.model.get_decoder())
    backbone.close()
    assert scores.keys() <= set(asked.names("emorealm_mini"))
    name = loading.evaluated_by(folder)
    saved = get_model(name)(pretrained=str(out), device="cpu", dtype=str(dtype)[6:], batch_size=4, max_errors=0.0)
    assert replies(answered[0]) == replies(ask(saved))


def test_scores_are_logged_and_choose_and_the_training_stays_the_same(settings, backbone, tmp_path):
    train.train(settings, backbone)
    wanted = Evaluation(every=1, benchmarks=["emorealm_mini"], limit=1, best="emorealm_mini_accuracy")
    asking = replace(settings, out=tmp_path / "asked", evaluation=wanted, running=replace(settings.running, keep=2))
    train.train(asking, backbone)
    logged = [json.loads(line) for line in (asking.out / "log.jsonl").read_text().splitlines()]
    name = "eval_emorealm_mini_accuracy"
    scored = {line["step"]: line[name] for line in logged if name in line}
    assert list(scored) == [0, 1, 2]
    about = json.loads((asking.out / "training.json").read_text())
    best = max((1, 2), key=scored.__getitem__)
    assert about["held_out"]["step"] == best
    assert about["held_out"]["emorealm_mini_accuracy"] == scored[best]
    last = asking.out / "checkpoints" / "checkpoint-2" / "adapter_model.safetensors"
    kept, found = load_file(settings.out / "adapter_model.safetensors"), load_file(last)
    assert all(torch.equal(kept[name], found[name]) for name in kept)


@pytest.mark.slow
def test_emotions_and_descriptions_are_scored_as_the_harness_scores_them(tmp_path):
    """The embedded model, beside an evaluation of its own."""
    backbone = loading.load(NANO, torch.device("cpu"), torch.float32, 1 << 28)
    names = ["dfew_mini", "emer_mini"]
    benchmarks = live.Benchmarks(backbone, tmp_path / "out", names, 4, 4)
    scores = benchmarks.scores()
    benchmarks.close()
    backbone.close()
    given = ["--tasks", ",".join(names), "--model", "avere", "--limit", "4", "--output_path", str(tmp_path / "run")]
    assert results_cli.main(["eval", *given, "--model_args", "device=cpu", "--log_samples"]) == 0
    (path,) = (tmp_path / "run").rglob("*_results.json")
    emotions, descriptions = (json.loads(path.read_text())["results"][name] for name in names)
    pairs = {
        "dfew_mini_uar": emotions["uar_strict,none"],
        "dfew_mini_war": emotions["emotion_score,none"],
        "emer_mini_score": descriptions["emer_score,none"],
        "emer_mini_clue": descriptions["clue_mean,none"],
    }
    assert {name: scores[name] for name in pairs} == pytest.approx(pairs)
    assert min(pairs.values()) > 0


def test_every_embedded_benchmark_is_scored_while_training(settings, backbone, world, capsys):
    names = ["ravdess_mini", "mer2023_mini", "dfew_mini", "emer_mini"]
    wanted = Evaluation(every=1, benchmarks=names, limit=2, best="dfew_mini_uar", choose_on_test=True)
    train.train(replace(settings, evaluation=wanted), backbone)
    closing = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("held-out"))
    scores = json.loads((settings.out / "training.json").read_text())["held_out"]
    for name in names:
        shown = {f"{name}_uar", f"{name}_war"} if name != "emer_mini" else {"emer_mini_score"}
        assert shown <= scores.keys() <= {"step"} | {one for name in names for one in asked.names(name)}
        assert all(f"{one} " in closing for one in shown)
    assert closing.endswith("the best by dfew_mini_uar)")
    criteria = [scores[f"emer_mini_{name}"] for name in ("clue", "label", "spurious", "halluc")]
    assert scores["emer_mini_score"] == pytest.approx(sum(criteria) / 4)
    assert 1 <= scores["emer_mini_score"] <= 10


def test_records_have_the_scores_of_the_harness():
    def described(clip, raw):
        truth = {"emotions": ["happiness"], "present": ["smile"], "relevant": ["smile"]}
        record = {"id": clip, "clip": clip, "task": "emer_mini", "reference": "", "raw": raw, "error": ""}
        return {**record, "truth": truth, "judge": "", "verdicts": {}}

    def recognised(clip, gold, strict):
        labels = ["anger", "fear", "happiness"]
        return {"clip": clip, "labels": labels, "gold": gold, "strict": strict, "official": strict, "error": ""}

    replies = [recognised("1", "anger", "anger"), recognised("2", "anger", ""), recognised("3", "fear", "anger")]
    scores = asked.scores("dfew_mini", replies)
    assert scores["dfew_mini_uar"] == pytest.approx(25)
    assert scores["dfew_mini_war"] == pytest.approx(100 / 3)
    scores = asked.scores("emer_mini", [described("1", "The person is happy: a smile."), described("2", "")])
    # 1 names all that is there (10 four times); 2 says nothing (1, but invents nothing: 10)
    assert scores["emer_mini_clue"] == scores["emer_mini_label"] == scores["emer_mini_spurious"] == 5.5
    assert scores["emer_mini_halluc"] == 10
    assert scores["emer_mini_score"] == pytest.approx(6.625)


def test_the_closing_line_shows_the_main_scores():
    held_out = {"dfew_uar": 50.0, "dfew_war": 60.0, "dfew_weighted_f1": 55.0, "emer_mini_score": 4.5, "step": 2.0}
    line = evaluation.line([{"eval_dfew_uar": 40.0}], held_out, "")
    assert line == "held-out, before and after: dfew_uar 40 -> 50, dfew_war ? -> 60, emer_mini_score ? -> 4.5 (step 2)"


def test_absent_clips_stop_the_training_as_they_stop_the_harness(settings, backbone, monkeypatch, capsys):
    monkeypatch.delenv("EMOREALM_DFEW", raising=False)
    with pytest.raises(DataAbsent):
        train.train(replace(settings, evaluation=Evaluation(benchmarks=["dfew"])), backbone)
    assert "EMOREALM_DFEW is not set" in capsys.readouterr().err
    assert not (settings.out / "log.jsonl").exists()


@pytest.mark.parametrize(
    ("benchmark", "words"),
    [
        ("emer", "its judge's API"),
        ("emorealm_min", "of emorealm, emorealm_mini, dfew"),
        ("dfew_classes", "of emorealm"),
    ],
)
def test_what_cannot_be_asked_while_training_is_refused(settings, benchmark, words, capsys):
    given = [f"data={settings.data}", f"out={settings.out}", f"evaluation.benchmarks={benchmark}"]
    assert cli.main(["run", "avem_dpo", *given]) == 2
    assert words in capsys.readouterr().err


def test_a_judge_that_costs_is_no_part_of_a_training(settings, monkeypatch, capsys):
    monkeypatch.setenv("EMOREALM_JUDGE", "live")
    given = [f"data={settings.data}", f"out={settings.out}", f"model={settings.model}", "running.device=cpu"]
    with pytest.raises(SystemExit, match="2"):
        cli.main(["run", "avem_dpo", *given, "evaluation.benchmarks=emer_mini"])
    assert "EMOREALM_JUDGE=cues" in capsys.readouterr().err
    assert not settings.out.exists()


SCORES = {
    "emorealm": "accuracy",
    "emorealm_mini": "accuracy",
    "dfew": "uar",
    "ravdess_mini": "war",
    "emer_mini": "score",
}


@pytest.mark.parametrize("benchmark", SCORES)
def test_test_questions_choose_only_where_that_is_said(settings, benchmark, world, capsys, monkeypatch, tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "build.json").write_text((world / "build.json").read_text().replace("validation", "test"))
    monkeypatch.setenv("EMOREALM_MINI", str(tmp_path / "test"))
    given = [f"data={settings.data}", f"out={settings.out}", f"model={settings.model}", "running.device=cpu"]
    given += [f"evaluation.benchmarks={benchmark}", f"evaluation.best={benchmark}_{SCORES[benchmark]}"]
    with pytest.raises(SystemExit, match="2"):
        cli.main(["run", "avem_dpo", *given])
    error = capsys.readouterr().err
    assert "would choose on the test questions of" in error
    assert "evaluation.choose_on_test=true" in error
    assert error.count("\n") == 1
    assert not settings.out.exists()
