"""What is done for a batch before its step, and when: behind the step before, ahead of the look that waits."""

from dataclasses import asdict
from itertools import groupby

import pytest
import torch
from accelerate.utils import recursively_apply

from avem_train.data.conversations import Conversation
from avem_train.dpo import model_inputs
from avem_train.dpo.arguments import training_arguments
from avem_train.dpo.dataset import Sample
from avem_train.dpo.finite import Finite, LossNotFinite
from avem_train.dpo.settings_parts import Optimiser
from avem_train.dpo.trainer import PreferenceTrainer
from avem_train.supervised.dataset import Collator, Stream
from avem_train.supervised.settings import SupervisedRunning, SupervisedSettings
from avem_train.supervised.trainable import trainable
from avem_train.supervised.trainer import SupervisedTrainer

SAMPLES = [Sample(number, 1.0, 0) for number in range(4)]
OF_AVERE = pytest.mark.parametrize("loaded", ["avere"], indirect=True)


@OF_AVERE
@pytest.mark.parametrize("trainer", [Optimiser(batch=1, accumulation=5, steps=3)], indirect=True)
def test_in_a_run_passes_are_made_behind_the_step_before_and_before_the_look_that_waits(trainer, monkeypatch):
    """Of ten records; in the step are only those of an epoch's first."""
    events = []

    def noted(owner, name, before, after=None):
        work = getattr(owner, name)

        def noting(*given, **named):
            events.append(before)
            result = work(*given, **named)
            events.extend([after] if after else [])
            return result

        monkeypatch.setattr(owner, name, noting)

    noted(PreferenceTrainer, "compute_loss", "step:", "end")
    noted(model_inputs, "of_responses", "made")
    noted(Finite, "check", "look")
    trainer.train()
    seen = " ".join(event for event, _ in groupby(events))
    first, other = "step: made end made", "step: end made"
    updates = [[first, *[other] * 4], [*[other] * 4, "step: end"], [first, *[other] * 4]]
    assert seen == " ".join(" ".join(update) + " look" for update in updates)


@OF_AVERE
def test_where_a_batch_is_divided_later_it_is_read_and_not_made(trainer, loaded, monkeypatch):
    read, made = [], []
    monkeypatch.setattr(loaded, "prefetch", read.append)
    monkeypatch.setattr(trainer.dataset, "_made_ahead", lambda samples: made.extend(samples) or {})
    trainer.token_limit, trainer.current_gradient_accumulation_steps = 10_000, 1
    first, _ = (trainer.data_collator(SAMPLES) for _ in range(2))
    trainer.training_step(trainer.model, first)
    assert (len(read), made) == (2, [])


@OF_AVERE
def test_what_a_resumed_stream_skips_is_neither_read_nor_made(loaded, preference_file, tmp_path, monkeypatch):
    read, made = [], []
    monkeypatch.setattr(Collator, "_read", lambda self, talks: read.extend(one.id for one in talks))
    monkeypatch.setattr(Collator, "_made_ahead", lambda self, talks: made.extend(one.id for one in talks))
    media = {"video": str(preference_file.with_name("0.mp4")), "audio": "", "own_sound": False}
    talks = [Conversation(id=f"c{n}", **media, prompts=("Why?",), responses=("tears " * n,)) for n in range(1, 9)]

    def trained(steps, checkpoint=None):
        settings = SupervisedSettings(
            ["talks.jsonl"],
            tmp_path / "out",
            str(loaded.folder),
            running=SupervisedRunning(device="cpu", save_every=2, tensorboard=False),
            optimiser=Optimiser(batch=1, accumulation=1, steps=steps),
        )
        with trainable(settings, loaded, False) as model:
            rows = Stream([asdict(one) for one in talks])
            trainer = SupervisedTrainer(model, settings, loaded, rows, None, args=training_arguments(settings))
            trainer.train(resume_from_checkpoint=checkpoint)

    trained(2)
    assert (read, made) == (["c1", "c2", "c3"], ["c1", "c2", "c3"])
    read.clear(), made.clear()
    trained(4, str(tmp_path / "out" / "checkpoints" / "checkpoint-2"))
    assert (read, made) == (["c3", "c4", "c5"], ["c3", "c4", "c5"])


@OF_AVERE
def test_batches_hold_nothing_that_the_loader_would_send(trainer, loaded):
    """In a training that goes on accelerate sends it with a copy that is waited for."""
    talk = Conversation("c", "", "", False, ("Why?",), ("tears",))
    of_talks = Collator(loaded, trainer.dataset.packing)(list(Stream([asdict(talk)])))
    assert of_talks["targets"] == len(loaded.response("tears"))
    found = []
    for batch in (trainer.data_collator(SAMPLES), of_talks):
        recursively_apply(found.append, batch)
    assert found == []


@OF_AVERE
def test_where_deepspeed_makes_the_update_a_loss_that_is_no_number_ends_the_step(trainer, monkeypatch):
    """It makes it within the backward pass, before any callback is asked."""
    batch = trainer.dataset.collate(SAMPLES)
    trainer.compute_loss(trainer.model, batch)
    monkeypatch.setattr(torch.Tensor, "isfinite", torch.Tensor.isnan)
    trainer.compute_loss(trainer.model, batch)  # looked at later
    trainer.is_deepspeed_enabled = True
    with pytest.raises(LossNotFinite, match="'r0', 'r1', 'r2', 'r3' is no number at step 1"):
        trainer.compute_loss(trainer.model, batch)
