"""How a training logs: a progress bar, log.jsonl and TensorBoard."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState
from transformers.integrations import TensorBoardCallback  # type: ignore[attr-defined]  # exported lazily
from transformers.training_args import TrainingArguments

from avem_train.dpo.run_folder import read_log
from emorealm_tasks import files
from emorealm_tasks.errors import stop

if TYPE_CHECKING:
    from avem_train.dpo.settings import TrainingSettings


class Bar(ProgressCallback):
    """transformers' progress bar, with the last values beside it instead of a line a step."""

    training_bar: "tqdm[Any] | None"  # type: ignore[assignment]  # None is but its first value

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kwargs: Any
    ) -> None:
        """Show loss and accuracy."""
        if self.training_bar is not None and logs and "loss" in logs:
            columns = {"loss": "loss", "accuracies/response": "accuracy"}
            self.training_bar.set_postfix({short: f"{logs[n]:.3f}" for n, short in columns.items() if n in logs})


class JsonLines(TrainerCallback):
    """log.jsonl: a line for each log. A resumed run drops the lines of steps that it makes again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the lines up to the step that is resumed from."""
        earlier = [line for line in read_log(self.path) if line["step"] <= state.global_step]
        files.write(self.path, "".join(json.dumps(line) + "\n" for line in earlier))

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Append a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **kwargs["logs"]}) + "\n")


def callbacks(settings: "TrainingSettings", done: int) -> list[TrainerCallback]:
    """Bar, log.jsonl and, where wanted, TensorBoard, of the process that writes. done: steps that are resumed from."""
    all_callbacks: list[TrainerCallback] = [Bar(), JsonLines(settings.out / "log.jsonl")]
    if settings.running.tensorboard:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            stop("tensorboard is not installed: pip install 'emorealm[train]', or set running.tensorboard=false")
        # what an earlier run wrote of the steps that are made again is not shown
        writer = SummaryWriter(str(settings.out / "tensorboard"), purge_step=done + 1)
        all_callbacks.append(TensorBoardCallback(writer))
    return all_callbacks
