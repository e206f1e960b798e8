"""The settings of preference training: what a recipe of the program `preference` can say."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from avem_train.backbones.lora_targets import NAMES
from avem_train.data.bad_records import ON_BAD_RECORD
from avem_train.data.negatives import Negatives
from avem_train.objectives import Objective
from avem_train.objectives.settings import ADDED

EMBEDDED = "avere_nano"
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
    """Names among `lora_targets.NAMES`, e.g. [q_proj, v_proj]; [] = all."""
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

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu") or self.dtype not in ("auto", "bfloat16", "float32"):
            raise ValueError("running: device must be auto or cpu, dtype auto, bfloat16 or float32")
        if self.save_every < 0 or self.log_every < 1 or not 0 <= self.feature_cache_gb < math.inf:
            raise ValueError("running: log_every must be at least 1, save_every and feature_cache_gb at least 0")
        if self.keep < 0 or self.ddp_timeout < 1 or self.quantise not in ("", "4bit"):
            raise ValueError("running: keep must be at least 0, ddp_timeout at least 1, quantise 4bit or nothing")
        for name in self.report_to:
            if name not in REPORTS:
                raise ValueError(f"running.report_to: {name!r}; of {', '.join(REPORTS)} (and running.tensorboard)")


@dataclass(frozen=True)
class Running(Computing):
    """Of preference training."""

    keep_reference: bool = True
    """Compute the frozen model's log-probabilities once and cache them."""
    reference: str = ""
    """The folder of that cache; "" = below the settings' cache."""


@dataclass(frozen=True)
class Evaluation:
    """Held-out records that are scored while training."""

    data: str = ""
    """Their file; "" = none."""
    root: str = ""
    """Folder that their paths start from; "" = the file's."""
    every: int = 50
    """Steps between two evaluations; there is another at the end."""
    best: str = ""
    """The score by which the best checkpoint is chosen, as it is logged without `eval_`: loss, say, or
    accuracies/response; "" = the last state is the result. With it a checkpoint is saved at every evaluation."""
    patience: int = 0
    """Evaluations without a better score after which the training ends; 0 = it never ends early."""

    def __post_init__(self) -> None:
        if self.every < 1 or self.patience < 0:
            raise ValueError("evaluation: every must be at least 1, patience at least 0")
        if (self.best or self.patience) and not self.data:
            raise ValueError("evaluation.best and evaluation.patience need held-out records: evaluation.data")
        if self.patience and not self.best:
            raise ValueError("evaluation.patience needs a score: evaluation.best")

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the score is better; less is of a loss and of a perplexity."""
        return not self.best.endswith(("loss", "perplexity"))


class TrainingSettings(Protocol):
    """What preference and supervised training have in common."""

    PROGRAM: ClassVar[str]
    """Its name in a recipe."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The records' files."""

    @property
    def whole(self) -> bool:
        """Whether the result is whole weights, not adapters."""

    @property
    def merge(self) -> bool:
        """Whether adapters are added to the weights at the end."""

    @property
    def out(self) -> Path:
        """Folder to write."""

    @property
    def model(self) -> str:
        """What is trained."""

    @property
    def root(self) -> str:
        """Where paths start."""

    @property
    def seed(self) -> int:
        """Of all that is drawn."""

    @property
    def optimiser(self) -> Optimiser:
        """See there."""

    @property
    def running(self) -> Computing:
        """See there."""

    @property
    def evaluation(self) -> Evaluation:
        """See there."""


@dataclass(frozen=True)
class DpoSettings:
    """A preference training."""

    PROGRAM: ClassVar[str] = "preference"
    whole: ClassVar[bool] = False

    data: Path
    """Records (see `avem_train.data.checks`)."""
    out: Path
    """Folder to write."""
    model: str = EMBEDDED
    """A folder, avere_nano, the embedded model, or a hub id org/name."""
    root: str = ""
    """Folder that the records' paths start from; "" = the data's."""
    seed: int = 0
    """0 to 2**32 - 1."""
    merge: bool = False
    """Write whole weights beside the adapter."""
    on_bad_record: str = "stop"
    """stop or skip."""
    objective: Objective = field(default_factory=Objective)
    """The loss."""
    negatives: Negatives = field(default_factory=Negatives)
    """The rejected media."""
    lora: Lora = field(default_factory=Lora)
    """The adapters."""
    optimiser: Optimiser = field(default_factory=Optimiser)
    """AdamW and its schedule."""
    running: Running = field(default_factory=Running)
    """Speed and memory."""
    evaluation: Evaluation = field(default_factory=Evaluation, metadata=ADDED)
    """Held-out records."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 to 2**32 - 1, got {self.seed}")
        if self.on_bad_record not in ON_BAD_RECORD:
            raise ValueError(f"on_bad_record {self.on_bad_record!r}: one of {', '.join(ON_BAD_RECORD)}")
        if self.objective.balance_forms and (self.negatives.redraw or not self.running.keep_reference):
            raise ValueError(
                "objective.balance_forms looks at the text prior of all records: it needs running.keep_reference=true "
                "and negatives.redraw=false"
            )
        if self.objective.lambda_swapped and self.negatives.kind != "other_emotion":
            raise ValueError(
                "objective.lambda_swapped is about the rejected clips that records bring: it needs "
                f"negatives.kind=other_emotion, not {self.negatives.kind}"
            )

    @property
    def files(self) -> tuple[Path, ...]:
        """The one file of records."""
        return (self.data,)
