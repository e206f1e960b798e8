"""Settings that preference and supervised training share: adapters, optimiser, speed and memory, held-out records."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avem_train.backbones.lora_targets import NAMES
from avem_train.data import hub_files
from avem_train.harness import asked
from avem_train.objectives.settings import ADDED

if TYPE_CHECKING:
    from avem_train.packing.tree import Packing

SCHEDULES = ("linear", "cosine", "cosine_with_restarts", "constant", "constant_with_warmup", "inverse_sqrt")
"""The schedules of transformers that need no setting besides the learning rate and the steps."""
OPTIMISERS = ("adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "adafactor")
"""Of transformers' names; those with 8bit or paged are bitsandbytes'."""
REPORTS = ("wandb", "mlflow", "trackio", "comet_ml", "swanlab", "clearml", "neptune", "dvclive")
"""Where transformers can report to, beside TensorBoard."""


@dataclass(frozen=True)
class Lora:
    """The adapters, on linear layers of the language model and nowhere else: an update is alpha / rank x B A."""

    rank: int = 8
    """Of B and A."""
    alpha: int = 32
    """Section C.3 says "rank 8 and scale 4"; read as that factor, hence 32 (as lora_alpha itself it would be 4)."""

    targets: list[Any] = field(default_factory=list, metadata=ADDED)
    """Names among `lora_targets.NAMES`, e.g. [q_proj, v_proj]; [] = all that the family has (`families`)."""
    dropout: float = field(default=0.0, metadata=ADDED)
    """Share of an adapter's inputs that is dropped, 0 to below 1."""
    rank_pattern: dict[str, Any] = field(default_factory=dict, metadata=ADDED)
    """Layer -> rank, where it differs: PEFT's, e.g. {down_proj: 16}."""
    alpha_pattern: dict[str, Any] = field(default_factory=dict, metadata=ADDED)
    """Layer -> alpha, where it differs."""
    rslora: bool = field(default=False, metadata=ADDED)
    """Rank-stabilised: alpha / sqrt(rank)."""
    dora: bool = field(default=False, metadata=ADDED)
    """Magnitudes of the weights' columns are trained beside (DoRA)."""

    def __post_init__(self) -> None:
        ranks = [self.rank, *self.rank_pattern.values()]
        alphas = [self.alpha, *self.alpha_pattern.values()]
        if not all(type(number) is int and number >= 1 for number in [*ranks, *alphas]):
            raise ValueError(f"lora: rank and alpha must be at least 1, got {ranks} and {alphas}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"lora.dropout must be 0 to below 1, got {self.dropout}")
        for name in self.targets:
            if name not in NAMES:
                raise ValueError(f"lora.targets: {name!r}; of {', '.join(NAMES)}")


@dataclass(frozen=True)
class Optimiser:
    """AdamW and its schedule (Section C.3). Raises ValueError for a setting out of range."""

    learning_rate: float = 5e-7
    """The peak, above 0."""
    epochs: int = 1
    """Passes over the records, where steps is 0."""
    steps: int = 0
    """Updates; above 0 they go before epochs."""
    batch: int = 2
    """Records that a process takes at once."""
    accumulation: int = 4
    """Batches an update."""
    schedule: str = "linear"
    """One of SCHEDULES."""
    warm_up: float = 0.1
    """Share of the steps, 0 to below 1."""
    weight_decay: float = 0.0
    """AdamW's, at least 0."""
    clip: float = 1.0
    """The gradient's norm at most; 0 = no limit."""
    form: str = field(default="adamw_torch", metadata=ADDED)
    """One of OPTIMISERS."""

    def __post_init__(self) -> None:
        if min(self.batch, self.accumulation, self.epochs) < 1 or self.steps < 0 or not 0 <= self.warm_up < 1:
            raise ValueError(
                "optimiser: batch, accumulation and epochs must be at least 1, steps at least 0, warm_up in [0, 1)"
            )
        if not 0 < self.learning_rate < math.inf or not min(self.weight_decay, self.clip) >= 0:
            raise ValueError(
                "optimiser: learning_rate must be above 0, weight_decay and clip at least 0; got "
                f"{self.learning_rate}, {self.weight_decay}, {self.clip}"
            )
        if self.schedule not in SCHEDULES:
            raise ValueError(f"optimiser.schedule {self.schedule!r}: one of {', '.join(SCHEDULES)}")
        if self.form not in OPTIMISERS:
            raise ValueError(f"optimiser.form {self.form!r}: one of {', '.join(OPTIMISERS)}")


@dataclass(frozen=True)
class Computing:
    """What changes speed and memory, and the result by rounding alone."""

    device: str = "auto"
    """auto or cpu."""
    dtype: str = "auto"
    """Of the weights: auto (bfloat16 on a GPU, else float32), bfloat16 or float32."""
    mixed: bool = False
    """Compute in bfloat16 on float32 weights (faster on a CPU that can)."""
    packed: bool = True
    """Compute common prefixes once."""
    row_tokens: int = 0
    """Samples are put into rows of at most so many tokens, none seeing another; 0 = rows are not joined."""
    checkpointing: bool = False
    """Compute activations again in the backward pass."""
    feature_cache_gb: float = 4.0
    """Host memory for features of clips."""
    save_every: int = 50
    """Steps between checkpoints; 0 = none."""
    log_every: int = 1
    """Steps between logs."""
    tensorboard: bool = True
    """Write its files too."""
    report_to: list[Any] = field(default_factory=list)
    """Services to report to, of REPORTS; each needs its own package."""
    keep: int = 0
    """Checkpoints that stay when the training is finished: the last ones, the best among them."""
    quantise: str = ""
    """4bit: the language model's frozen weights by bitsandbytes (QLoRA); "" = whole."""
    ddp_timeout: int = 1800
    """Seconds that processes wait for each other."""
    liger: bool = False
    """Use Liger's kernels in the language model; needs liger-kernel and a GPU."""
    max_tokens_per_micro_batch: int = 0
    """Tokens, padding included, that a process computes at once: an update's records, batch x accumulation of them, are
    put together by length up to so many; 0 = batch records at once."""
    by_length: bool = False
    """Batches of records of about one length: less padding, another order."""
    peak_flops: float = 0.0
    """Operations a second that a device can do at most, for `mfu` in the log; 0 = what `dpo/throughput.py` knows of
    it."""

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu") or self.dtype not in ("auto", "bfloat16", "float32"):
            raise ValueError("running: device must be auto or cpu, dtype auto, bfloat16 or float32")
        if self.save_every < 0 or self.log_every < 1 or not 0 <= self.feature_cache_gb < math.inf:
            raise ValueError("running: log_every must be at least 1, save_every and feature_cache_gb at least 0")
        if self.keep < 0 or self.ddp_timeout < 1 or self.quantise not in ("", "4bit"):
            raise ValueError("running: keep must be at least 0, ddp_timeout at least 1, quantise 4bit or nothing")
        if not 0 <= self.peak_flops < math.inf or self.max_tokens_per_micro_batch < 0:
            raise ValueError("running: peak_flops and max_tokens_per_micro_batch must be at least 0")
        if self.row_tokens < 0:
            raise ValueError("running: row_tokens must be at least 0")
        for name in self.report_to:
            if name not in REPORTS:
                raise ValueError(f"running.report_to: {name!r}; of {', '.join(REPORTS)} (and running.tensorboard)")

    @property
    def packing(self) -> "Packing":
        """How sequences are put into rows."""
        from avem_train.packing.tree import Packing

        return Packing(self.packed, self.row_tokens)


@dataclass(frozen=True)
class Evaluation:
    """Held-out records and benchmarks that are scored while training."""

    data: str = ""
    """Their file, or hf://datasets/owner/name/file; "" = none."""
    root: str = ""
    """Folder that their paths start from; "" = the file's."""
    every: int = 50
    """Steps between two evaluations; there is another at the end."""
    best: str = ""
    """The score by which the best checkpoint is chosen, as it is logged without `eval_`: loss, say, or
    accuracies/response; "" = the last state is the result. With it a checkpoint is saved at every evaluation."""
    patience: int = 0
    """Evaluations without a better score after which the training ends; 0 = it never ends early."""
    benchmarks: list[Any] = field(default_factory=list, metadata=ADDED)
    """What the model answers with its adapters as they are: emorealm, dfew, ravdess, mer2023, these with _mini, and
    emer_mini. Their clips lie where the harness looks for them (EMOREALM_MINI, EMOREALM_DFEW ...)."""
    limit: int = field(default=0, metadata=ADDED)
    """Questions of each of a benchmark's tasks; 0 = all."""
    choose_on_test: bool = field(default=False, metadata=ADDED)
    """Let a score on test questions choose the result: what is measured on them afterwards is then too high."""

    def __post_init__(self) -> None:
        if self.every < 1 or min(self.patience, self.limit) < 0:
            raise ValueError("evaluation: every must be at least 1, patience and limit at least 0")
        for name in self.benchmarks:
            if name == "emer":
                raise ValueError(
                    "evaluation.benchmarks: emer would ask its judge's API at every evaluation; take emer_mini, "
                    "which is judged by its true cues, or ask emer after the training (emorealm eval --tasks emer)"
                )
            if name not in asked.BENCHMARKS:
                raise ValueError(f"evaluation.benchmarks: {name!r}; of {', '.join(asked.BENCHMARKS)}")
        if (self.best or self.patience) and not self.evaluates:
            raise ValueError(
                "evaluation.best and evaluation.patience need held-out records: evaluation.data or .benchmarks"
            )
        if self.patience and not self.best:
            raise ValueError("evaluation.patience needs a score: evaluation.best")

    @property
    def file(self) -> Path | None:
        """The file of held-out records on this machine; None = none."""
        return hub_files.local(self.data, self.root) if self.data else None

    @property
    def evaluates(self) -> bool:
        """Whether anything is scored."""
        return bool(self.data or self.benchmarks)

    @property
    def chosen_on(self) -> str:
        """The benchmark whose score chooses the result; "" = none of them."""
        return next((name for name in self.benchmarks if self.best in asked.names(name)), "")

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the score is better; less is of a loss and of a perplexity."""
        return not self.best.endswith(("loss", "perplexity"))
