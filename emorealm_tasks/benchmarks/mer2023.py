"""MER2023's published layout -> rows: the labelled test3 clips (the challenge's MER-SEMI) of five classes.

Labels: `test_labels/test3-label.csv` with `name` and `discrete`. Clips: `test3/NAME.mp4`, read as they are. The sixth
label, worried, is left out, as the paper does.
"""

from pathlib import Path

from emorealm_tasks import files
from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import stop
from emorealm_tasks.settings import Settings

TITLE = "MER2023 (test3), five emotions of clips from films"
REMEDY = (
    "MER2023 is given out on request (https://huggingface.co/datasets/MERChallenge/MER2023). Set EMOREALM_MER2023 to "
    "the folder that holds test3 and test_labels."
)
CLASSES = {"happy": "happiness", "sad": "sadness", "neutral": "neutral", "angry": "anger", "surprise": "surprise"}
LEFT_OUT = ("worried",)
PUBLISHED = 834
"""Clips of test3 with all six labels: the sum of the confusion matrix that Emotion-LLaMA's authors publish
(github.com/ZebangCheng/Emotion-LLaMA at 4ee28d2, checkpoints/save_checkpoint/stage2/result/MER2023.txt). Its rows have
183, 169, 166, 257, 14 and 45 clips, but the file does not name them: the split over the labels is not known from it.
"""
_LABELS = ("test_labels/test3-label.csv", "test-labels/test3-label.csv", "test3-label.csv")
_SUFFIXES = (".mp4", ".avi", ".mkv")
_SEARCHED = ("test3", "*/test3")


def read(root: Path, settings: Settings) -> list[Row]:
    """The rows of the five classes, in the order of the label file; see `recognition.row`.

    A clip that is nowhere gets the path where it was expected. Stops at missing or malformed labels.
    """
    labels = recognition_rows.first_file(root, _LABELS, "label file of test3", REMEDY)
    folders = [folder for pattern in _SEARCHED for folder in files.matching(root.absolute(), pattern)]
    rows: list[Row] = []
    seen_names: set[str] = set()
    for number, line in recognition_rows.read_numbered_csv(labels, ("name", "discrete")):
        name, label = line["name"], line["discrete"].lower()
        recognition_rows.refuse_twice(labels, number, name, seen_names)
        if label in LEFT_OUT:
            continue
        if label not in CLASSES or Path(name).name != name or not name:
            stop(f"{labels}, line {number}: expected a clip's name and one of {', '.join(CLASSES)}, found {line}")
        clip = _find(name, folders or [root.absolute() / "test3"])
        emotion, classes = CLASSES[label], tuple(CLASSES.values())
        rows.append(recognition_rows.row("mer2023", name, emotion, classes, clip=f"test3/{clip.name}", video=str(clip)))
    return rows


def note(rows: list[Row], root: Path, settings: Settings) -> str:
    """How the number of labelled clips, worried ones included, differs from the published one."""
    labels = recognition_rows.first_file(root, _LABELS, "label file of test3", REMEDY)
    count = len(recognition_rows.read_csv(labels, ("name", "discrete")))
    return f"mer2023: {labels} holds {count} clips instead of {PUBLISHED}" if count != PUBLISHED else ""


def _find(name: str, folders: list[Path]) -> Path:
    candidates = [folder / f"{name}{suffix}" for folder in folders for suffix in _SUFFIXES]
    return next((file for file in candidates if file.is_file()), candidates[0])
