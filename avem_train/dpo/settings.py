"""The settings of preference training: what a recipe of the program `preference` can say."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from avem_train.data import checks
from avem_train.data.negatives import Negatives
from avem_train.objectives import Objective

EMBEDDED = "avere_nano"
SCHEDULES = ("linear", "cosine", "cosine_with_restarts", "constant", "constant_with_warmup", "inverse_sqrt")
"""The schedules of transformers that need no setting besides the learning rate and the steps."""


@dataclass(frozen=True)
class Lora:
    """The adapters, on every linear layer of the language model and nowhere else: an update is alpha / rank x B A."""

    rank: int = 8
    """Of B and A."""
    alpha: int = 32
    """Section C.3 says "rank 8 and scale 4"; read as that factor, hence 32 (as lora_alpha itself it would be 4)."""

    def __post_init__(self) -> None:
        if min(self.rank, self.alpha) < 1:
            raise ValueError(f"lora: rank and alpha must be at least 1, got {self.rank} and {self.alpha}")


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


@dataclass(frozen=True)
class Running:
    """What changes speed and memory, and the result by rounding alone."""

    device: str = "auto"
    """auto or cpu."""
    dtype: str = "auto"
    """Of the weights: auto (bfloat16 on a GPU, else float32), bfloat16 or float32."""
    mixed: bool = False
    """Compute in bfloat16 on float32 weights (faster on a CPU that can)."""
    packed: bool = True
    """Compute common prefixes once."""
    keep_reference: bool = True
    """Compute the frozen model's log-probabilities once and cache them."""
    reference: str = ""
    """The folder of that cache; "" = below the settings' cache."""
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

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu") or self.dtype not in ("auto", "bfloat16", "float32"):
            raise ValueError("running: device must be auto or cpu, dtype auto, bfloat16 or float32")
        if self.save_every < 0 or self.log_every < 1 or not 0 <= self.feature_cache_gb < math.inf:
            raise ValueError("running: log_every must be at least 1, save_every and feature_cache_gb at least 0")


@dataclass(frozen=True)
class DpoSettings:
    """A preference training."""

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

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 to 2**32 - 1, got {self.seed}")
        if self.on_bad_record not in checks.ON_BAD_RECORD:
            raise ValueError(f"on_bad_record {self.on_bad_record!r}: one of {', '.join(checks.ON_BAD_RECORD)}")
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
