"""RAVDESS's published layout -> rows: all that is known of a file is in its name.

`Actor_07/01-01-06-01-02-01-07.mp4`: modality (01 picture and sound, 02 picture, 03 sound), channel (01 speech, 02
song), emotion, intensity, statement, repetition, actor. Calm is left out. The archives may be unpacked into one folder
or into one each; clips are read as they are.
"""

import re
from pathlib import Path

from emorealm_tasks import files
from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import absent
from emorealm_tasks.settings import RAVDESS_CHANNELS, RAVDESS_MODALITIES, Settings

TITLE = "RAVDESS, seven emotions acted in speech (or song)"
REMEDY = (
    "Download RAVDESS (https://zenodo.org/records/1188976: Video_Speech_Actor_01.zip ... 24; songs and sound alone are "
    "archives of their own), unpack it and set EMOREALM_RAVDESS to the folder that holds Actor_01 ... Actor_24."
)
CLASSES = {
    "01": "neutral",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
MODALITY_CODES = dict(zip(RAVDESS_MODALITIES, ("01", "02", "03"), strict=True))
CHANNEL_CODES = dict(zip(RAVDESS_CHANNELS, (("01",), ("02",), ("01", "02")), strict=True))
PUBLISHED = {
    "speech": {emotion: 96 if emotion == "neutral" else 192 for emotion in CLASSES.values()},
    "song": {"neutral": 92} | dict.fromkeys(("happiness", "sadness", "anger", "fear"), 184),
}
"""Files of each class: 24 actors speak, 23 sing (and neither disgust nor surprise), neutral has one intensity.

From its Zenodo page (records/1188976): two statements, two repetitions, two intensities (neutral: one). With calm that
is the page's 1440 = 24 x 60 files of speech and 1012 = 23 x 44 of song.
"""
_NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-\d\d-\d\d-\d\d-(\d\d)\.(?:mp4|wav)")
_SEARCHED = ("", "*/", "*/*/")


def read(root: Path, settings: Settings, remedy: str = REMEDY) -> list[Row]:
    """The rows of the files that the settings ask for, by name; see `recognition.row`. Stops where there is none.

    remedy: what to do, for the error message.
    """
    modality, channels = MODALITY_CODES[settings.ravdess_modality], CHANNEL_CODES[settings.ravdess_channel]
    found: dict[str, Path] = {}
    for above in _SEARCHED:
        for file in files.matching(root.absolute(), f"{above}Actor_*/*"):
            found.setdefault(file.name, file)  # some copies of the data set hold every actor twice
    rows = []
    for name, file in sorted(found.items()):
        code = _NAME.fullmatch(name)
        if code and code[1] == modality and code[2] in channels and code[3] in CLASSES:
            sound = {"video": "", "audio": str(file)} if modality == "03" else {"video": str(file)}
            clip = "/".join(file.parts[-2:])
            rows.append(
                recognition_rows.row(
                    "ravdess", file.stem, CLASSES[code[3]], clip=clip, silent=modality == "02", **sound
                )
            )
    if not rows:
        absent(
            f"{root}: there is no {settings.ravdess_modality} {settings.ravdess_channel} of RAVDESS; looked for "
            f"Actor_*/{modality}-{channels[0]}-*. {remedy}"
        )
    return rows


def note(rows: list[Row], root: Path, settings: Settings) -> str:
    """How the classes' counts differ from the published ones."""
    parts = ("speech", "song") if settings.ravdess_channel == "both" else (settings.ravdess_channel,)
    published = {emotion: sum(PUBLISHED[part].get(emotion, 0) for part in parts) for emotion in CLASSES.values()}
    return recognition_rows.count_note(
        rows, published, f"ravdess, {settings.ravdess_modality} {settings.ravdess_channel}"
    )
