"""Supervised training on models of random weights: what the loss is of, what moves, what is written, how it goes on."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import tiny_models
from avem_train import cli
from avem_train.backbones import loading
from avem_train.data import conversations
from avem_train.data.conversations import Conversation
from avem_train.data.responses import Response
from avem_train.dpo import arguments, logprobs
from avem_train.dpo.finite import LossNotFinite
from avem_train.dpo.settings_parts import Evaluation, Optimiser
from avem_train.packing.tree import Packing
from avem_train.supervised import train
from avem_train.supervised.loss import losses
from avem_train.supervised.settings import SupervisedRunning, SupervisedSettings
from avem_train.supervised.trainer import SupervisedTrainer
from model_adapters.avere import folders
from model_adapters.avere import loading as avere_loading
from model_adapters.base import liger
from trained_families import CHATML

CPU = torch.device("cpu")
FAST = Optimiser(learning_rate=1e-2, batch=2, accumulation=2, steps=3, warm_up=0.0)


@pytest.fixture(scope="module")
def models(tiny_avere, tiny_omni, tiny_emotion_llama, tmp_path_factory):
    second = tiny_models.emotion_llama(tmp_path_factory.mktemp("second"), version=2)
    return {"avere": tiny_avere, "omni": tiny_omni, "emotion_llama": tiny_emotion_llama, "version 2": second}


FAMILIES = ("avere", "emotion_llama", "version 2")


@pytest.fixture(scope="module")
def data(clips, tmp_path_factory):
    """Nine conversations about three clips in our layout, two of them of two turns, and two about no clip."""
    folder = tmp_path_factory.mktemp("conversations")
    items = []
    for number in range(9):
        turns = [("human", f"Why sad {number}?"), ("gpt", ("Yes, tears.", "A", "rain and laughter")[number % 3])]
        turns += [("human", "Sure?"), ("gpt", "Yes")] if number % 4 == 1 else []
        item = {"id": f"c{number}", "conversations": [{"from": who, "value": text} for who, text in turns]}
        items.append(item | ({"video": clips[number % 3]} if number < 7 else {}))
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in items))
    return path


@pytest.fixture
def settings(data, models, clips, tmp_path):
    running = SupervisedRunning(device="cpu", save_every=0, tensorboard=False)
    root = str(clips[0]).rpartition("/")[0]
    return SupervisedSettings(
        [str(data)], tmp_path / "out", str(models["avere"]), root=root, optimiser=FAST, running=running
    )


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("family", [*FAMILIES, *CHATML])
def test_the_loss_is_of_answers_alone_however_rows_are_packed(models, family, tiny_base, clips):
    folder = models[family] if family in models else tiny_base(family)
    backbone = loading.load(folder, CPU, torch.float32, 1 << 26)
    clip = ("", clips[1], "", True, ("Why sad?", "Sure?"), ("Yes, tears.", "rain"))
    kinds = loading.family(folder).media
    talk = [Conversation(*clip), Conversation("", clips[0], "", "video" not in kinds, ("Why?",), ("A hat",))]
    talk += [
        Conversation("", "", "", False, ("Who?",), ("B",)),
        Conversation(*clip[:4], ("Why sad?",), ("Yes, a hat",)),
    ]
    talk = [conversations.taken(one, kinds) for one in talk]
    with torch.no_grad():
        alone = [losses(backbone.model, backbone, [one], Packing(share=False)) for one in talk]
        for packed, limit in ((True, 0), (False, 4000), (True, 4000), (True, 40)):
            together = losses(backbone.model, backbone, talk, Packing(packed, limit))
            assert together.owner == [number for number, one in enumerate(alone) for _ in one.nll]
            torch.testing.assert_close(together.nll, torch.cat([one.nll for one in alone]), atol=1e-5, rtol=1e-5)
        first = Response(talk[0].sources, "Why sad?", "Yes, tears.")
        scored = logprobs.score(backbone.model, backbone, [first, Response((), "Who?", "B")]).total
    ids = len(backbone.response("Yes, tears."))
    assert len(alone[0].nll) == ids + len(backbone.response("rain"))
    assert alone[0].nll[:ids].sum() == pytest.approx(-float(scored[0]), abs=1e-4)
    assert alone[2].nll.sum() == pytest.approx(-float(scored[1]), abs=1e-4)
    backbone.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "family"),
    [("avere_projectors", family) for family in ("avere", "omni", "version 2")]
    + [(f"{family}_sft", family) for family in ("avere", "omni", "emotion_llama")],
)
def test_shipped_recipes_train_what_they_say_and_the_result_loads(settings, models, family, recipe, tmp_path, capsys):
    """Each recipe on its own family; the projectors' one on all."""
    given = {"model": models[family], "data": settings.data[0], "root": settings.root, "out": tmp_path / "out"}
    given |= {"optimiser.steps": 1, "optimiser.batch": 3, "optimiser.accumulation": 1, "running.device": "cpu"}
    given |= {"optimiser.learning_rate": 1e-2, "running.tensorboard": False, "optimiser.warm_up": 0}
    assert cli.main(["run", recipe, *(f"{key}={value}" for key, value in given.items())]) == 0
    assert "1 steps of 3 conversations" in capsys.readouterr().out
    if recipe != "avere_projectors":
        moved = load_file(tmp_path / "out" / "adapter_model.safetensors")
        projectors = [name for name in moved if "lora_" not in name]
        assert bool(projectors) == (recipe != "omni_sft")
        return
    base = loading.load(models[family], CPU, torch.float32, 0)
    trained = loading.load(tmp_path / "out", CPU, torch.float32, 0)
    for one in (base, trained):
        one.close()
    before, after = base.model.state_dict(), trained.model.state_dict()
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith(tuple(base.projectors)) for name in moved)
    assert {one for one in base.projectors if any(name.startswith(one) for name in moved)} == set(base.projectors)


def test_all_weights_of_the_language_model_are_trained_and_nothing_else(settings, models):
    running = replace(settings.running, checkpointing=True)
    train.train(replace(settings, trained="all", running=running, optimiser=replace(FAST, steps=1)))
    before = avere_loading.load_model(models["avere"], CPU, torch.float32, None, None).state_dict()
    after = avere_loading.load_model(settings.out, CPU, torch.float32, None, None).state_dict()
    moved = {name.split(".")[1] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"language_model", "weight"}  # the head's
    folders.find_weights(str(settings.out))
    assert "base_model_relation: finetune" in (settings.out / "README.md").read_text()


def stopped(settings, monkeypatch):
    """A training of two updates that ended in its second, with a checkpoint of its first."""
    running = replace(settings.running, save_every=1)
    settings = replace(settings, running=running, optimiser=replace(FAST, steps=2))
    measured = SupervisedTrainer._losses

    def fail(trainer, *rest):
        if trainer.state.global_step == 1:
            raise LossNotFinite
        return measured(trainer, *rest)

    with monkeypatch.context() as broken:
        broken.setattr(SupervisedTrainer, "_losses", fail)
        with pytest.raises(LossNotFinite):
            train.train(settings)
    return settings


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["projectors", "instruction"])
def test_it_goes_on_to_the_same_weights(settings, monkeypatch, stage, tmp_path):
    settings = replace(settings, stage=stage, projectors=stage == "instruction")
    cut = stopped(settings, monkeypatch)
    train.train(cut)
    train.train(replace(cut, out=tmp_path / "unbroken"))
    name = "model.safetensors" if stage == "projectors" else "adapter_model.safetensors"
    wanted, found = load_file(tmp_path / "unbroken" / name), load_file(cut.out / name)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[key], found[key]) for key in wanted)
    logged = [(line["step"], line["loss"]) for line in lines(cut.out) if "loss" in line]
    assert logged == [(line["step"], line["loss"]) for line in lines(tmp_path / "unbroken") if "loss" in line]
    assert all({"accuracy", "tokens_per_second"} <= set(line) for line in lines(cut.out) if "loss" in line)


def test_an_update_is_the_mean_over_its_tokens_however_it_is_divided(settings, tmp_path):
    """Batches of unequal numbers of tokens, and a last one that is filled up."""
    optimiser = replace(FAST, steps=0, epochs=1, batch=4, accumulation=1)
    train.train(replace(settings, optimiser=optimiser))
    divided = replace(settings, out=tmp_path / "divided", optimiser=replace(optimiser, batch=1, accumulation=4))
    train.train(replace(divided, running=replace(settings.running, row_tokens=300)))
    for ours, theirs in zip(lines(settings.out)[:3], lines(divided.out)[:3], strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-3)


def test_the_best_state_of_held_out_records_is_the_result(settings, data):
    """Too high a learning rate: an early state is the best."""
    evaluation = Evaluation(str(data), settings.root, every=1, best="loss", patience=1)
    optimiser = replace(FAST, learning_rate=3.0, steps=9, schedule="constant")
    result = train.train(replace(settings, optimiser=optimiser, evaluation=evaluation))
    scores = {line["step"]: line["eval_loss"] for line in lines(settings.out) if "eval_loss" in line}
    best = min((step for step in scores if step), key=scores.__getitem__)
    held_out = json.loads((settings.out / "training.json").read_text())["held_out"]
    assert result.steps == best + 1 < 9
    assert held_out["step"] == best
    assert held_out["loss"] == pytest.approx(scores[best], abs=1e-5)
    assert held_out["perplexity"] == pytest.approx(torch.tensor(held_out["loss"]).exp().item(), rel=1e-5)


def test_adapters_go_on_from_others_and_have_the_form_that_is_asked_for(settings, tmp_path, capsys):
    lora = replace(
        settings.lora, targets=["q_proj", "down_proj"], rank_pattern={"down_proj": 2}, rslora=True, dora=True
    )
    train.train(replace(settings, lora=lora))
    found = load_file(settings.out / "adapter_model.safetensors")
    layers = {name.split(".")[-3] for name in found if "lora_A" in name}
    assert layers == {"q_proj", "down_proj"}
    assert {len(found[name]) for name in found if "down_proj.lora_A" in name} == {2}
    assert any("lora_magnitude_vector" in name for name in found)
    further = replace(settings, out=tmp_path / "further", start=str(settings.out), optimiser=replace(FAST, steps=1))
    train.train(further)
    begun, ended = lines(settings.out)[0]["loss"], lines(further.out)[0]["loss"]
    assert ended < begun - 0.1
    assert load_file(further.out / "adapter_model.safetensors").keys() == found.keys()
    with pytest.raises(SystemExit):
        train.train(replace(further, out=tmp_path / "wrong", projectors=True))
    assert "it was trained with projectors=false; say so here too" in capsys.readouterr().err


def test_a_stream_trains_as_long_as_it_is_told(settings, capsys):
    running = replace(settings.running, buffer=20)
    result = train.train(replace(settings, stream=True, running=running))
    assert result.steps == 3
    assert "a stream of conversations: 3 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stage=projector", "stage 'projector': one of projectors, instruction"),
        ("mix=[1,2]", "mix needs a number above 0 for each of the 1 files"),
        ("stream=true", "stream needs optimiser.steps"),
        ("lora.targets=[q]", "lora.targets: 'q'; of q_proj"),
        ("running.report_to=[wandbb]", "running.report_to: 'wandbb'; of wandb"),
        ("evaluation.best=loss", "need held-out records: evaluation.data"),
        ("data=gone.jsonl", "gone.jsonl: there is no such file; data= names files of conversations"),
    ],
)
def test_wrong_settings_end_in_one_line(settings, change, message, capsys):
    given = [f"data={settings.data[0]}", "model=avere_nano", f"out={settings.out}", "optimiser.steps=0", change]
    command = ["run", "avere_sft", *given]
    if change.startswith("data"):  # told before torch is imported
        with pytest.raises(SystemExit, match="2"):
            cli.main(command)
    else:
        assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_projectors_beside_weights_in_bfloat16_are_trained_in_float32(settings, models):
    """Their steps would be rounded away; media are prepared as in the evaluation, in no autocast."""
    running = replace(settings.running, dtype="bfloat16")
    settings = replace(settings, model=str(models["version 2"]), stage="projectors", running=running)
    train.train(replace(settings, optimiser=replace(FAST, steps=1, batch=1, accumulation=1)))
    kinds = {name: value.dtype for name, value in load_file(settings.out / "model.safetensors").items()}
    assert kinds["clip_encoder.fusion_projector.weight"] == torch.float32
    assert kinds["lm_head.weight"] == torch.bfloat16


@pytest.mark.parametrize(
    ("change", "package"),
    [
        ("running.quantise=4bit", "bitsandbytes"),
        ("optimiser.form=paged_adamw_8bit", "bitsandbytes"),
        ("running.report_to=[mlflow]", "mlflow"),
        ("running.liger=true", "liger-kernel"),
    ],
)
def test_a_library_that_is_not_installed_is_named(settings, monkeypatch, change, package, capsys):
    """bitsandbytes, Liger and what reports are no dependencies of this package."""
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    monkeypatch.setattr(arguments, "find_spec", lambda name: None)
    monkeypatch.setattr(liger, "find_spec", lambda name: None)
    given = [f"data={settings.data[0]}", f"root={settings.root}", f"out={settings.out}", "running.check_media=false"]
    with pytest.raises(SystemExit):
        cli.main(["run", "avere_sft", f"model={settings.model}", *given, "running.device=cpu", change])
    said = capsys.readouterr().err
    assert f"{change.replace('[', '').replace(']', '')}: {package} is not installed: pip install {package}" in said
    assert not (settings.out / "training.json").exists()


def test_micro_batches_by_tokens_make_the_same_update(settings, tmp_path, monkeypatch):
    """Of 9 conversations the last update has one; projectors are trained too."""
    settings = replace(settings, projectors=True, optimiser=replace(FAST, learning_rate=1e-3, steps=0))
    train.train(settings)
    running = replace(settings.running, max_tokens_per_micro_batch=200)
    capped = replace(settings, out=tmp_path / "capped", running=running)
    passes, compute = [], SupervisedTrainer._losses

    def seen(trainer, model, examples, ahead):
        passes.append(len(examples))
        return compute(trainer, model, examples, ahead)

    monkeypatch.setattr(SupervisedTrainer, "_losses", seen)
    train.train(capped)
    assert sum(passes) == 9
    assert len(passes) > 3
    assert max(passes) > 1
    for ours, theirs in zip(lines(settings.out), lines(capped.out), strict=True):
        for name in {"loss", "accuracy", "grad_norm"} & theirs.keys():
            assert ours[name] == pytest.approx(theirs[name], abs=1e-6, rel=1e-6), name


def test_ligers_kernels_are_refused_without_a_gpu(settings, monkeypatch, capsys):
    monkeypatch.setattr(liger, "find_spec", lambda name: name)
    with pytest.raises(SystemExit):
        train.train(replace(settings, running=replace(settings.running, liger=True)))
    assert "running.liger=true: Liger's kernels need a GPU; use running.liger=false\n" in capsys.readouterr().err
    assert not (settings.out / "training.json").exists()


def test_ligers_kernels_are_put_into_the_language_model_alone(models, monkeypatch):
    """Where liger-kernel is installed; a class that it does not know is refused."""
    pytest.importorskip("liger_kernel")
    from transformers.models.llama import modeling_llama

    for name in ("LlamaRMSNorm", "LlamaMLP", "apply_rotary_pos_emb"):  # Liger replaces them for good
        monkeypatch.setattr(modeling_llama, name, getattr(modeling_llama, name))
    model = loading.load(models["avere"], CPU, torch.float32, 0).model
    liger.apply(model, "running.liger=true")
    decoder = model.get_decoder()
    parts = decoder.norm, decoder.layers[0].mlp, decoder.layers[0].input_layernorm
    assert all("liger" in part.forward.__module__ for part in parts)
    assert "liger" not in model.forward.__module__ + decoder.forward.__module__
    decoder.config.model_type = "other"
    with pytest.raises(SystemExit):
        liger.apply(model, "running.liger=true")
