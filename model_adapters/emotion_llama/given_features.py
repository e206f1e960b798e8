"""Which features version 1 is given beside the image: one name for each way, as in `features=` of the adapter.

| name        | MAE and VideoMAE                                       | audio                                  |
| ----------- | ------------------------------------------------------ | -------------------------------------- |
| `demo`      | zeros, as the released demo                            | HuBERT's mean, by the model            |
| `faces`     | of crops found in the frames (`face_crops.Found`)      | HuBERT's mean, by the model            |
| `faces:DIR` | of crops in a folder (`face_crops.Given`)              | HuBERT's mean, by the model            |
| `DIR`       | from files (`feature_files`)                           | from files; without them, by the model |

What a clip has no picture or no sound for is zeros, and so are MAE and VideoMAE of a clip in which no face is found.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import torch

from emorealm_tasks import files, settings
from emorealm_tasks.errors import stop, warn_once
from emorealm_tasks.media import MediaError
from emorealm_tasks.untrusted import brief
from model_adapters.base import arguments
from model_adapters.base.media_refs import ClipFiles

from . import face_crops, feature_files
from .face_towers import FaceTowers

DEMO, FACES = "demo", "faces"
Features = Callable[[ClipFiles], torch.Tensor | None]
"""A clip -> (3, feature size): MAE, VideoMAE, audio; (2, feature size): without audio, which the model computes; None =
zeros, and audio by the model. Raises MediaError."""


def find(name: str, owner: str) -> Features:
    """The features of that name. Stops at a name that is none, and where a folder that it needs is missing."""
    if name == DEMO:
        return _nothing
    if kind(name) == "files":
        if not os.path.isdir(_folder(name)):
            known = f"{DEMO}, {FACES}, {FACES}:DIR, or a folder of features"
            stop(f"{owner}: features={brief(repr(name))}; use one of {known}")
        return Files(_folder(name))
    towers = settings.load().face_towers
    if towers is None:
        stop(
            f"{owner}: features={FACES} needs the encoders of faces: set EMOREALM_FACE_TOWERS to the folder that "
            f"python -m {__package__}.convert_faces wrote, or use features={DEMO}"
        )
    crops = face_crops.Found() if name == FACES else face_crops.Given(_folder(name))
    return Faces(crops, FaceTowers(towers, arguments.choose_device(None, owner)))


def absolute(name: str) -> str:
    """The name with an absolute folder, as a config.json keeps it."""
    if name in (DEMO, FACES):
        return name
    return f"{FACES}:" * (kind(name) == "crops") + str(_folder(name).resolve())


def kind(name: str) -> str:
    """How those features are made, for records, which name no folder: `demo`, `faces`, `crops` or `files`."""
    if name in (DEMO, FACES):
        return name
    return "crops" if name.startswith(f"{FACES}:") else "files"


def stamp(name: str) -> str:
    """A digest of the files that those features are made from: names, sizes, times of change. "" for `demo`.

    An answer from a cache is another one's where it differs.
    """
    towers = None if kind(name) in (DEMO, "files") else settings.load().face_towers
    folders = [towers, None if name in (DEMO, FACES) else _folder(name)]
    digest = hashlib.sha256()
    for folder in filter(None, folders):
        for path in filter(Path.exists, files.matching(folder, "**/*")):  # a link may lead nowhere
            state = path.stat()
            line = f"{path.relative_to(folder)}|{state.st_size}|{state.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return "" if name == DEMO else digest.hexdigest()[:16]


def _folder(name: str) -> Path:
    return Path(name.removeprefix(f"{FACES}:")).expanduser()


class Faces:
    """MAE's and VideoMAE's features of the face in a clip, computed once for each clip."""

    def __init__(self, crops: Callable[[str], face_crops.Crops | None], towers: FaceTowers) -> None:
        self._crops, self._towers = crops, towers
        self._known: dict[str, torch.Tensor | None] = {}

    def __call__(self, clip: ClipFiles) -> torch.Tensor | None:
        """(2, feature size); None for a clip without a picture, or without a face. Raises MediaError."""
        if clip.video is None:
            return None
        if clip.video not in self._known:
            crops = self._crops(clip.video)
            if crops is None:
                warn_once(clip.video, f"{clip.video}: no face is found in it; its MAE and VideoMAE features are zeros")
            self._known[clip.video] = None if crops is None else self._towers.summaries(*crops)
        return self._known[clip.video]


class Files:
    """The features of a clip that lie in files; see `feature_files`."""

    def __init__(self, root: Path) -> None:
        self._folders = feature_files.folders(root)

    def __call__(self, clip: ClipFiles) -> torch.Tensor | None:
        """(3, feature size), or (2, feature size) without files of HuBERT's. Raises MediaError."""
        source = clip.video or clip.audio
        if source is None:
            return None
        paths = {encoder: folder / f"{Path(source).stem}.npy" for encoder, folder in self._folders.items()}
        values = {encoder: torch.from_numpy(feature_files.read(path)) for encoder, path in paths.items()}
        widths = {encoder: len(value) for encoder, value in values.items()}
        if len(set(widths.values())) > 1:
            raise MediaError(f"{Path(source).stem}.npy: the features differ in width: {widths}; extract them again")
        shown = {"MAE": clip.video, "VideoMAE": clip.video, "HuBERT": clip.audio}
        return torch.stack([value * (shown[encoder] is not None) for encoder, value in values.items()])


def _nothing(clip: ClipFiles) -> None:
    return None
