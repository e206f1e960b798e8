"""The paper's table layouts: which scores stand side by side, and which one ranks the models."""

from dataclasses import dataclass

from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.metrics import TASKS, YES_NO_SCORES

GROUP = "emorealm"
"""The name of the whole benchmark where a score belongs to no single task."""
_SHORT = {
    "modality_agreement": "Agree.",
    "reasoning_basic_audio": "Basic audio",
    "reasoning_basic_video": "Basic visual",
    "reasoning_stress_audio": "Stress audio",
    "reasoning_stress_video": "Stress visual",
}
_SCORES = {"accuracy": "Acc.", "precision": "Pre.", "recall": "Rec.", "f1": "F1", "yes_rate": "yes-rate"}
SCALES = {"percent": (0.0, 100.0), "judge": (0.0, 10.0), "index": (0.0, 1.0), "nats": (0.0, 2.0)}
ANALYSES = "analyses"
"""The task of numbers that no answers are scored for, but that say why a model answers so."""


@dataclass(frozen=True)
class Column:
    """One score of one task."""

    task: str
    """Released name of the task, or GROUP for all of the benchmark."""
    metric: str
    """Name of the score."""
    label: str
    """The heading."""
    scale: str = "percent"
    """One of SCALES."""
    lower: bool = False
    """Whether lower is better."""
    digits: int = 1
    """Shown after the point."""


@dataclass(frozen=True)
class Layout:
    """A table of the paper, or one like it."""

    name: str
    """Short name, as options and files have it: table13."""
    title: str
    """The heading above it."""
    columns: tuple[Column, ...]
    """From left to right."""
    rank_by: int
    """Index of the column that ranks the models."""


def _column(task: str, metric: str) -> Column:
    return Column(task, metric, f"{_SHORT[task]} {_SCORES[metric]}")


_BASIC = tuple(_column(task, "accuracy") for task in TASKS[1:3])
_AVERAGE = Column(GROUP, "accuracy", "Avg. Acc.")
_YES_NO = (TASKS[0], *TASKS[3:])
LAYOUTS = (
    Layout(
        "table13",
        "EmoReAlM, all scores (Table 13)",
        (*_BASIC, *(_column(task, m) for task in _YES_NO for m in ("accuracy", *YES_NO_SCORES[:3])), _AVERAGE),
        14,
    ),
    Layout("table3", "EmoReAlM (Table 3)", (*_BASIC, *(_column(task, "f1") for task in _YES_NO), _AVERAGE), 5),
    Layout(
        "table14",
        "Stress-test questions whose answer is no (Table 14)",
        tuple(
            Column(task, metric, f"{_SHORT[task].removeprefix('Stress ')} {label}")
            for task in TASKS[3:]
            for metric, label in (("spurious", "Spur."), ("hallucination", "Hall."))
        ),
        1,
    ),
    Layout(
        "table5",
        "Ablation columns (Tables 5, 17, 18)",
        tuple(
            Column(GROUP, metric, label)
            for metric, label in (
                ("basic", "Basic"), ("agree", "Agree."), ("stress", "Stress"), ("spur", "Spur."), ("hall", "Hall.")
            )
        ),
        2,
    ),
    Layout(
        "table2",
        "Emotion recognition and reasoning (Table 2)",
        (
            *(Column(task, metric, f"{task.upper()} {metric.upper()}") for task in ("dfew", "ravdess")
              for metric in ("uar", "war")),
            Column("mer2023", "weighted_f1", "MER2023 F1"),
            *(Column("emer", metric, f"EMER {label}", "judge") for metric, label in
              (("clue", "Clue"), ("label", "Label"), ("spurious", "Spurious"), ("hallucination", "Halluc."))),
        ),
        0,
    ),
    Layout(
        "table15",
        "DFEW, recall by class (Table 15)",
        (
            *(Column("dfew", f"recall_{emotion}", f"{emotion[:3].capitalize()}.") for emotion in EMOTIONS),
            Column("dfew", "uar", "UAR"),
            Column("dfew", "war", "WAR"),
        ),
        7,
    ),
    Layout(
        "table16",
        "User study on EMER (Tables 4, 16)",
        (
            Column("emer_survey", "best_emotion", "Emot."),
            Column("emer_survey", "best_association", "Assoc."),
            Column("emer_survey", "most_inconsistent", "Incons.", lower=True),
        ),
        0,
    ),
    Layout(
        ANALYSES,
        "Why it answers so (analyses, Figure 5)",
        (
            Column(ANALYSES, "shortcut_index", "Shortcut index", "index", lower=True, digits=3),
            *(Column(ANALYSES, f"attention_{name}", f"Attention to the {name} asked about, %")
              for name in ("sound", "picture")),
            *(Column(ANALYSES, f"shift_{name}", f"Shift by a conflicting {name}, nats", "nats", lower=True, digits=2)
              for name in ("sound", "picture")),
        ),
        0,
    ),
)  # fmt: skip
