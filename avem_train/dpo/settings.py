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
    """The adapters, on every linear layer of the language model and nowhere else.

    rank, alpha: an update is alpha / rank x B A. Section C.3 says "rank 8 and scale 4"; read as that factor, hence
    alpha 32 (as lora_alpha itself it would be 4).
    """

    rank: int = 8
    alpha: int = 32

    def __post_init__(self) -> None:
        if min(self.rank, self.alpha) < 1:
            raise ValueError(f"lora: rank and alpha must be at least 1, got {self.rank} and {self.alpha}")


@dataclass(frozen=True)
class Optimiser:
    """AdamW and its schedule (Section C.3).

    batch: records a process takes at once. accumulation: batches an update. epochs, or steps where above 0. schedule:
    one of SCHEDULES. warm_up: share of the steps, 0 to below 1. clip: the gradient's norm at most, 0 = no limit.

    Raises ValueError for a setting outside what is said here.
    """

    learning_rate: float = 5e-7
    epochs: int = 1
    steps: int = 0
    batch: int = 2
    accumulation: int = 4
    schedule: str = "linear"
    warm_up: float = 0.1
    weight_decay: float = 0.0
    clip: float = 1.0

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
    """What changes speed and memory, not the result (beyond rounding).

    device: auto, cpu. dtype: of the weights, auto (bfloat16 on a GPU, else float32), bfloat16, float32. mixed: compute
    in bfloat16 on float32 weights (faster on a CPU that can). packed: common beginnings once.
    keep_reference: compute the frozen model's log-probabilities once and keep them in `reference` ("" = the settings'
    cache). checkpointing: recompute activations. feature_cache_gb: host memory for features of clips. save_every: steps
    between checkpoints, 0 = none. log_every: steps between logs. tensorboard: write its files too.
    """

    device: str = "auto"
    dtype: str = "auto"
    mixed: bool = False
    packed: bool = True
    keep_reference: bool = True
    reference: str = ""
    checkpointing: bool = False
    feature_cache_gb: float = 4.0
    save_every: int = 50
    log_every: int = 1
    tensorboard: bool = True

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu") or self.dtype not in ("auto", "bfloat16", "float32"):
            raise ValueError("running: device must be auto or cpu, dtype auto, bfloat16 or float32")
        if self.save_every < 0 or self.log_every < 1 or not 0 <= self.feature_cache_gb < math.inf:
            raise ValueError("running: log_every must be at least 1, save_every and feature_cache_gb at least 0")


@dataclass(frozen=True)
class Settings:
    """A preference training.

    data: records (see `preferences`). out: folder to write. model: a folder, avere_nano, the embedded model, or a hub
    id org/name. root: folder that the records' paths start from ("" = the data's). seed: 0 to 2**32 - 1. merge: write
    whole weights beside the adapter. on_bad_record: stop or skip.
    """

    data: Path
    out: Path
    model: str = EMBEDDED
    root: str = ""
    seed: int = 0
    merge: bool = False
    on_bad_record: str = "stop"
    objective: Objective = field(default_factory=Objective)
    negatives: Negatives = field(default_factory=Negatives)
    lora: Lora = field(default_factory=Lora)
    optimiser: Optimiser = field(default_factory=Optimiser)
    running: Running = field(default_factory=Running)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 to 2**32 - 1, got {self.seed}")
        if self.on_bad_record not in checks.ON_BAD_RECORD:
            raise ValueError(f"on_bad_record {self.on_bad_record!r}: one of {', '.join(checks.ON_BAD_RECORD)}")
