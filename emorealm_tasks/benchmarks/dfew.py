"""DFEW's published layout -> rows: the single-labelled test clips of one of its five folds.

Labels: `test(single-labeled)/set_FOLD.csv` with `video_name` (a number) and `label` (1 to 7), below the folder itself,
`EmoLabel_DataSplit/` (as downloaded) or `dfew_annotation/` (as AVERE's authors keep it). Clips: `part_K/N.mp4` or, as
unpacked from `Clip/original`, `N.mp4`. They are read as they are; nothing is encoded again.
"""

import re
from pathlib import Path

from emorealm_tasks import files
from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import stop
from emorealm_tasks.settings import Settings

TITLE = "DFEW, seven emotions of clips from films"
REMEDY = (
    "DFEW is given out on request (https://dfew-dataset.github.io). Set EMOREALM_DFEW to the folder that holds its "
    "labels and clips; clips may also lie under EMOREALM_VIDEOS."
)
SPLITS = ("EmoLabel_DataSplit", "dfew_annotation", ".")
TEST_FOLDS: dict[int, tuple[int, ...]] = {
    1: (489, 379, 534, 435, 294, 29, 181),
    2: (489, 379, 534, 435, 294, 29, 181),
    3: (489, 379, 534, 435, 294, 29, 180),
    4: (489, 379, 534, 434, 294, 29, 180),
    5: (489, 378, 533, 434, 293, 29, 180),
}
"""Test fold -> clips of each of EMOTIONS, 11,697 in all.

Counted in the lists of the folds that two public repositories carry, which agree: github.com/zengqunzhao/DFER-CLIP at
d10d5a4 (annotation/DFEW_set_FOLD_test.txt) and github.com/sunlicai/MAE-DFER at 80b651d (saved/data/dfew/org/splitFOLD).
With the first fold's counts the recalls in the paper's Table 15 give its WAR.
"""
_NUMBER = re.compile(r"[0-9]{1,9}")
_SEARCHED = ("", "*/", "*/*/")


def read(root: Path, settings: Settings) -> list[Row]:
    """The rows of the fold that `settings.dfew_fold` names, in the order of its file; see `recognition.row`.

    A clip that is nowhere gets the path where it was expected. Stops at an unknown fold, and at missing or malformed
    labels.
    """
    fold = settings.dfew_fold
    if fold not in TEST_FOLDS:
        stop(f"EMOREALM_DFEW_FOLD is {fold}; DFEW has the folds {', '.join(map(str, TEST_FOLDS))}")
    label_files = [f"{split}/test(single-labeled)/set_{fold}.csv".removeprefix("./") for split in SPLITS]
    labels = recognition_rows.first_file(root, label_files, f"label file of test fold {fold}", REMEDY)
    clips = clips_below([root, *([settings.videos] if settings.videos else [])])
    rows: list[Row] = []
    seen_names: set[str] = set()
    for number, line in recognition_rows.read_numbered_csv(labels, ("video_name", "label")):
        name, label = Path(line["video_name"]).stem, line["label"]
        if not _NUMBER.fullmatch(name) or label not in [str(i) for i in range(1, len(EMOTIONS) + 1)]:
            stop(f"{labels}, line {number}: expected a clip's number and a label from 1 to 7, found {line}")
        recognition_rows.refuse_twice(labels, number, str(int(name)), seen_names)
        clip = clips.get(int(name), root / "part_?" / f"{int(name)}.mp4")
        relative = "/".join(clip.parts[-2:])
        rows.append(
            recognition_rows.row("dfew", str(int(name)), EMOTIONS[int(label) - 1], clip=relative, video=str(clip))
        )
    return rows


def note(rows: list[Row], root: Path, settings: Settings) -> str:
    """How the classes' counts differ from the published ones."""
    published = dict(zip(EMOTIONS, TEST_FOLDS[settings.dfew_fold], strict=True))
    return recognition_rows.count_note(rows, published, f"dfew, test fold {settings.dfew_fold}")


def clips_below(roots: list[Path]) -> dict[int, Path]:
    """Number -> file, from the first folder that holds parts, else `original`, with clips in it."""
    for pattern in ("part_*/*.mp4", "original/*.mp4"):
        for root in roots:
            for above in _SEARCHED:
                paths: dict[Path, dict[int, Path]] = {}
                for file in files.matching(root.absolute(), above + pattern):
                    if _NUMBER.fullmatch(file.stem):
                        paths.setdefault(file.parent.parent, {})[int(file.stem)] = file
                if paths:
                    return paths[min(paths)]
    return {}
