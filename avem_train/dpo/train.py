"""Preference training from settings to a folder that the harness loads: `train`, and the program `preference`.

transformers and PEFT are loaded by `train`, not by importing this.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avem_train.backbones import loading
from avem_train.data import checks
from avem_train.data.bad_records import BadRecords
from avem_train.data.records import Preference
from avem_train.dpo import session, start_report
from avem_train.dpo.adapters import adapters
from avem_train.dpo.session import TrainResult
from avem_train.dpo.settings import DpoSettings

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from avem_train.backbones.base import Backbone
    from avem_train.dpo.dataset import PreferenceDataset
    from avem_train.dpo.reference_cache import CachedLogps
    from avem_train.dpo.run_folder import RunFolder
    from avem_train.dpo.termination import Termination

Records = Sequence[Preference]
_GATHERED = 4096
"""Records of each process whose values go to the others at once."""


def run(settings: DpoSettings) -> None:
    """The program `preference`."""
    session.command(settings, lambda settings, termination: train(settings, termination=termination))


def train(
    settings: DpoSettings, backbone: "Backbone | None" = None, termination: "Termination | None" = None
) -> TrainResult:
    """Train as the settings say and write the result to `settings.out`; the same call again goes on where it was.

    A finished folder is left as it is. `backbone`: a loaded model to train on (that of `settings.model`); it comes back
    without adapters and unchanged, so that one process can train many times. `termination`: what ends it early. Stops
    (exit status 2) at records or folders that cannot be used; raises LossNotFinite, UnreadableMedium.
    """
    return session.claimed(
        settings, lambda arguments, model_folder: _trained(settings, arguments, model_folder, backbone, termination)
    )


def _trained(
    settings: DpoSettings,
    arguments: "TrainingArguments",
    model_folder: Path,
    backbone: "Backbone | None",
    termination: "Termination | None",
) -> TrainResult:
    """See `train`; the folder is this process's own."""
    from avem_train.dpo.run_folder import RunFolder
    from model_adapters.base.arguments import choose_dtype

    objective, negatives = settings.objective, settings.negatives
    needs = checks.Needs(
        negatives if objective.needs_rejected_media else None,
        objective.responses,
        loading.facts(model_folder, backbone.processor if backbone else None),
        replace(negatives, change="other") if objective.beta_irrelevant else None,
    )
    bad_records = BadRecords(settings.out, settings.on_bad_record, prints=arguments.should_save)
    records = checks.load(settings.files[0], session.path(settings.root), bad_records, needs)
    held_out: Records = ()
    if evaluated := settings.evaluation.file:
        held_out = checks.load(evaluated, session.path(settings.evaluation.root), bad_records.of_held_out(), needs)
    dtype = backbone.model.dtype if backbone else choose_dtype(settings.running.dtype, arguments.device, "avem-train")
    folder = RunFolder(settings, model_folder, len(records), arguments, dtype)

    return session.carry_out(
        folder,
        arguments,
        dtype,
        lambda loaded: _run(settings, arguments, (records, held_out), loaded, folder, termination),
        backbone,
    )


def _run(
    settings: DpoSettings,
    arguments: "TrainingArguments",
    data: tuple[Records, Records],
    backbone: "Backbone",
    folder: "RunFolder",
    termination: "Termination | None",
) -> dict[str, float]:
    """Train on a loaded model and save the adapters. data: records to train on, and held-out ones."""
    from peft.helpers import disable_input_dtype_casting

    from avem_train.dpo.trainer import PreferenceTrainer

    dataset, held_out = (_dataset(settings, arguments, records, backbone) for records in data)
    assert dataset is not None
    # autocast brings inputs and adapters to one dtype; cast by PEFT before, each adapter would keep its own input
    with adapters(settings, backbone) as model, disable_input_dtype_casting(model, arguments.bf16):
        given: dict[str, Any] = {"args": arguments, "callbacks": session.callbacks(settings, folder, [termination])}
        given["benchmarks"] = session.benchmarks(settings, backbone)
        trainer = PreferenceTrainer(model, dataset, held_out, settings.running, **given)
        return session.fit(trainer, folder, lambda: start_report.opening(settings, trainer))


def _dataset(
    settings: DpoSettings, arguments: "TrainingArguments", records: Records, backbone: "Backbone"
) -> "PreferenceDataset | None":
    from avem_train.dpo.dataset import PreferenceDataset

    if not records:
        return None
    watch = (backbone.response("Yes")[0], backbone.response("No")[0])
    packing = settings.running.packing
    dataset = PreferenceDataset(
        records, settings.objective, settings.negatives, settings.seed, backbone, None, watch, packing
    )
    dataset.cached = cached_logps(settings, arguments, dataset)
    return dataset


def cached_logps(
    settings: DpoSettings, arguments: "TrainingArguments", dataset: "PreferenceDataset"
) -> "CachedLogps | None":
    """The frozen model's values of every response, each process computing its share; None where they are to be live."""
    if not settings.running.keep_reference or settings.negatives.redraw:
        return None
    import torch
    from accelerate.utils import gather_object

    from avem_train.dpo.reference_cache import CachedLogps, Groups, compute_missing
    from emorealm_tasks import settings as roots

    place = Path(settings.running.reference) if settings.running.reference else roots.load().cache / "reference"
    precision = f"{dataset.backbone.model.dtype}{', computed in bfloat16' * arguments.bf16}"
    precision += f", {settings.running.quantise}" if settings.running.quantise else ""
    cached = CachedLogps(place, dataset.backbone, precision, arguments.process_index)
    rank_groups = Groups(dataset.responses(0), arguments.process_index, arguments.world_size)
    with torch.autocast(arguments.device.type, torch.bfloat16, enabled=arguments.bf16):
        compute_missing(cached, dataset.backbone, rank_groups, 4 * settings.optimiser.batch, dataset.packing)
    if arguments.world_size > 1:
        for start in range(0, -(-len(dataset) // arguments.world_size), _GATHERED):
            part = cached.by_key(response for group in rank_groups[start : start + _GATHERED] for response in group)
            for values in gather_object([part]):
                cached.merge(values)
    return cached
