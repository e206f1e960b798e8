"""The published layouts of MAFW, MER2025 (track 1), DFEW and RAVDESS."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from avem_train.curation.data.rows import Clip
from avem_train.data.records import emotion_noun
from emorealm_tasks import files, settings
from emorealm_tasks.benchmarks import dfew as dfew_benchmark
from emorealm_tasks.benchmarks import ravdess as ravdess_benchmark
from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, lines, plain_name, read_text

MAFW_LABELS = (
    *("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    *("contempt", "anxiety", "helplessness", "disappointment"),
)
"""In the order of their numbers, from 1 (github.com/MAFW-database/MAFW at 059b24a; counts of its lists agree)."""
_MAFW_LISTS = ("Train & Test Set/single/no_caption/*/*.txt", "single/no_caption/*/*.txt", "*single_label*.txt")
_MAFW_SHEET = "single-set.xlsx"
_MAFW_LINE = re.compile(r"\s*(?P<name>[0-9]+)\.mp4\s+(?P<label>\S+)")
_MER2025 = "track1_train_disdim.csv"
MER2025_LABELS = ("neutral", "anger", "happiness", "sadness", "worry", "surprise")
"""The six classes of track 1, as nouns."""
_DFEW_REMEDY = (
    "manifest.path= names the folder with DFEW's labels and clips (on request: https://dfew-dataset.github.io)"
)
_RAVDESS_REMEDY = (
    "manifest.path= names the folder that holds Actor_01 ... Actor_24 (https://zenodo.org/records/1188976)"
)


def mafw(folder: Path) -> Iterator[Clip]:
    """MAFW's single-labelled clips, from its lists or from `single-set.xlsx`, wherever below the folder these are.

    Lines of the lists read `00151.mp4 LABEL ...`; a list of a fold tells the split by its name. Labels are words or the
    numbers 1 to 11. Stops where neither is there, or a label is unknown.
    """
    labels = _mafw_lists(folder) or _mafw_sheet(folder)
    if not labels:
        stop(f"{folder}: has neither MAFW's lists ({_MAFW_LISTS[1]}) nor {_MAFW_SHEET}; unpack its labels there")
    videos = {file.stem: file for file in files.matching(folder, "**/*.mp4")}
    for name, (label, split) in sorted(labels.items()):
        video = str(videos[name].relative_to(folder)) if name in videos else f"clips/{name}.mp4"
        licence = "MAFW: non-commercial research"
        yield Clip(id=f"mafw_{name}", video=video, emotion=label, split=split, licence=licence, source="MAFW")


def _mafw_lists(folder: Path) -> Mapping[str, tuple[str, str]]:
    """Name -> label and split, of the first fold's lists."""
    for pattern in _MAFW_LISTS:
        paths = files.matching(folder, f"**/{pattern}")
        found: dict[str, tuple[str, str]] = {}
        for path in [one for one in paths if one.parent == paths[0].parent]:
            split = next((name for name in ("train", "test") if name in path.stem.lower()), "")
            try:
                text = read_text(path)
            except Unreadable as error:
                stop(f"{path}: {error}; unpack MAFW's labels again")
            for number, line in lines(text):
                entry = _MAFW_LINE.match(line)
                if entry is None:
                    stop(f"{path}, line {number}: expected a clip and its label, found {brief(line)}")
                where = f"{path}, line {number}"
                told = (_mafw_label(entry["label"], where), split)
                if found.setdefault(entry["name"], told) != told:
                    stop(f"{where}: {entry['name']} occurs twice, with other labels or splits; unpack them again")
        if found:
            return found
    return {}


def _mafw_sheet(folder: Path) -> Mapping[str, tuple[str, str]]:
    """Name -> label, of the spreadsheet: the clip in its first column, the label in the last."""
    path = next(iter(files.matching(folder, f"**/{_MAFW_SHEET}")), None)
    if path is None:
        return {}
    import openpyxl

    try:
        sheet = openpyxl.load_workbook(path, read_only=True).worksheets[0]
        rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
    except Exception as error:  # openpyxl raises whatever its parts raise
        stop(f"{path}: cannot be read as a spreadsheet ({brief(error)}); download it again")
    found = {}
    for number, row in enumerate(rows, 1):
        if row and (name := re.fullmatch(r"([0-9]+)(?:\.mp4)?", str(row[0]))):
            found[name[1].zfill(5)] = (_mafw_label(str(row[-1]), f"{path}, row {number}"), "")
        elif row and found:
            print(f"{path}, row {number}: left out, as {brief(row[0])!r} is no clip's number", file=sys.stderr)
    return found


def _mafw_label(text: str, where: str) -> str:
    if text.isdigit() and 1 <= int(text) <= len(MAFW_LABELS):
        return MAFW_LABELS[int(text) - 1]
    label = emotion_noun(text)
    if label not in MAFW_LABELS:
        stop(f"{where}: {brief(text)!r} is none of MAFW's labels ({', '.join(MAFW_LABELS)})")
    return label


def mer2025(folder: Path) -> Iterator[Clip]:
    """MER2025's training set of track 1: `track1_train_disdim.csv` (`name`, `discrete`), `video/`, `audio/`.

    English subtitles come from `subtitle_chieng.csv` (`name`, `english`), where it is there.
    """
    remedy = "MER2025 is given out on request (https://huggingface.co/datasets/MERChallenge/MER2025)"
    labels = recognition_rows.first_file(folder, (_MER2025,), "training labels of track 1", remedy)
    subtitles = _subtitles(folder / "subtitle_chieng.csv", remedy)
    seen: set[str] = set()
    for number, row in recognition_rows.read_numbered_csv(labels, ("name", "discrete"), remedy):
        name, label = row["name"], emotion_noun(row["discrete"])
        if not plain_name(name) or label not in MER2025_LABELS:
            known = ", ".join(MER2025_LABELS)
            stop(f"{labels}, line {number}: expected a clip's name and a label ({known}), found {brief(row)}")
        recognition_rows.refuse_twice(labels, number, name, seen)
        sound = f"audio/{name}.wav"
        yield Clip(
            id=f"mer2025_{name}",
            video=f"video/{name}.mp4",
            audio=sound if (folder / sound).exists() else None,
            emotion=label,
            subtitle=subtitles.get(name, ""),
            split="train",
            licence="CC BY-NC 4.0",
            source="MER2025",
        )


def _subtitles(path: Path, remedy: str) -> Mapping[str, str]:
    if not path.exists():
        return {}
    return {row["name"]: row["english"] for row in recognition_rows.read_csv(path, ("name", "english"), remedy)}


def dfew(folder: Path) -> Iterator[Clip]:
    """DFEW's first fold: its training list (split `train`) and its test list (split `test`)."""
    clips = dfew_benchmark.clips_below([folder])
    seen: set[str] = set()
    for split in ("train", "test"):
        wanted = [f"{above}/{split}(single-labeled)/set_1.csv".removeprefix("./") for above in dfew_benchmark.SPLITS]
        labels = recognition_rows.first_file(folder, wanted, f"list of {split} clips", _DFEW_REMEDY)
        for number, row in recognition_rows.read_numbered_csv(labels, ("video_name", "label"), _DFEW_REMEDY):
            name, label = Path(row["video_name"]).stem, row["label"]
            if not name.isdigit() or label not in map(str, range(1, len(EMOTIONS) + 1)):
                stop(f"{labels}, line {number}: expected a clip's number and a label from 1 to 7, found {brief(row)}")
            recognition_rows.refuse_twice(labels, number, str(int(name)), seen)
            file = clips.get(int(name))
            video = str(file.relative_to(folder.absolute())) if file else f"part_1/{name}.mp4"
            emotion = EMOTIONS[int(label) - 1]
            yield Clip(id=f"dfew_{int(name)}", video=video, emotion=emotion, split=split, licence="DFEW", source="DFEW")


def ravdess(folder: Path) -> Iterator[Clip]:
    """RAVDESS's files with picture and sound, speech, without calm."""
    for row in ravdess_benchmark.read(folder, settings.Settings(), _RAVDESS_REMEDY):
        video = str(Path(row["video"]).relative_to(folder.absolute()))
        emotion = row["emotion"]
        yield Clip(id=row["id"], video=video, emotion=emotion, licence="CC BY-NC-SA 4.0", source="RAVDESS")
