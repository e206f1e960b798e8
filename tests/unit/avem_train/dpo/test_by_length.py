"""Preference training with records of about one length in a batch: every record once, and the same order each time."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from avem_train.data import checks
from avem_train.data.negatives import Negatives
from avem_train.dpo import train
from avem_train.dpo.dataset import EpochSampler, PreferenceDataset
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Optimiser
from avem_train.dpo.trainer import PreferenceTrainer
from avem_train.objectives import Objective


def order(epoch, lengths, seed=5):
    sampler = EpochSampler(len(lengths), 4, 8, seed)
    sampler.lengths = lengths
    sampler.set_epoch(epoch)
    return [sample.record for sample in sampler if sample.weight]


def test_an_epoch_is_every_record_once_in_batches_of_about_one_length_and_the_seeds_own():
    lengths = torch.randint(1, 1000, (403,), generator=torch.Generator().manual_seed(0))
    epochs = [order(epoch, lengths) for epoch in (0, 1)]
    assert epochs == [order(epoch, lengths) for epoch in (0, 1)]
    assert epochs[0] != epochs[1] != order(1, lengths, seed=6)
    for found in epochs:
        assert sorted(found) == list(range(403))
        batches = [lengths[found[start : start + 4]] for start in range(0, 400, 4)]
        assert sum(int(batch.max() - batch.min()) for batch in batches) / len(batches) < 60  # 600 by chance


def test_lengths_are_those_of_texts_and_of_the_media_that_the_model_takes(preference_file, backbone):
    first, *_ = checks.read(preference_file)
    longer = replace(first, prompt=first.prompt + "?" * 10)
    deaf = replace(first, taken=("video",))
    dataset = PreferenceDataset([first, longer, deaf], Objective(), Negatives(), 0, backbone)
    lengths = dataset.lengths().tolist()
    assert lengths[1] - lengths[0] == 10
    assert lengths[2] < lengths[0] - 100


@pytest.fixture
def settings(tiny_avere, preference_file, tmp_path):
    running = Running(device="cpu", save_every=1, tensorboard=False, reference=str(tmp_path / "kept"), by_length=True)
    optimiser = Optimiser(learning_rate=1e-2, batch=2, accumulation=1, steps=3)
    return DpoSettings(preference_file, tmp_path / "out", str(tiny_avere), optimiser=optimiser, running=running)


@pytest.mark.slow
def test_stopped_within_an_epoch_it_goes_on_in_the_same_order(settings, backbone, monkeypatch, capsys):
    seen, loss = [], PreferenceTrainer.compute_loss

    def noted(trainer, model, inputs, *rest, **more):
        seen.append([record for record, *_ in inputs["samples"]])
        if len(seen) == stop_at:
            raise KeyboardInterrupt
        return loss(trainer, model, inputs, *rest, **more)

    monkeypatch.setattr(PreferenceTrainer, "compute_loss", noted)
    stop_at = 0
    train.train(settings, backbone)
    whole, stop_at = seen[:], 2
    other = replace(settings, out=settings.out.with_name("other"))
    seen.clear()
    with pytest.raises(KeyboardInterrupt):
        train.train(other, backbone)
    assert seen == whole[:2]
    seen.clear()
    stop_at = 0
    with pytest.raises(SystemExit, match="2"):
        train.train(replace(other, running=replace(other.running, by_length=False)), backbone)
    assert "holds another training: its update differ (by_length" in capsys.readouterr().err
    train.train(other, backbone)
    assert seen == whole[1:]
    finished = [load_file(one.out / "adapter_model.safetensors") for one in (settings, other)]
    assert all(torch.equal(finished[0][key], finished[1][key]) for key in finished[0])
