"""Trainers of every family on the fixture's records."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def loaded(tiny_base: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A family's model, for one test alone."""
    import torch

    from avem_train.backbones import loading

    opened = loading.load(tiny_base(request.param), torch.device("cpu"), torch.float32, 1 << 26)
    yield opened
    opened.close()


@pytest.fixture
def trainer(loaded: Any, preference_file: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """About what the family takes, with every part of the objective; frozen values are computed live.

    param: its `Optimiser`; without one a single update of four records.
    """
    from avem_train.backbones import loading
    from avem_train.data import checks
    from avem_train.data.bad_records import BadRecords
    from avem_train.data.negatives import Negatives
    from avem_train.dpo import train
    from avem_train.dpo.arguments import training_arguments
    from avem_train.dpo.dataset import PreferenceDataset
    from avem_train.dpo.settings import DpoSettings, Running
    from avem_train.dpo.settings_parts import Optimiser
    from avem_train.dpo.trainer import PreferenceTrainer
    from avem_train.objectives import Objective

    objective = Objective(lambda_blind=1, beta_relevant=0.05, beta_irrelevant=0.02, lambda_swapped=1)
    optimiser = getattr(request, "param", Optimiser(batch=4, accumulation=1, steps=1))
    running = Running(device="cpu", save_every=0, tensorboard=False, keep_reference=False)
    own: dict[str, Any] = {"objective": objective, "optimiser": optimiser, "running": running}
    settings = DpoSettings(preference_file, tmp_path / "out", str(loaded.folder), **own)
    needs = checks.Needs(Negatives(), objective.responses, loading.facts(loaded.folder, loaded.processor))
    records = checks.load(preference_file, None, BadRecords(tmp_path / "bad", "skip"), needs)
    data = PreferenceDataset(records, objective, Negatives(), 0, loaded, watch=(5, 6))
    with train.adapters(settings, loaded) as model:
        yield PreferenceTrainer(model, data, args=training_arguments(settings), running=running)
