"""A training that was stopped and goes on: what must be the same for that, and what is logged twice."""

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from avem_train import cli, config
from avem_train.dpo import finite, session, train
from avem_train.dpo.finite import LossNotFinite
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Evaluation, Optimiser
from avem_train.dpo.trainer import PreferenceTrainer
from emorealm_tasks import files

FAST = Optimiser(learning_rate=1e-2, batch=2, accumulation=2, steps=4)


@pytest.fixture
def stopped(backbone, tiny_avere, preference_file, tmp_path, monkeypatch):
    """Settings of a training that ended in its fourth step, after three that were logged and two that were kept."""
    running = Running(device="cpu", save_every=2, reference=str(tmp_path / "kept"))
    settings = DpoSettings(preference_file, tmp_path / "out", str(tiny_avere), optimiser=FAST, running=running)

    losses = PreferenceTrainer._losses

    def fail(trainer, *given):
        if trainer.state.global_step == 3:
            raise LossNotFinite
        return losses(trainer, *given)

    with monkeypatch.context() as broken:
        broken.setattr(PreferenceTrainer, "_losses", fail)
        with pytest.raises(LossNotFinite):
            train.train(settings, backbone)
    return settings


def about(settings):
    return json.loads((settings.out / "training.json").read_text())


def test_the_size_of_an_update_and_its_precision_are_kept(stopped, backbone, capsys):
    assert about(stopped)["update"] == {"records": 4, "dtype": "float32", "mixed": False}
    assert about(stopped)["machine"] == {"processes": 1, "device": "cpu"}
    wrong = {
        "records: 4 there, 2 here": replace(stopped, optimiser=replace(FAST, accumulation=1)),
        "mixed: False there, True here": replace(stopped, running=replace(stopped.running, mixed=True)),
    }
    for said, settings in wrong.items():
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            train.train(settings, backbone)
        (line,) = capsys.readouterr().err.splitlines()
        assert left.value.code == 2
        assert f"its update differ ({said}); keep its precision and its records" in line


def test_an_update_divided_in_another_way_is_the_same(stopped, backbone, tmp_path):
    whole = replace(stopped, out=tmp_path / "whole")
    train.train(whole, backbone)
    train.train(replace(stopped, optimiser=replace(FAST, batch=4, accumulation=1)), backbone)
    wanted, found = (load_file(one.out / "adapter_model.safetensors") for one in (whole, stopped))
    assert about(stopped)["steps"] == 4
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=2e-4, rtol=0)


def test_another_number_of_processes_with_another_update_is_refused(stopped, backbone, capsys, monkeypatch):
    made = session.training_arguments

    def eight(settings):
        arguments = made(settings)
        monkeypatch.setattr(type(arguments), "world_size", 8)
        return arguments

    monkeypatch.setattr(session, "training_arguments", eight)
    with pytest.raises(SystemExit):
        train.train(stopped, backbone)
    assert "its update differ (records: 4 there, 32 here)" in capsys.readouterr().err


def test_a_folder_from_before_the_update_was_recorded_goes_on(stopped, backbone):
    written = about(stopped)
    del written["update"], written["machine"]
    (stopped.out / "training.json").write_text(json.dumps(written))
    assert train.train(stopped, backbone).steps == 4
    assert about(stopped)["update"]["records"] == 4


def test_a_step_made_again_is_logged_once(stopped, backbone):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train.train(stopped, backbone)
    lines = [json.loads(line) for line in (stopped.out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    events = EventAccumulator(str(stopped.out / "tensorboard")).Reload()
    assert Counter(event.step for event in events.Scalars("train/loss")) == dict.fromkeys((1, 2, 3, 4), 1)


@pytest.fixture
def settings(preference_file, tiny_avere, tmp_path):
    running = Running(device="cpu", reference=str(tmp_path / "kept"))
    return DpoSettings(
        preference_file, tmp_path / "out", str(tiny_avere), optimiser=replace(FAST, steps=1), running=running
    )


@pytest.mark.parametrize(
    "name",
    ["checkpoints/checkpoint-9/model.safetensors", "checkpoints/mine.pt", "config.json", "adapter_model.safetensors"],
)
def test_a_folder_of_something_else_is_refused(settings, backbone, capsys, name):
    mine = settings.out / name
    mine.parent.mkdir(parents=True)
    mine.write_text("weights that took a week")
    with pytest.raises(SystemExit) as left:
        train.train(settings, backbone)
    (line,) = capsys.readouterr().err.splitlines()
    assert left.value.code == 2
    assert f"{settings.out}: holds '{name.split('/')[0]}'" in line
    assert "out=" in line
    assert [path for path in settings.out.rglob("*") if path.is_file()] == [mine]


def test_only_its_own_checkpoints_are_dropped(settings, backbone):
    train.train(settings, backbone)
    (settings.out / "training.json").unlink()  # so that it trains again
    mine = settings.out / "checkpoints" / "best" / "model.safetensors"
    mine.parent.mkdir(parents=True)
    mine.write_text("weights that took a week")
    train.train(settings, backbone)
    assert mine.exists()


def test_a_training_of_an_earlier_version_goes_on(stopped, backbone):
    (stopped.out / files.MARK).unlink()
    assert train.train(stopped, backbone).steps == 4


def spoilt(monkeypatch, after, what):
    """Gradients or adapters that overflow once so many steps are made."""

    def spoil(callback, args, state, control, **given):
        if state.global_step == after:
            for parameter in given["model"].parameters():
                if parameter.requires_grad:
                    (parameter.grad if what == "gradient" else parameter.data).fill_(torch.inf)
        return kept(callback, args, state, control, **given) if what == "gradient" else None

    kept = finite.Finite.on_pre_optimizer_step
    monkeypatch.setattr(finite.Finite, "on_pre_optimizer_step", spoil)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "said"), [("gradient", "gradient is no number"), ("adapters", "adapters are no numbers after")]
)
def test_what_overflows_is_not_saved_and_goes_on_with_a_lower_rate(
    settings, tiny_avere, monkeypatch, capsys, what, said
):
    command = ["run", "avem_dpo", f"model={tiny_avere}", f"data={settings.data}", f"out={settings.out}"]
    command += ["running.device=cpu", "running.save_every=1", f"running.reference={settings.running.reference}"]
    command += ["optimiser.batch=2", "optimiser.accumulation=2", "optimiser.steps=4", "running.tensorboard=false"]
    with monkeypatch.context() as broken:
        spoilt(broken, 2, what)
        with pytest.raises(SystemExit):
            cli.main([*command, "optimiser.learning_rate=0.01"])
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "emorealm: " in line]
    assert said in line
    good = settings.out / "checkpoints" / "checkpoint-2"
    assert f"goes on from {good}" in line
    assert "optimiser.learning_rate below 0.01" in line
    for path in settings.out.rglob("adapter_model.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(path).values()), path
    assert good.is_dir()
    with pytest.raises(SystemExit):  # a higher one is another training
        cli.main([*command, "optimiser.learning_rate=0.02"])
    assert cli.main([*command, "optimiser.learning_rate=0.005"]) == 0
    assert about(settings)["lowered"] == [{"after_step": 2, "from": 0.01, "to": 0.005}]
    rates = [json.loads(line)["learning_rate"] for line in (settings.out / "log.jsonl").read_text().splitlines()[:4]]
    assert rates == pytest.approx([0, 0.01, 0.005 * 2 / 3, 0.005 / 3])


def test_a_recipe_does_the_same_from_any_folder(settings, tiny_avere, monkeypatch, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    relative = {"data": settings.data, "out": settings.out, "model": tiny_avere, "running.reference": tmp_path / "kept"}
    monkeypatch.chdir(tmp_path)
    command = [f"{name}={os.path.relpath(path, tmp_path)}" for name, path in relative.items()]
    command += ["running.device=cpu", "optimiser.steps=1", f"root={os.path.relpath(settings.data.parent, tmp_path)}"]
    assert cli.main(["run", "avem_dpo", *command]) == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cli.main(["run", str(settings.out / "recipe.yaml"), "out=again"]) == 0
    wanted, found = (load_file(out / "adapter_model.safetensors") for out in (settings.out, Path("again")))
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    assert cli.main(["run", str(settings.out / "recipe.yaml")]) == 0
    assert "is trained already" in capsys.readouterr().out
    (tmp_path / "mine.yaml").write_text("base: theirs.yaml\nseed: 3\n")
    (tmp_path / "theirs.yaml").write_text("base: avem_dpo\ndata: d\n")
    assert config.read(str(tmp_path / "mine.yaml"), [])["data"] == "d"


def test_held_out_records_choose_the_best_checkpoint(settings, backbone, preference_file, capsys):
    """The result is the checkpoint with the best score; training ends where two evaluations bring nothing better."""
    held_out = settings.out.parent / "held_out.jsonl"
    held_out.write_text("".join(preference_file.read_text().splitlines(keepends=True)[:5]))
    evaluation = Evaluation(str(held_out), str(preference_file.parent), every=1, best="loss", patience=2)
    optimiser = replace(FAST, learning_rate=3.0, steps=12, schedule="constant")  # soon too far
    running = replace(settings.running, save_every=0, keep=1)
    settings = replace(settings, optimiser=optimiser, running=running, evaluation=evaluation)
    result = train.train(settings, backbone)
    lines = [json.loads(line) for line in (settings.out / "log.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["eval_loss"] for line in lines if "eval_loss" in line}
    best = min((step for step in losses if step), key=losses.__getitem__)
    assert list(losses) == list(range(result.steps + 1))
    assert result.steps == best + 2 < 12
    written = about(settings)
    assert written["held_out"]["step"] == best
    assert written["held_out"]["loss"] == pytest.approx(losses[best], abs=1e-5)
    assert {"accuracies/response", "margins/media"} <= set(written["held_out"])
    (only,) = (settings.out / "checkpoints").iterdir()
    assert only.name == f"checkpoint-{best}"
    kept = load_file(only / "adapter_model.safetensors")
    found = load_file(settings.out / "adapter_model.safetensors")
    assert all(torch.equal(kept[name], found[name]) for name in kept)
    assert f"(step {best}, the best by loss)" in capsys.readouterr().out
    assert "## Held-out records" in (settings.out / "README.md").read_text()


def test_a_score_that_is_not_there_is_named_before_training(settings, backbone, preference_file, capsys):
    evaluation = Evaluation(str(preference_file), best="acuracy")
    with pytest.raises(SystemExit):
        train.train(replace(settings, evaluation=evaluation), backbone)
    assert "evaluation.best=acuracy: the scores are accuracies/" in capsys.readouterr().err
