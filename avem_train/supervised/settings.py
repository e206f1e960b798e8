"""The settings of supervised training: what a recipe of the program `supervised` can say."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from avem_train.data import hub_files
from avem_train.data.bad_records import ON_BAD_RECORD
from avem_train.dpo.settings import EMBEDDED
from avem_train.dpo.settings_parts import Computing, Evaluation, Lora, Optimiser
from avem_train.objectives.settings import ADDED

STAGES = ("projectors", "instruction")
TRAINED = ("lora", "all")


@dataclass(frozen=True)
class SupervisedRunning(Computing):
    """What changes speed and memory, and the result by rounding alone."""

    check_media: bool = True
    """Decode every file once before training; else a damaged one ends it."""
    buffer: int = 10_000
    """Records that a stream is shuffled in."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.buffer < 1:
            raise ValueError("running: buffer must be at least 1")


@dataclass(frozen=True)
class SupervisedSettings:
    """A supervised training."""

    PROGRAM: ClassVar[str] = "supervised"

    data: list[Any]
    """Files of conversations (see `avem_train.data.conversations`), or hf://datasets/owner/name/file."""
    out: Path
    """Folder to write."""
    model: str = EMBEDDED
    """A folder, avere_nano, the embedded model, or a hub id org/name."""
    stage: str = "instruction"
    """projectors (they alone are trained) or instruction."""
    trained: str = "lora"
    """In the stage instruction: lora, or all weights of the language model."""
    projectors: bool = False
    """In the stage instruction: train the projectors too, whole; they are saved beside adapters."""
    start: str = ""
    """A folder of adapters of the same weights to go on from; "" = fresh ones."""
    mix: list[Any] = field(default_factory=list)
    """Weight of each file, a number above 0: its share of an epoch, which is as long as all files together; [] = every
    record once."""
    stream: bool = False
    """Read the files again and again instead of holding their records; optimiser.steps says when it ends."""
    root: str = ""
    """Folder that the records' paths start from; "" = their file's."""
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
    lora: Lora = field(default_factory=Lora)
    """The adapters."""
    optimiser: Optimiser = field(default_factory=lambda: Optimiser(learning_rate=1e-4))
    """AdamW and its schedule."""
    running: SupervisedRunning = field(default_factory=SupervisedRunning)
    """Speed and memory."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    """Held-out conversations."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 to 2**32 - 1, got {self.seed}")
        choices = {"stage": STAGES, "trained": TRAINED, "on_bad_record": ON_BAD_RECORD}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r}: one of {', '.join(known)}")
        if not self.data or not all(isinstance(one, str) for one in self.data):
            raise ValueError("data must name at least one file")
        numbers = all(isinstance(one, int | float) and one > 0 for one in self.mix)
        if self.mix and (len(self.mix) != len(self.data) or not numbers):
            raise ValueError(f"mix needs a number above 0 for each of the {len(self.data)} files, got {self.mix}")
        if self.stream and not self.optimiser.steps:
            raise ValueError("stream needs optimiser.steps: a stream has no end")
        if self.stream and self.running.by_length:
            raise ValueError("running.by_length needs records that are held: stream=false")
        if self.whole and (self.merge or self.start or self.running.quantise):
            raise ValueError("merge, start and running.quantise are of adapters: stage=instruction trained=lora")

    @property
    def whole(self) -> bool:
        """Whether the result is whole weights."""
        return self.stage == "projectors" or self.trained == "all"

    @property
    def files(self) -> tuple[Path, ...]:
        """The records' files."""
        return tuple(hub_files.local(one, self.root) for one in self.data)

    @property
    def trains_projectors(self) -> bool:
        """Whether they are trained, alone or beside the language model."""
        return self.stage == "projectors" or self.projectors
