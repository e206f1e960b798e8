"""The settings of preference training: what a recipe of the program `preference` can say."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from avem_train.data import hub_files
from avem_train.data.bad_records import ON_BAD_RECORD
from avem_train.data.negatives import Negatives
from avem_train.dpo.settings_parts import Computing, Evaluation, Lora, Optimiser
from avem_train.objectives import Objective
from avem_train.objectives.settings import ADDED

EMBEDDED = "avere_nano"


@dataclass(frozen=True)
class Running(Computing):
    """Of preference training."""

    keep_reference: bool = True
    """Compute the frozen model's log-probabilities once and cache them."""
    reference: str = ""
    """The folder of that cache; "" = below the settings' cache."""


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
    def push_to_hub(self) -> str:
        """Where it is uploaded."""

    @property
    def push_base(self) -> str:
        """Where others find its base."""

    @property
    def push_public(self) -> bool:
        """For everybody."""

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
    """Records (see `avem_train.data.checks`): a file, or hf://datasets/owner/name/file."""
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
    push_to_hub: str = field(default="", metadata=ADDED)
    """org/name: upload the result there, as a private repository if it is new; "" = it stays here."""
    push_base: str = field(default="", metadata=ADDED)
    """org/name: where others find the weights it was trained on; needed where they are a folder of this machine."""
    push_public: bool = field(default=False, metadata=ADDED)
    """Let everybody see a new repository."""
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
        return (hub_files.local(self.data, self.root),)
