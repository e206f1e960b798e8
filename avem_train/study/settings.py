"""The settings of a study: what a recipe of the program `study` can say."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avem_train.dpo import settings as dpo_settings
from avem_train.study import arms as study_arms
from avem_train.study import record as study_record
from avem_train.study.arms import Choices
from emorealm_tasks import settings as roots
from emorealm_tasks.mini.language import preferences

SPLITS = ("test", "validation")


@dataclass(frozen=True)
class Data:
    """The preference records."""

    clips: int = 800
    """Number of clips that they are about."""
    letters: float = preferences.LETTERS
    """Share of them answered by letter."""
    seed: int = 0
    """What they are drawn from."""
    per_seed: bool = True
    """Draw them again for each training seed, from the sum of both seeds, so that what differs between seeds holds what
    differs between datasets; else one draw for all of them."""

    def drawn_from(self, seed: int) -> int:
        """The seed of the records that a training seed learns from."""
        return self.seed + seed if self.per_seed else self.seed


@dataclass(frozen=True)
class Study:
    """A study on the mini world."""

    out: str = ""
    """Folder of the record; "" = beside the runs. A record elsewhere is gone on with where its
    folder is named."""
    name: str = "study"
    """Of the record's file: NAME.json (NAME_validation.json)."""
    folder: str = ""
    """Where runs and data are kept; "" = below the settings' cache."""
    model: str = dpo_settings.EMBEDDED
    """An embedded model (avere_nano, emotion_llama_nano), or a folder with whole weights of AVERE or Emotion-LLaMA."""
    published: str = study_arms.BASE
    """That base in the paper's tables."""
    split: str = "test"
    """The world to answer, test or validation."""
    clips: int = 800
    """Of that world."""
    seed: int = 0
    """Of that world."""
    sections: list[Any] = field(default_factory=lambda: ["main"])
    """Some of main, methods, objectives, table17, table18, sweeps, choices, text_prior, trials,
    towards_plus, noise."""
    seeds: int = 5
    """Trainings a row."""
    workers: int = 0
    """Runs side by side; 0 = one a core."""
    preferences: Data = field(default_factory=Data)
    """What is trained on."""
    parts: list[Any] = field(default_factory=lambda: [*study_record.PARTS_ANSWERED])
    """What every model answers: full, the benchmark, always; blind, its text alone; shuffled, another clip's media."""
    training: dict[str, Any] = field(default_factory=dict)
    """Changes to every recipe."""
    choices: Choices = field(default_factory=Choices)
    """What the section `choices` tries."""

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"split must be test or validation, got {self.split!r}")
        if self.seeds < 1 or self.workers < 0 or not self.sections:
            raise ValueError("seeds must be at least 1, workers at least 0, and sections name one")
        known = study_record.PARTS_ANSWERED
        if "full" not in self.parts or self.parts != [part for part in known if part in self.parts]:
            raise ValueError(f"parts must be full, and any of {' and '.join(known[1:])} after it, got {self.parts}")
        if set(study_arms.ON_VALIDATION) & set(self.sections) and self.split == "test":
            names = ", ".join(study_arms.ON_VALIDATION)
            raise ValueError(f"{names} are for the validation world, never on the test world: split=validation")

    @property
    def place(self) -> Path:
        """Where runs and data are kept."""
        return (Path(self.folder).expanduser() if self.folder else roots.load().cache / "study").resolve()

    @property
    def file(self) -> Path:
        """Where the study is written."""
        folder = Path(self.out) if self.out else self.place
        return folder / (f"{self.name}.json" if self.split == "test" else f"{self.name}_{self.split}.json")
