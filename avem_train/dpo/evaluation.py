"""Held-out records and benchmarks while training: a Trainer that scores them, and the line that reports it at the end.

Every process scores its share in batches of the training's size, all of them as many; what fills the last ones up
counts for nothing.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import Dataset
from tqdm import tqdm
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback

from avem_train.dpo.dataset import Sample
from avem_train.harness import asked
from emorealm_tasks.errors import stop

if TYPE_CHECKING:
    from avem_train.dpo.settings_parts import Evaluation
    from avem_train.harness.live import Benchmarks

_SHOWN = ("loss", "accuracies/response", "margins/response", "accuracy", "perplexity")


class EvaluatingTrainer(Trainer):
    """transformers' Trainer, its evaluation by `held_out_means` and by benchmarks that the model answers.

    Without held-out records and with benchmarks `eval_dataset` is empty.
    """

    benchmarks: "Benchmarks | None" = None

    @abstractmethod
    def held_out_means(self, model: nn.Module) -> dict[str, float]:
        """Scores of the held-out records (`eval_dataset`) by name, the same on every process; without gradients."""

    def scores(self) -> dict[str, float]:
        """The scores of the model as it is, of held-out records and benchmarks; {} without any."""
        if self.eval_dataset is None:
            return {}
        held_out: Any = self.eval_dataset
        model = self.model_wrapped
        training = model.training
        model.eval()
        with torch.no_grad():
            means = self.held_out_means(model) if len(held_out) else {}
        if self.benchmarks:
            means |= self.benchmarks.scores()
        model.train(training)
        return means

    def evaluate(
        self,
        eval_dataset: Dataset[Any] | dict[str, Dataset[Any]] | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Score, log, tell the callbacks. Stops where the score that the best is chosen by is not among them."""
        means = self.scores()
        logged = {f"{metric_key_prefix}_{name}": value for name, value in means.items()}
        wanted = self.args.metric_for_best_model
        if self.args.load_best_model_at_end and wanted not in logged:
            stop(f"evaluation.best={str(wanted).removeprefix('eval_')}: the scores are {', '.join(means)}")
        self.log(dict(logged))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, logged)
        return logged

    def batches(self, count: int) -> Iterator[list[Sample]]:
        """Batches of so many held-out records, in their order, of this process; fillers have weight 0."""
        batch, processes = self.args.per_device_eval_batch_size, self.args.world_size
        rounds = range(0, count, batch * processes)
        for start in tqdm(rounds, desc="held-out", leave=False, disable=not self.args.should_save, mininterval=1):
            first = start + batch * self.args.process_index
            yield [Sample(place % count, float(place < count), 0) for place in range(first, first + batch)]


def callbacks(evaluation: "Evaluation") -> list[TrainerCallback]:
    """What ends a training early, where that is wanted."""
    return [EarlyStoppingCallback(evaluation.patience)] if evaluation.patience else []


def report(trainer: EvaluatingTrainer, evaluation: "Evaluation") -> dict[str, float]:
    """The scores of the result, and of which step it is; {} without any."""
    means = trainer.scores()
    if not means:
        return {}
    return {"step": float((evaluation.best and trainer.state.best_global_step) or trainer.state.global_step), **means}


def line(log: Sequence[Mapping[str, Any]], held_out: Mapping[str, float], best: str) -> str:
    """One line: the main scores before training and of the result. log: the lines of log.jsonl."""
    first: Mapping[str, Any] = next((one for one in log if any(name.startswith("eval_") for name in one)), {})
    of_benchmarks = [name for name in held_out if name in asked.SHOWN]
    names = [name for name in dict.fromkeys([*_SHOWN, *of_benchmarks, best]) if name in held_out]
    parts = [f"{name} {_number(first.get(f'eval_{name}'))} -> {held_out[name]:.4g}" for name in names]
    chosen = f", the best by {best}" if best else ""
    return f"held-out, before and after: {', '.join(parts)} (step {held_out['step']:.0f}{chosen})"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "?"
