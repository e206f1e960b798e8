"""Settings -> transformers' TrainingArguments, for preference and supervised training alike."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from emorealm_tasks.errors import stop
from model_adapters.base import liger

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from avem_train.dpo.settings import TrainingSettings
    from avem_train.dpo.settings_parts import Evaluation

LIGER = "running.liger=true"


def training_arguments(settings: "TrainingSettings") -> "TrainingArguments":
    """The settings as transformers' arguments; starts the process group where there are several processes.

    Stops where the settings name a library that is not installed.
    """
    import torch
    from transformers import TrainingArguments
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    optimiser, running = settings.optimiser, settings.running
    cpu = running.device == "cpu" or not torch.cuda.is_available()
    _require_libraries(settings)
    if running.liger:
        liger.check(LIGER, not cpu)
    capped = running.max_tokens_per_micro_batch > 0  # then a process is given its share of an update at once
    arguments = TrainingArguments(
        output_dir=str(settings.out / "checkpoints"),
        per_device_train_batch_size=optimiser.batch * (optimiser.accumulation if capped else 1),
        per_device_eval_batch_size=optimiser.batch,
        gradient_accumulation_steps=1 if capped else optimiser.accumulation,
        num_train_epochs=optimiser.epochs,
        max_steps=optimiser.steps or -1,
        learning_rate=optimiser.learning_rate,
        lr_scheduler_type=optimiser.schedule,
        warmup_steps=optimiser.warm_up,
        weight_decay=optimiser.weight_decay,
        max_grad_norm=optimiser.clip,
        optim=optimiser.form,
        logging_steps=running.log_every,
        logging_nan_inf_filter=False,  # it waits for the device after every batch; `finite` does once an update
        bf16=running.mixed or running.dtype == "bfloat16" or (running.dtype == "auto" and not cpu),
        seed=settings.seed,
        data_seed=settings.seed,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        ddp_timeout=running.ddp_timeout,
        average_tokens_across_devices=False,
        report_to=running.report_to,
        run_name=settings.out.name,
        disable_tqdm=True,  # `callbacks.Bar` instead
        use_cpu=cpu,
        dataloader_pin_memory=False,  # batches hold no tensors
        accelerator_config={"dispatch_batches": False},  # nor could they be sent from process to process
        **_saving(running.save_every, running.keep, settings.evaluation),
    )
    # one process drives one GPU: with several in sight transformers would split batches, which are records here
    arguments._n_gpu = min(1, arguments.n_gpu)
    # or transformers would load weights in shares under ZeRO-3, those of the encoders too, which run beside the model
    unset_hf_deepspeed_config()
    return arguments


def slice_records(arguments: "TrainingArguments") -> int:
    """Records that all processes take at once."""
    return arguments.per_device_train_batch_size * arguments.world_size


def update_records(arguments: "TrainingArguments") -> int:
    """Records of an update."""
    return slice_records(arguments) * arguments.gradient_accumulation_steps


def _saving(save_every: int, keep: int, evaluation: "Evaluation") -> dict[str, Any]:
    """When there are evaluations and checkpoints, and how many are kept."""
    every = evaluation.every if evaluation.best else save_every
    options: dict[str, Any] = {"save_strategy": "steps" if every else "no", "save_steps": every or 500}
    options["save_total_limit"] = max(2, keep)
    if evaluation.evaluates:
        options |= {"eval_strategy": "steps", "eval_steps": evaluation.every}
    if evaluation.best:
        options |= {
            "load_best_model_at_end": True,
            "metric_for_best_model": f"eval_{evaluation.best}",
            "greater_is_better": evaluation.higher_is_better,
        }
    return options


def _require_libraries(settings: "TrainingSettings") -> None:
    needed = {f"running.report_to={name}": name for name in settings.running.report_to}
    if "8bit" in settings.optimiser.form or "paged" in settings.optimiser.form:
        needed[f"optimiser.form={settings.optimiser.form}"] = "bitsandbytes"
    for setting, package in needed.items():
        if find_spec(package.replace("-", "_")) is None:
            stop(f"{setting}: {package} is not installed: pip install {package}")
