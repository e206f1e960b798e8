"""Training on a model of random weights: what a step is made of, what moves, what is logged, what is kept."""

import contextlib
import json
import math
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
import yaml
from hypothesis import given
from hypothesis import strategies as st
from transformers.integrations import deepspeed

from avem_train import cli, config
from avem_train.backbones import base as backbones
from avem_train.backbones import loading
from avem_train.data import checks, responses
from avem_train.data.negatives import Negatives
from avem_train.dpo import logprobs, memory_estimate, reference_cache, start_report, train
from avem_train.dpo.arguments import training_arguments
from avem_train.dpo.dataset import EpochSampler, PreferenceDataset, Sample
from avem_train.dpo.scoring import BatchLogps
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import SCHEDULES, Optimiser
from avem_train.dpo.termination import Termination
from avem_train.dpo.trainer import PreferenceTrainer
from avem_train.objectives import Objective, avem_dpo_loss
from avem_train.packing.tree import SHARED, Packing
from model_adapters.avere import AvereForConditionalGeneration

FAST = Optimiser(learning_rate=1e-2, batch=2, accumulation=2, steps=3)


@pytest.fixture
def settings(tiny_avere, preference_file, tmp_path):
    running = Running(device="cpu", save_every=0, tensorboard=False, reference=str(tmp_path / "kept"))
    return DpoSettings(preference_file, tmp_path / "out", str(tiny_avere), optimiser=FAST, running=running)


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(0, 3))
def test_an_epoch_is_every_record_once_however_it_is_divided(records, batch, processes, accumulation, epoch):
    update = batch * processes * accumulation
    sampler = EpochSampler(records, batch * processes, update, seed=5)
    sampler.set_epoch(epoch)
    samples = list(sampler)
    assert len(samples) == len(sampler)
    assert len(samples) % (batch * processes) == 0
    assert Counter(sample.record for sample in samples if sample.weight) == dict.fromkeys(range(records), 1)
    alone = EpochSampler(records, 1, update, seed=5)
    alone.set_epoch(epoch)
    assert [sample.record for sample in alone] == [sample.record for sample in samples if sample.weight]
    for start in range(0, len(samples), update):
        weight = [sample.weight for sample in samples[start : start + update]]
        assert math.isclose(sum(weight), len(weight))


adapters = train.adapters


@contextlib.contextmanager
def moved(settings, backbone):
    """The adapters as after some training: the policy is not the reference."""
    with adapters(settings, backbone) as model:
        generator = torch.Generator().manual_seed(7)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.05, generator=generator)
        yield model


def test_the_loss_is_the_objectives_at_the_logged_step(settings, backbone, monkeypatch):
    settings = replace(settings, objective=Objective(0.3, 0.7, 0.3, gamma_tpd=0.4, lambda_av=1.5))
    monkeypatch.setattr(train, "adapters", moved)
    train.train(settings, backbone)
    first = lines(settings.out)[0]
    records = checks.read(settings.data)
    drawn = [sample.record for sample in list(EpochSampler(10, 2, 4, settings.seed))[:4]]
    planned = [responses.Plan(records, settings.objective, settings.negatives, 0, 0)[number] for number in drawn]
    names = ("chosen", "video_relevant", "emotion_relevant", "rejected_media")

    def scored(model, asked, names):
        flat = [response for of_record in asked for response in of_record.values()]
        with torch.no_grad():
            total = logprobs.score(model, backbone, flat, Packing(share=False)).total
        return BatchLogps.of(names, asked, total).logps

    with moved(settings, backbone) as model:
        policy = scored(model, [one.media for one in planned], names)
        with model.disable_adapter():
            reference = scored(model, [one.media for one in planned], names)
            text = scored(model, [one.text_only for one in planned], names[:3])
    given = {"beta": 0.3, "beta_vr": 0.7, "beta_er": 0.3, "gamma_tpd": 0.4, "lambda_av": 1.5}
    loss, parts = avem_dpo_loss(policy, reference, text, **given)
    assert first["loss"] == pytest.approx(loss.mean().item(), abs=1e-5)
    for name, part in parts.items():
        assert first[name] == pytest.approx(part.mean().item(), abs=1e-4), name
    assert first["logps/chosen"] == pytest.approx(policy.chosen.mean().item(), abs=1e-4)
    assert {"margins/yes_no", "grad_norm", "learning_rate", "records_per_second"} <= set(first)
    assert "mfu" not in first  # a CPU's peak is not known
    for wrong in (
        avem_dpo_loss(reference, policy, text, **given),
        avem_dpo_loss(policy, policy, text, **given),
        avem_dpo_loss(policy, reference, text, **given | {"beta_vr": 0.3, "beta_er": 0.7}),
        avem_dpo_loss(policy, reference, None, **given),
    ):
        assert abs(wrong[0].mean() - loss.mean()) > 1e-3  # each of these would be noticed


@pytest.mark.parametrize("keep", [True, False], ids=["cached", "live"])
def test_prompts_without_media_are_not_padded_to_the_length_of_those_with_media(settings, backbone, monkeypatch, keep):
    """At the size of AVERE-7B prompts the frozen pass of mixed batches was 1.3 to 4 times the work."""
    score, calls = logprobs.score, []

    def seen(model, backbone, given, *rest, **more):
        calls.append({bool(response.sources) for response in given})
        return score(model, backbone, given, *rest, **more)

    monkeypatch.setattr(logprobs, "score", seen)
    train.train(replace(settings, running=replace(settings.running, keep_reference=keep)), backbone)
    assert calls.count({False}) >= 1
    assert {True, False} not in calls


@pytest.mark.parametrize(("cache", "kept"), [(0, True), (1 << 26, False)])
def test_a_medium_is_encoded_once_a_batch(cache, kept, settings, tiny_avere):
    """However many responses are about it; where the reference is live, policy and reference have the same features."""
    loaded = loading.load(tiny_avere, torch.device("cpu"), torch.float32, cache)
    settings = replace(settings, running=replace(settings.running, keep_reference=kept))
    arguments, records = training_arguments(settings), checks.read(settings.data)
    dataset = PreferenceDataset(records, settings.objective, settings.negatives, 0, loaded, watch=(5, 6))
    dataset.cached = train.cached_logps(settings, arguments, dataset)
    calls = Counter()
    for encoder in backbones.encoders(loaded):
        encoder.register_forward_pre_hook(lambda module, _given: calls.update([id(module)]))
    with adapters(settings, loaded) as model:
        trainer = PreferenceTrainer(model, dataset, args=arguments)
        trainer.compute_loss(model, {"samples": [Sample(number, 1.0, 0) for number in range(4)]}).backward()
    loaded.close()
    asked = [response for one in dataset.responses(0)[:4] for response in one.media.values()]
    sources = [source for response in asked for source in response.sources]
    assert len(sources) == 32
    assert Counter(source.kind for source in set(sources)) == {"video": 4, "audio": 4}
    assert list(calls.values()) == [4] * 4  # the encoder and the projector of either


def test_every_epoch_of_a_redraw_has_media_of_its_own(settings, backbone, monkeypatch):
    settings = replace(settings, negatives=Negatives(redraw=True), optimiser=replace(FAST, steps=0, epochs=2))
    found, scored = [], logprobs.score

    def score(model, given, asked, *rest, **more):
        if more.get("watch") or len(rest) > 1:  # the policy, one batch after the other
            found.append(set(asked))
        return scored(model, given, asked, *rest, **more)

    monkeypatch.setattr(logprobs, "score", score)
    train.train(settings, backbone)
    assert len(found) == 10  # five batches an epoch
    records = checks.read(settings.data)
    planned = [responses.Plan(records, settings.objective, settings.negatives, 0, epoch) for epoch in (0, 1)]
    wanted = [{response for one in of_epoch for response in one.media.values()} for of_epoch in planned]
    assert [set.union(*found[:5]), set.union(*found[5:])] == wanted
    assert len(wanted[0] ^ wanted[1]) > 4


def test_training_teaches_and_leaves_the_model_as_it_was(settings, backbone):
    before = {name: tensor.clone() for name, tensor in backbone.model.state_dict().items()}
    result = train.train(replace(settings, optimiser=replace(FAST, steps=12, accumulation=5)), backbone)
    after = backbone.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    trained = weights(settings.out)
    assert all(tensor.abs().max() > 0 for tensor in trained.values())
    log = [line for line in lines(settings.out) if "loss" in line]
    assert result.steps == 12
    assert len(log) == 12
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[-1]["margins/media"] > 0.01
    assert log[-1]["accuracies/response"] > log[0]["accuracies/response"]
    again = train.train(replace(settings, optimiser=replace(FAST, steps=12, accumulation=5)), backbone)
    assert again.steps == 12
    assert again.metrics == result.metrics


class InterruptedWithin(Termination):
    """A signal that comes while the update after step `at` is under way."""

    def __init__(self, at):
        super().__init__()
        self.at, self.batches = at, 0

    def on_substep_end(self, args, state, control, **kwargs):
        self.requested = self.requested or state.global_step == self.at
        self.batches += self.requested
        super().on_substep_end(args, state, control, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 2])
def test_interrupted_within_an_update_it_ends_at_once_and_goes_on_to_the_same_weights(settings, backbone, capsys, at):
    settings = replace(settings, optimiser=replace(FAST, batch=1, accumulation=6, steps=3))
    train.train(settings, backbone)
    other, interrupted = replace(settings, out=settings.out.with_name("other")), InterruptedWithin(at)
    with pytest.raises(SystemExit):
        train.train(other, backbone, interrupted)
    assert interrupted.batches == 1
    assert ("after step 2 of 3, which is saved" if at else "before the first update") in capsys.readouterr().err
    assert len(list(other.out.glob("checkpoints/checkpoint-*"))) == (1 if at else 0)
    train.train(other, backbone)
    assert all(torch.equal(tensor, weights(other.out)[name]) for name, tensor in weights(settings.out).items())


def variants(settings, tmp_path):
    running = settings.running
    return {
        "plain": replace(settings, running=replace(running, packed=False)),
        "joined": replace(settings, running=replace(running, row_tokens=2000)),
        "live": replace(settings, running=replace(running, keep_reference=False)),
        "checkpointing": replace(settings, running=replace(running, checkpointing=True)),
        "accumulation": replace(settings, optimiser=replace(FAST, batch=4, accumulation=1)),
        "own seed": replace(settings, seed=1),
    }


@pytest.mark.slow
def test_ways_that_must_not_matter_do_not(settings, backbone, tmp_path):
    train.train(settings, backbone)
    wanted = weights(settings.out)
    for name, variant in variants(settings, tmp_path).items():
        variant = replace(variant, out=tmp_path / name)
        train.train(variant, backbone)
        same = all(torch.allclose(wanted[key], tensor, atol=2e-4) for key, tensor in weights(variant.out).items())
        assert same == (name != "own seed"), name


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["naive_dpo", "vista_dpo", "avem_dpo_no_pmp", "avem_dpo_no_erp", "avem_dpo_no_tpd"])
def test_every_recipe_trains(recipe, settings, backbone, monkeypatch):
    content = config.read(recipe, ["data=x", "out=y"])
    content.pop("program")
    filled = config.from_mapping(DpoSettings, content)
    settings = replace(settings, objective=filled.objective, negatives=filled.negatives)
    asked, scored = [], logprobs.score

    def score(model, given, responses, *rest, **more):
        asked.extend(responses)
        return scored(model, given, responses, *rest, **more)

    monkeypatch.setattr(logprobs, "score", score)
    train.train(replace(settings, optimiser=replace(FAST, steps=1)), backbone)
    responses = {prompt: {one.text for one in asked if one.prompt == prompt} for prompt in {r.prompt for r in asked}}
    alone = recipe in ("naive_dpo", "avem_dpo_no_erp")  # the chosen response and one that is rejected
    assert {len(said) for said in responses.values()} == {2 if alone else 3}
    assert len(responses) == 10
    line = lines(settings.out)[0]
    assert ("margins/media" in line) == (recipe not in ("naive_dpo", "avem_dpo_no_pmp"))
    assert (line["tpd"] != 0) == (recipe not in ("naive_dpo", "vista_dpo", "avem_dpo_no_tpd"))


def test_recipes_differ_from_the_papers_in_what_they_name():
    paper = config.read("avem_dpo", ["data=x", "out=y"])
    paper.pop("program")
    filled = config.from_mapping(DpoSettings, paper)
    assert filled == DpoSettings(Path("x"), Path("y"))  # the defaults are the paper's
    assert (filled.optimiser.learning_rate, filled.optimiser.batch, filled.optimiser.accumulation) == (5e-7, 2, 4)
    assert (filled.optimiser.epochs, filled.optimiser.warm_up, filled.optimiser.schedule) == (1, 0.1, "linear")
    assert filled.objective == Objective(0.1, 0.5, 0.5, gamma_tpd=0.2, lambda_av=1.0)
    assert filled.lora.alpha / filled.lora.rank == 4
    base = config.read("vista_dpo", [])
    assert base["objective"] == paper["objective"] | {"gamma_tpd": 0.0}
    assert base["negatives"] == paper["negatives"] | {"change": "both"}
    for key in ("lora", "optimiser"):
        assert base[key] == paper[key]


def test_kept_values_are_used_only_for_what_they_were_computed_for(settings, backbone, tmp_path, make_clip):
    clip = make_clip(tmp_path / "clip.mp4", seconds=0.5)
    response = responses.Response((responses.Source("video", str(clip)),), "Why?", "Yes")
    blind = responses.Response((), "Why?", "Yes")

    def compute(*asked):
        cached = reference_cache.CachedLogps(tmp_path / "store", backbone, "float32")
        return reference_cache.compute_missing(cached, backbone, [asked], 2, SHARED), cached

    assert compute(response, blind)[0] == 2
    count, cached = compute(response, blind)
    assert count == 0
    assert cached[response] != cached[blind]
    assert compute(replace(response, text="No"), replace(response, prompt="How?"))[0] == 2
    with next((tmp_path / "store").glob("*/0.jsonl")).open("a") as file:
        file.write('["cut sho')
    assert compute(response, replace(blind, text="No"))[0] == 1
    assert compute(response, replace(blind, text="No"))[0] == 0
    make_clip(clip, seconds=0.9)  # another file under the same name
    assert compute(response, blind)[0] == 1
    same_size_and_time = clip.stat()
    content = clip.read_bytes()
    clip.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(clip, ns=(same_size_and_time.st_atime_ns, same_size_and_time.st_mtime_ns))
    assert compute(response, blind)[0] == 1
    clip.rename(tmp_path / "moved.mp4")
    moved = replace(response, sources=(responses.Source("video", str(tmp_path / "moved.mp4")),))
    assert compute(moved, blind)[0] == 0
    (tmp_path / "moved.mp4").rename(clip)
    backbone.template += " "
    try:
        assert compute(response, blind)[0] == 2
    finally:
        backbone.template = backbone.template[:-1]


@pytest.mark.parametrize("name", ["tokenizer_config.json", "processor_config.json"])
def test_kept_values_go_with_the_tokenizer_and_the_feature_extractor(tiny_avere, tmp_path, name):
    base = tmp_path / "base"
    shutil.copytree(tiny_avere, base)

    def lacking():
        loaded = loading.load(base, torch.device("cpu"), torch.float32, 0)
        cached = reference_cache.CachedLogps(tmp_path / "store", loaded, "float32")
        loaded.close()
        return reference_cache.compute_missing(cached, loaded, [[responses.Response((), "Why?", "Yes")]], 2, SHARED)

    assert [lacking(), lacking()] == [1, 0]
    (base / name).write_text((base / name).read_text() + " ")
    assert lacking() == 1


def test_a_store_that_cannot_be_written_ends_in_one_line(settings, tiny_avere, capsys):
    store = settings.out.with_name("a file")
    store.write_text("")
    command = ["run", "avem_dpo", f"model={tiny_avere}", f"data={settings.data}", f"out={settings.out}"]
    with pytest.raises(SystemExit) as left:
        cli.main([*command, "running.device=cpu", f"running.reference={store}"])
    assert left.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "emorealm: " in line]
    assert str(store) in line
    assert "running.reference=" in line


def test_the_first_process_alone_shows_how_far_the_reference_is(backbone, tmp_path, capsys):
    for process, shown in ((1, False), (0, True)):
        cached = reference_cache.CachedLogps(tmp_path / str(process), backbone, "float32", process)
        assert (
            reference_cache.compute_missing(cached, backbone, [[responses.Response((), "Why?", "Yes")]], 2, SHARED) == 1
        )
        assert ("reference" in capsys.readouterr().err) == shown


@pytest.mark.slow
def test_sweeps_compute_the_reference_once(settings, backbone, tmp_path, monkeypatch):
    counts = []
    computed = reference_cache.compute_missing
    monkeypatch.setattr(
        reference_cache, "compute_missing", lambda *given: counts.append(computed(*given)) or counts[-1]
    )
    one = replace(settings, optimiser=replace(FAST, steps=1))
    train.train(one, backbone)
    train.train(replace(one, out=tmp_path / "b", objective=Objective(gamma_tpd=0.4, beta=0.2)), backbone)
    train.train(replace(one, out=tmp_path / "c", negatives=Negatives(change="both")), backbone)
    train.train(replace(one, out=tmp_path / "d", negatives=Negatives(redraw=True)), backbone)  # live
    assert counts[0] > 60
    assert counts[1] == 0
    assert 0 < counts[2] < 20
    assert len(counts) == 3


def test_a_loss_that_is_no_number_names_the_record(settings, backbone, monkeypatch, capsys, tiny_avere):
    broken = settings.data.parent / "broken.jsonl"
    text = settings.data.read_text().replace('"chosen": "A"', '"chosen": "A BROKEN"', 1)
    broken.write_text(text)
    named = next(json.loads(line)["id"] for line in text.splitlines() if "BROKEN" in line)
    scored = logprobs.score

    def score(model, backbone, asked, *given, **more):
        result = scored(model, backbone, asked, *given, **more)
        bad = torch.tensor(["BROKEN" in response.text for response in asked])
        return replace(result, total=result.total.masked_fill(bad, float("nan")))

    monkeypatch.setattr(logprobs, "score", score)
    arguments = ["run", "avem_dpo", f"model={tiny_avere}", f"data={broken}", f"out={settings.out}"]
    arguments += ["running.save_every=0", "running.tensorboard=false", "running.keep_reference=false"]
    with pytest.raises(SystemExit) as stopped:
        cli.main([*arguments, "running.device=cpu"])
    assert stopped.value.code == 2
    assert f"the loss of record '{named}' is no number at step" in capsys.readouterr().err
    assert not (settings.out / "adapter_model.safetensors").exists()


def test_another_training_is_not_overwritten(settings, backbone, capsys):
    one = replace(settings, optimiser=replace(FAST, steps=1))
    train.train(one, backbone)
    with pytest.raises(SystemExit):
        train.train(replace(one, seed=3), backbone)
    assert "its settings differ (seed: 0 there, 3 here)" in capsys.readouterr().err


def test_what_a_folder_holds(settings, backbone, tiny_avere, capsys):
    train.train(replace(settings, running=replace(settings.running, tensorboard=True)), backbone)
    about = json.loads((settings.out / "training.json").read_text())
    assert about["data"]["records"] == 10
    assert len(about["data"]["sha256"]) == 64
    assert about["steps"] == 3
    assert {"torch", "transformers", "peft"} <= set(about["versions"])
    recipe = yaml.safe_load((settings.out / "recipe.yaml").read_text())
    assert recipe.pop("program") == "preference"
    assert config.from_mapping(DpoSettings, recipe) == replace(
        settings, running=replace(settings.running, tensorboard=True)
    )
    adapter = json.loads((settings.out / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == str(tiny_avere.resolve())
    assert (adapter["r"], adapter["lora_alpha"]) == (8, 32)
    assert list((settings.out / "tensorboard").iterdir())
    assert not (settings.out / "checkpoints").exists()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("training "))
    whole = sum(p.numel() for p in AvereForConditionalGeneration.from_pretrained(tiny_avere).parameters())
    trained = sum(tensor.numel() for tensor in weights(settings.out).values())
    assert f"training {trained:,} of {whole + trained:,} parameters (LoRA, rank 8) on 10 records" in line
    for part in ("3 steps of 4 records", "tokens each", "MiB on cpu"):
        assert part in line


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("packing", [Packing(False), Packing(), Packing(row_tokens=2000)])
@pytest.mark.parametrize("mixed", [False, True])
def test_the_memory_estimated_is_what_a_step_holds(settings, backbone, tiny_avere, packing, mixed, checkpointing):
    """Weights with the encoders, gradients and AdamW's two moments of the adapters, and what is kept for backward."""
    running = replace(settings.running, mixed=mixed, checkpointing=checkpointing)
    settings = replace(settings, running=running)
    arguments, records = training_arguments(settings), checks.read(settings.data)
    dataset = PreferenceDataset(
        records, settings.objective, settings.negatives, 0, backbone, watch=(5, 6), packing=packing
    )
    dataset.cached = train.cached_logps(settings, arguments, dataset)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with adapters(settings, backbone) as model:
        trainer = PreferenceTrainer(model, dataset, args=arguments)
        asked = [dataset.responses(0)[number] for number in range(2)]
        batch = memory_estimate.batch_of(dataset, asked)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), arguments_autocast(mixed):
            trainer.compute_loss(model.train(), {"samples": [Sample(number, 1.0, 0) for number in range(2)]})
        for parameter in model.parameters():
            kept.pop(parameter.untyped_storage().data_ptr(), None)
        estimated = start_report.needed(settings, trainer, batch)
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    whole = sum(p.numel() for p in AvereForConditionalGeneration.from_pretrained(tiny_avere).parameters()) + trained
    assert estimated.weights == 4 * whole
    assert estimated.optimiser == 3 * 4 * trained
    saved = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    if not checkpointing:
        shared = 0 if mixed else estimated.mask  # else it is alive, but its copies are saved
        assert (estimated.layers + shared + estimated.logits / 3) / saved == pytest.approx(1, abs=0.1)
    else:
        assert saved < estimated.layers
    assert start_report.size(estimated.total) == f"{estimated.total / 2**20:.1f} MiB"
    assert start_report.size(3.25 * 2**30) == "3.2 GiB"


@pytest.mark.parametrize("mixed", [False, True])
def test_autocast_alone_casts_the_inputs_of_adapters(settings, backbone, monkeypatch, mixed):
    casts = []

    def look(self, **_):
        casts.extend(part.cast_input_dtype_enabled for part in self.model.modules() if hasattr(part, "lora_A"))

    monkeypatch.setattr(PreferenceTrainer, "train", look)
    train.train(replace(settings, running=replace(settings.running, mixed=mixed)), backbone)
    assert casts
    assert set(casts) == {not mixed}


def arguments_autocast(mixed):
    return torch.autocast("cpu", torch.bfloat16, enabled=mixed)


def test_the_memory_estimated_is_that_of_the_longest_records(settings, backbone, tmp_path):
    rows = [json.loads(line) for line in settings.data.read_text().splitlines()]
    rows[9]["chosen"] = "A " * 200
    for row in rows:
        row["video"] = str(settings.data.parent / row["video"])
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sizes = []
    for data in (settings.data, tmp_path / "long.jsonl"):
        records = checks.read(data, settings.data.parent)
        dataset = PreferenceDataset(records, settings.objective, settings.negatives, 0, backbone)
        found = memory_estimate.largest(dataset, 1)
        of_each = [memory_estimate.batch_of(dataset, [one]).tokens for one in dataset.responses(0)]
        assert found.tokens == max(of_each)
        sizes.append(found.tokens)
    assert sizes[1] > sizes[0] + 400


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optimiser.batch=0", "batch, accumulation and epochs must be at least 1"),
        ("objective.video_relevant=0.7", "sum to 1"),
        ("running.device=tpu", "device must be auto or cpu"),
        ("lora.rnk=4", "did you mean 'rank'"),
        ("negatives.kind=noise", "negatives.kind"),
        ("optimiser.schedule=foo", "optimiser.schedule 'foo': one of linear, cosine"),
        ("optimiser.schedule=cosine_with_min_lr", "one of linear, cosine"),  # needs settings that there are none of
        ("optimiser.learning_rate=0", "learning_rate must be above 0"),
        ("optimiser.learning_rate=.nan", "learning_rate must be above 0"),
        ("optimiser.clip=-1", "clip at least 0"),
        ("optimiser.weight_decay=-0.1", "weight_decay and clip at least 0"),
        ("lora.rank=0", "rank and alpha must be at least 1"),
        ("lora.alpha=-32", "rank and alpha must be at least 1"),
        ("running.log_every=0", "log_every must be at least 1"),
        ("running.save_every=-5", "save_every and feature_cache_gb at least 0"),
        ("seed=-1", "seed must be 0 to 2**32 - 1"),
        ("on_bad_record=ignore", "on_bad_record 'ignore': one of stop, skip"),
        ("objective.beta=.nan", "beta must be above 0"),
    ],
)
def test_wrong_settings_end_in_one_line(override, said, preference_file, capsys):
    assert cli.main(["run", "avem_dpo", f"data={preference_file}", "out=y", override]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_runs_without_more_settings(name):
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], lr=5e-8)
    assert name in {one.value for one in transformers.SchedulerType}
    schedule = transformers.get_scheduler(name, optimiser, num_warmup_steps=2, num_training_steps=9)
    assert 0 < schedule.get_last_lr()[0] <= 5e-8 or name != "constant"


def test_a_response_that_brings_its_closing_token_is_refused_before_training(settings, tiny_avere, capsys):
    marked = settings.data.parent / "marked.jsonl"
    marked.write_text(settings.data.read_text().replace('"chosen": "A"', '"chosen": "A</s>"', 1))
    command = ["run", "avem_dpo", f"model={tiny_avere}", f"data={marked}", f"out={settings.out}"]
    with pytest.raises(SystemExit):
        cli.main([*command, "running.device=cpu"])
    assert "chosen ends in '</s>', which training adds itself; take it off" in capsys.readouterr().err


@pytest.mark.slow
def test_weights_in_bfloat16_train_packed_on_a_cpu(settings):
    running = replace(settings.running, dtype="bfloat16")
    for packed in (True, False):
        out = settings.out.with_name(f"packed {packed}")
        train.train(replace(settings, out=out, running=replace(running, packed=packed)))
        assert all(tensor.isfinite().all() for tensor in weights(out).values())
    first, plain = (lines(settings.out.with_name(f"packed {packed}"))[0]["loss"] for packed in (True, False))
    assert first == pytest.approx(plain, abs=0.1)


def test_weights_are_loaded_whole_also_where_transformers_would_load_them_in_shares(settings):
    """As under `_zero3`: the encoders run beside the model, so their weights must be there (test_zero.py trains so)."""

    class Shared:
        def is_zero3(self):
            return True

    shared = Shared()
    deepspeed.set_hf_deepspeed_config(shared)
    assert deepspeed.is_deepspeed_zero3_enabled()
    training_arguments(settings)
    assert not deepspeed.is_deepspeed_zero3_enabled()
