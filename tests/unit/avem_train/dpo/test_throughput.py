"""What a training logs of its speed: operations as torch counts them, the devices' peaks, pauses left out."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaModel

from avem_train.data import checks
from avem_train.dpo import model_inputs, operations, throughput, train
from avem_train.dpo.dataset import PreferenceDataset
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Optimiser
from avem_train.packing import tree


def counted(model, length, backward):
    with FlopCounterMode(display=False) as counter:
        hidden = model(input_ids=torch.ones(1, length, dtype=torch.long), use_cache=False).last_hidden_state
        if backward:
            hidden.sum().backward()
    return counter.get_total_flops()


def test_operations_are_torchs_where_keys_are_fewer_than_queries():
    sizes = {"vocab_size": 100, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3}
    config = LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2, attn_implementation="eager")
    model = LlamaModel(config)
    ours = operations.of_model(config, 0, whole=True)
    assert ours.forward([50]) == counted(model, 50, backward=False)
    recomputed = 0.5 * 4 * ours.attention * 50**2  # by a fused backward pass, which eager attention is not
    assert ours.forward([50]) + ours.backward([50]) - recomputed == counted(model, 50, backward=True)
    assert ours.forward([20, 30]) < ours.forward([50])


@pytest.mark.parametrize(
    ("name", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A10G", 0),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 0),
        ("GeForce GTX 1080", 0),
    ],
)
def test_a_device_has_the_peak_of_its_data_sheet_or_none(name, tera):
    assert throughput.peak(name) == tera * 1e12


def test_pauses_and_what_is_done_in_them_count_for_nothing(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])
    speed = throughput.Throughput(operations.Operations(10, 0, 0), peak=30.0)
    accelerator = SimpleNamespace(device="cpu", num_processes=2, reduce=lambda values, _how: values)
    speed.passed([7])  # a report before the training
    speed.start()
    now[0] += 2
    speed.passed([5])
    speed.finished(4)
    with speed.paused():
        now[0] += 50
        speed.passed([9])
    with torch.no_grad():
        speed.passed([3])  # of the frozen model: work, but no token that is learned from
    work = (3 * 5 + 3) * 2 * 10 - 5 * 2 * 10  # no weight has a gradient, so that a backward pass is as a forward one
    assert speed.take(accelerator) == {
        "tokens_per_second": 2.5,
        "records_per_second": 2.0,
        "mfu": round(work / 2 / 60, 4),
    }
    now[0] += 1
    assert speed.take(accelerator) == {"tokens_per_second": 0.0, "records_per_second": 0.0, "mfu": 0.0}


def test_a_step_logs_its_speed_and_its_share_of_a_known_peak(tiny_avere, preference_file, backbone, tmp_path):
    running = Running(
        device="cpu", save_every=0, tensorboard=False, reference=str(tmp_path / "kept"), peak_flops=1e3, packed=False
    )
    optimiser = Optimiser(batch=10, accumulation=1, steps=1)
    settings = DpoSettings(preference_file, tmp_path / "out", str(tiny_avere), optimiser=optimiser, running=running)
    train.train(settings, backbone)
    line = json.loads((tmp_path / "out" / "log.jsonl").read_text().splitlines()[0])
    seconds = 10 / line["records_per_second"]
    dataset = PreferenceDataset(checks.read(preference_file), settings.objective, settings.negatives, 0, backbone)
    asked = list(dict.fromkeys(one for of in dataset.responses(0) for one in of.media.values()))
    with torch.no_grad():
        backbone.encode([one.sources for one in asked])
    rows = [len(row.tokens) for row in tree.rows(model_inputs.sequences(backbone, asked).tokens, share=False)]
    assert line["tokens_per_second"] * seconds == pytest.approx(sum(rows), rel=2e-3)
    config = backbone.model.config.get_text_config()
    model = operations.of_model(config, operations.lora_parameters(config, settings.lora.rank))
    work = line["mfu"] * 1e3 * seconds
    assert work == pytest.approx(model.forward(rows) + model.backward(rows), rel=2e-3)


def test_trees_of_a_joined_row_count_alone():
    tokens = [[tree.Token(id_, place) for place, id_ in enumerate(ids)] for ids in ([1, 2, 3], [1, 2, 4], [5, 6])]
    (row,) = tree.joined(tree.rows(tokens), 100)
    assert sorted(one.end - one.start for one in tree.trees(row)) == [2, 4]
