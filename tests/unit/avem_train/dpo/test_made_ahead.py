"""What the host does for a step is done behind the step before, and the step never waits for the GPU.

The second is shown without one, by tensors that have a device and no values (`FakeTensorMode`): an operation that reads
values raises, and copies between host and GPU are looked at. A backward pass cannot run so; nothing in it is ours. Nor
can the encoders of Qwen's families, which read values: of these the features are kept before, as by a step before.
"""

import traceback
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import masking_utils

from avem_train.backbones import base as backbones
from avem_train.backbones import loading
from avem_train.backbones.chatml import ChatMLBackbone
from avem_train.data.conversations import Conversation
from avem_train.dpo import model_inputs
from avem_train.dpo.arguments import training_arguments
from avem_train.dpo.dataset import Sample
from avem_train.dpo.settings_parts import Optimiser
from avem_train.objectives import forms
from avem_train.packing.tree import Packing
from avem_train.supervised import loss
from avem_train.supervised.dataset import Collator, Example, Stream
from avem_train.supervised.settings import SupervisedRunning, SupervisedSettings
from avem_train.supervised.trainable import trainable
from avem_train.supervised.trainer import SupervisedTrainer
from trained_families import BY_ADAPTER, CHATML

GPU = torch.device("cuda", 0)
SAMPLES = [Sample(number, 1.0, 0) for number in range(4)]
ONE_BATCH = Optimiser(batch=4, accumulation=1, steps=1)
OF_ALL = pytest.mark.parametrize("loaded", BY_ADAPTER, indirect=True)


@OF_ALL
def test_every_pass_of_a_step_can_be_made_before_it(trainer, monkeypatch):
    data, model = trainer.dataset, trainer.model
    in_the_step = trainer.compute_loss(model, {"samples": SAMPLES})  # encodes the clips too
    batch = data.collate(SAMPLES)
    made = batch["ahead"].made()

    def refuse(*_):
        raise AssertionError("a pass was made in the step")

    monkeypatch.setattr(model_inputs, "of_responses", refuse)
    assert torch.equal(trainer.compute_loss(model, batch), in_the_step)
    assert len(made) == len(data.passes(data.of(SAMPLES))) > 2


@pytest.mark.parametrize("loaded", CHATML, indirect=True)
def test_a_medium_that_was_never_encoded_is_no_obstacle(trainer):
    """How many tokens it has is not known yet: until it is decoded, for which nobody waits."""
    data = trainer.dataset
    first, again, decoded = (data.collate(SAMPLES)["ahead"] for _ in range(3))
    assert all(not response.sources for one in first.made() for response in one)
    decoded.read()
    wait(trainer.backbone._ahead._begun.values())
    assert len(decoded.made()) == len(data.passes(data.of(SAMPLES))) > len(first.made())
    batches = [{"samples": SAMPLES, "ahead": one} for one in (decoded, first, again)]
    losses = [trainer.compute_loss(trainer.model, batch) for batch in batches]
    assert torch.equal(*losses[:2])
    assert torch.equal(*losses[1:])


@pytest.fixture
def talks(loaded, preference_file):
    """Two conversations about one clip, of what the family takes, and one about none."""
    nothing = {"video": "", "audio": ""}
    given = nothing | {loading.family(loaded.folder).media[0]: str(preference_file.with_name("0.mp4"))}
    shared = {"own_sound": False, "prompts": ("Why sad?",)}
    abouts = [given, given, nothing]
    return [Conversation(id=f"c{n}", **one, **shared, responses=("tears " * n,)) for n, one in enumerate(abouts, 1)]


@OF_ALL
@pytest.mark.parametrize("packing", [Packing(), Packing(False, 6000)])
def test_conversations_are_prepared_before_the_step(loaded, talks, packing):
    examples = [Example(one, real=True) for one in talks]
    in_the_step = loss.losses(loaded.model, loaded, talks, packing)
    ahead = Collator(loaded, packing)(examples)["ahead"].made()
    assert isinstance(ahead, model_inputs.ModelInputs)
    assert len(ahead.trees) == (0 if packing.share else 3)
    found = loss.losses(loaded.model, loaded, talks, packing, ahead)
    assert torch.equal(found.nll, in_the_step.nll)


class Waits(TorchDispatchMode):
    """Collects from where copies between host and GPU are made for which the host waits."""

    def __init__(self):
        super().__init__()
        self.found, self.queued = [], 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        moves = False
        if operation is torch.ops.aten._to_copy.default:
            moves = torch.device(kwargs.get("device") or args[0].device).type != args[0].device.type
        elif operation is torch.ops.aten.copy_.default:
            moves = args[0].device.type != args[1].device.type
        queued = kwargs.get("non_blocking") or (operation is torch.ops.aten.copy_.default and args[2:] == (True,))
        self.queued += bool(moves and queued)
        if moves and not queued:
            self.found.append("".join(traceback.format_stack(limit=8)[:-1]))
        return operation(*args, **kwargs)


@contextmanager
def on_a_gpu(backbone, model, monkeypatch):
    """Model and encoders are on a GPU, as far as anybody can tell."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(masking_utils, "is_tracing", lambda *_: False)  # or it reads none of these
    monkeypatch.setattr(forms, "gradient_sizes", lambda loss, models: torch.zeros_like(loss))  # a backward pass
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            for module in (model, *backbones.encoders(backbone)):
                module._apply(lambda tensor: torch.empty_like(tensor, device=GPU))
            for part in vars(backbone).values():
                if isinstance(part, backbones.FrozenEncoders) and "device" in vars(part):
                    part.device = GPU
            with Waits() as waits:
                yield waits
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)


def encoded(loaded, clips):
    """The encoders of transformers' own classes read values: of these families the features are kept before."""
    if isinstance(loaded, ChatMLBackbone):
        loaded.encode(clips)


WITHOUT_DEEPSTACK = [name for name in BY_ADAPTER if "qwen3" not in name]
"""transformers adds features to further layers where a mask says, and a mask is read by the host."""


@pytest.mark.parametrize("packing", [Packing(), Packing(False), Packing(row_tokens=4000)])
@pytest.mark.parametrize("loaded", WITHOUT_DEEPSTACK, indirect=True)
def test_a_step_waits_for_no_gpu(trainer, loaded, packing, monkeypatch):
    trainer.dataset.packing = packing
    encoded(loaded, [response.sources for one in trainer.dataset.responses(0) for response in one.with_media])
    batch = trainer.dataset.collate(SAMPLES[:2])
    batch["ahead"].made()
    monkeypatch.setattr(type(trainer.args), "device", GPU)
    with on_a_gpu(loaded, trainer.model, monkeypatch) as waits:
        found = trainer.compute_loss(trainer.model, batch)
    assert (found.device, waits.found) == (GPU, [])
    assert waits.queued > 20


@pytest.mark.parametrize(
    ("asked", "row_tokens"),
    [
        (("Why sad?",) * 3, 0),
        (("Why?", "What is heard?", "Is she sad, and why?"), 0),
        (("Why sad?", "Why?", "Who?"), 6000),
    ],
)
@pytest.mark.parametrize("loaded", WITHOUT_DEEPSTACK, indirect=True)
def test_a_step_of_supervised_training_waits_for_no_gpu(loaded, talks, asked, row_tokens, tmp_path, monkeypatch):
    talks = [replace(one, prompts=(prompt,)) for one, prompt in zip(talks, asked, strict=True)]
    encoded(loaded, [one.sources for one in talks])
    running = SupervisedRunning(
        device="cpu", save_every=0, tensorboard=False, row_tokens=row_tokens, packed=not row_tokens
    )
    settings = SupervisedSettings(
        ["talks.jsonl"], tmp_path / "out", str(loaded.folder), running=running, optimiser=ONE_BATCH
    )
    with trainable(settings, loaded, False) as model:
        trainer = SupervisedTrainer(model, settings, loaded, Stream([]), None, args=training_arguments(settings))
        batch = trainer.data_collator([Example(one, real=True) for one in talks])
        batch["ahead"].made()
        monkeypatch.setattr(type(trainer.args), "device", GPU)
        with on_a_gpu(loaded, model, monkeypatch) as waits:
            found = trainer.compute_loss(model, batch, num_items_in_batch=9)
    assert (found.device, waits.found) == (GPU, [])
    assert waits.queued > 5


def test_reading_a_value_of_the_gpu_would_be_noticed():
    with FakeTensorMode(), Waits() as waits:
        value = torch.ones(2, device=GPU)
        for read in (value.tolist, lambda: bool(value.all()), lambda: value[value > 0], value.nonzero):
            with pytest.raises(Exception, match="aten"):
                read()
        torch.tensor([1.0], device=GPU)
        value.to("cpu")
    assert len(waits.found) == 2
