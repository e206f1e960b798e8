"""What a training tells: one line at the start, a progress bar, log.jsonl and TensorBoard."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState
from transformers.integrations import TensorBoardCallback  # type: ignore[attr-defined]  # exported lazily
from transformers.training_args import TrainingArguments

from avem_train import forest, logprobs, memory
from avem_train.backbone import towers
from avem_train.run_folder import read_log
from emorealm_tasks import files
from emorealm_tasks.errors import stop

if TYPE_CHECKING:
    from avem_train.dpo_settings import Settings
    from avem_train.trainer import Lesson, PreferenceTrainer

_SAMPLE = 8


class Bar(ProgressCallback):
    """transformers' progress bar, with the last values beside it instead of a line a step."""

    training_bar: "tqdm[Any] | None"  # type: ignore[assignment]  # None is but its first value

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Show loss and accuracy."""
        if self.training_bar is not None and logs and "loss" in logs:
            shown = {"loss": "loss", "accuracies/response": "accuracy"}
            self.training_bar.set_postfix({short: f"{logs[n]:.3f}" for n, short in shown.items() if n in logs})


class JsonLines(TrainerCallback):
    """log.jsonl: a line for each log. A resumed run drops the lines of steps that it makes again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the lines up to the step that is resumed from."""
        kept = [line for line in read_log(self.path) if line["step"] <= state.global_step]
        files.write(self.path, "".join(json.dumps(line) + "\n" for line in kept))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Append a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def callbacks(settings: "Settings", done: int) -> list[TrainerCallback]:
    """Bar, log.jsonl and, where wanted, TensorBoard, of the process that writes. done: steps that are resumed from."""
    made: list[TrainerCallback] = [Bar(), JsonLines(settings.out / "log.jsonl")]
    if settings.running.tensorboard:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            stop("tensorboard is not installed: pip install 'emorealm[train]', or set running.tensorboard=false")
        # what an earlier run wrote of the steps that are made again is not shown
        writer = SummaryWriter(str(settings.out / "tensorboard"), purge_step=done + 1)
        made.append(TensorBoardCallback(writer))
    return made


def opening(settings: "Settings", trainer: "PreferenceTrainer") -> str:
    """What trains, on how much, for how long, in about how much memory."""
    lesson, arguments = trainer.lesson, trainer.args
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    whole = sum(p.numel() for p in parameters(trainer))
    packed, plain = tokens(lesson, True), tokens(lesson, False)
    update = trainer.order.update
    steps = settings.optimiser.steps or settings.optimiser.epochs * -(-len(lesson.records) // update)
    taken = packed if lesson.packed else plain
    most = needed(settings, trainer, memory.largest(lesson, arguments.train_batch_size, lesson.packed))
    return (
        f"training {trained:,} of {whole:,} parameters (LoRA, rank {settings.lora.rank}) on {len(lesson.records):,} "
        f"records: {steps:,} steps of {update} records, about {taken * update:,.0f} tokens each "
        f"({plain / taken:.1f}x less than one row a response), about "
        f"{size(most.total)} on {arguments.device} -> {settings.out}"
    )


def tokens(lesson: "Lesson", packed: bool) -> float:
    """Tokens of the policy's rows for a record, on average over the first records."""
    count = 0
    asked = lesson.replies(0)[:_SAMPLE]
    for one in asked:
        replies = list(dict.fromkeys(one.media.values()))
        with torch.no_grad():
            lesson.backbone.encode(list(dict.fromkeys(source for reply in replies for source in reply.sources)))
        rows = forest.rows(logprobs.sequences(lesson.backbone, replies).tokens, packed)
        count += sum(len(row.tokens) for row in rows)
    return count / len(asked)


def size(number: float) -> str:
    """A number of bytes in the unit that suits it."""
    unit, name = (2**30, "GiB") if number >= 2**30 else (2**20, "MiB")
    return f"{number / unit:.1f} {name}"


def parameters(trainer: "PreferenceTrainer") -> Iterator[torch.nn.Parameter]:
    """Of the model with its adapters, and of the towers beside it."""
    for module in (trainer.model, *towers(trainer.lesson.backbone)):
        yield from module.parameters()


def needed(settings: "Settings", trainer: "PreferenceTrainer", batch: memory.Batch) -> memory.Memory:
    """What the training takes with batches of that size."""
    given = list(parameters(trainer))
    running = memory.Running(
        settings.lora.rank,
        half=trainer.args.bf16,
        half_weights=trainer.lesson.backbone.model.dtype == torch.bfloat16,
        on_cpu=trainer.args.device.type == "cpu",
        checkpointing=settings.running.checkpointing,
    )
    return memory.taken(trainer.model.config.get_text_config(), given, batch, running)
