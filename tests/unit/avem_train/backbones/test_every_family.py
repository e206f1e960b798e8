"""What every family of `chatml` can do: be trained both ways, go on, be merged, and answer in the harness.

A new family gets these tests with its line in `families` and its tiny model in `tiny_models`.
"""

import contextlib
import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from avem_train import cli
from avem_train.backbones import loading
from avem_train.dpo.trainer import PreferenceTrainer
from chat_requests import requests_for
from trained_families import BY_ADAPTER, CHATML, adapter_class, named

ROOT = Path(__file__).resolve().parents[4]
FAST = ["optimiser.learning_rate=1e-2", "optimiser.accumulation=1", "optimiser.batch=2", "optimiser.warm_up=0"]
FAST += ["running.device=cpu", "running.tensorboard=false"]


@pytest.fixture(scope="module", params=CHATML)
def name(request):
    return request.param


@pytest.fixture(autouse=True)
def small_cache(monkeypatch, tmp_path_factory):
    """What is known of clips is read at every start: of this machine's own it may be much."""
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def answering(name, folder, clip):
    """The model of a folder in the harness, and its next-token logits of a question."""
    model = adapter_class(name)(pretrained=str(folder), device="cpu")
    asked = model.read_request(requests_for(model, [("Why sad?", clip, clip)])[0])
    inputs = model.batch([model.inputs(asked.question, asked.clip)[0]])
    with torch.inference_mode():
        return model, model.model(**inputs, **model.forward_settings(asked.clip)).logits[0, -1]


@pytest.fixture(scope="module")
def untrained(name, tiny_base, clips):
    return answering(name, tiny_base(name), clips[0])


@contextlib.contextmanager
def ending_after_one_update():
    measured = PreferenceTrainer._losses

    def fail(trainer, *given):
        if trainer.state.global_step == 1:
            raise SystemExit(1)
        return measured(trainer, *given)

    with pytest.MonkeyPatch.context() as broken, contextlib.suppress(SystemExit):
        broken.setattr(PreferenceTrainer, "_losses", fail)
        yield


@pytest.mark.slow
def test_it_is_trained_by_preference_goes_on_is_merged_and_answers(
    name, untrained, tiny_base, preference_file, clips, tmp_path, capsys
):
    base, out = tiny_base(name), tmp_path / "out"
    data = preference_file.with_name("four.jsonl")
    data.write_text("".join(preference_file.read_text().splitlines(keepends=True)[:4]))  # two about sound, one of both
    command = ["run", "avem_dpo", f"model={base}", f"data={data}", f"out={out}", "merge=true", "optimiser.steps=2"]
    command += [*FAST, f"running.reference={tmp_path / 'kept'}", "running.save_every=1", "running.checkpointing=true"]
    with ending_after_one_update():
        cli.main(command)
    assert (out / "checkpoints" / "checkpoint-1").is_dir()
    capsys.readouterr()
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    assert f"--model {name} --model_args pretrained={out}" in printed
    lacking = {("video",): "2 of the 4 records ask about audio", ("audio",): "1 of the 4 records ask about video"}
    note = lacking.get(BY_ADAPTER[name].media)
    assert (note in printed) if note else ("of the 4 records ask" not in printed)
    losses = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in losses if "loss" in line] == [1, 2]
    (beside, adapted), (whole, merged) = (answering(name, one, clips[0]) for one in (out / "adapter", out))
    torch.testing.assert_close(merged, adapted, atol=1e-4, rtol=1e-4)
    assert (untrained[1] - adapted).abs().max() > 1e-3
    assert len({model.fingerprint for model in (untrained[0], beside, whole)}) == 3
    assert whole.trained == beside.trained
    assert bool(whole.trained) == ("video" in BY_ADAPTER[name].media)  # sound alone is asked in one way only


def test_it_is_trained_on_conversations_with_its_projectors_and_answers(name, untrained, tiny_base, clips, tmp_path):
    talk = [{"from": "human", "value": "Why sad?"}, {"from": "gpt", "value": "Tears."}]
    data = tmp_path / "talk.json"
    data.write_text(json.dumps([{"video": clip, "conversations": talk} for clip in clips[:2]]))
    base, out = tiny_base(name), tmp_path / "out"
    given = [f"model={base}", f"data={data}", "root=/", f"out={out}", "projectors=true", "optimiser.steps=1", *FAST]
    assert cli.main(["run", "omni_sft", *given]) == 0
    untouched = loading.load(base, torch.device("cpu"), torch.float32, 0)
    untouched.close()
    before = untouched.model.state_dict()
    saved = load_file(out / "adapter_model.safetensors")
    named_as_there = {key.removeprefix("base_model.model."): value for key, value in saved.items()}
    moved = [key for key, value in named_as_there.items() if key in before and not torch.equal(before[key], value)]
    assert untouched.projectors
    assert {one for one in untouched.projectors if any(key.startswith(f"{one}.") for key in moved)} == {
        *untouched.projectors
    }
    assert (untrained[1] - answering(name, out, clips[0])[1]).abs().max() > 1e-3


def test_the_class_of_its_layers_is_told_to_whoever_shards_them(name, tiny_base):
    backbone = loading.load(tiny_base(name), torch.device("cpu"), torch.float32, 0)
    (layers,) = {type(layer).__name__ for layer in backbone.model.get_decoder().layers}
    told = [ROOT / "docs/training.md", *(ROOT / "avem_train/launch").glob("*.yaml")]
    assert any(re.search(rf"\b{layers}\b", path.read_text()) for path in told)


def test_the_harness_has_the_same_classes_and_asks_the_same_way(name):
    """What both say for themselves: training imports none of the harness."""
    family, adapter = BY_ADAPTER[name], adapter_class(name)
    backbone = named(family.backbone)
    assert set(family.model_types) == set(adapter.model_types)
    assert (backbone.model_class, backbone.processor_class) == (adapter.model_class, adapter.processor_class)
    assert named(family.processor) is backbone.processor_class
    assert backbone.system == adapter.default_system
