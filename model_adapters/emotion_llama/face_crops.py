"""A clip -> crops of one person's face, found in its frames or read from a folder.

The published features were made from faces that OpenFace 2 tracked and aligned by 68 landmarks. `Found` is a stand-in:
the face is detected in each frame by itself (MTCNN), and aligned by five landmarks, eyes level. So crops differ from
OpenFace's in their margin, in small turns, and in which person is followed where there are several; OpenFace also
blacks out what is around a face unless it is told not to. Whoever needs the published preparation runs OpenFace and
gives its crops: `Given`.
"""

import os
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from emorealm_tasks import files, media
from emorealm_tasks.errors import stop

from .face_detector import Face, FaceDetector
from .face_towers import chosen

SIDE = 224
"""Pixels of a crop."""
MOST_FRAMES = 128
"""Evenly spaced frames of a longer clip that are looked at, beside those that VideoMAE sees."""
_PICTURES = {".bmp", ".jpeg", ".jpg", ".png"}
_LANDMARKS = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.58], [0.34, 0.8], [0.66, 0.8]])
"""Where eyes, nose and corners of the mouth lie in a crop, as shares of its side."""


class Crops(NamedTuple):
    """The face in a clip."""

    pictures: np.ndarray
    """uint8 RGB (crops, 224, 224, 3), in the order of the frames."""
    numbers: np.ndarray
    """Which of them VideoMAE sees, int64 (16,)."""


class Found:
    """Crops of the largest face in each frame; stops as `FaceDetector`. A frame without a face is cut as the nearest
    one that has one.
    """

    def __init__(self) -> None:
        self._detector = FaceDetector()

    def __call__(self, path: str) -> Crops | None:
        """The crops of a clip; None where no frame has a face. Raises MediaError."""
        frames, numbers = read(path)
        faces = [max(self._detector.faces(frame), key=_area, default=None) for frame in frames]
        seen = np.array([number for number, face in enumerate(faces) if face is not None])
        if not len(seen):
            return None
        nearest = [faces[seen[np.abs(seen - number).argmin()]] for number in range(len(frames))]
        cut = [aligned(frame, face.landmarks) for frame, face in zip(frames, nearest, strict=True) if face is not None]
        return Crops(np.stack(cut), numbers)


class Given:
    """Crops that lie in a folder: DIR/CLIP/*.jpg (bmp, jpeg, png), or DIR/CLIP_aligned as OpenFace names it.

    CLIP is the name of the clip's file without its ending; pictures are taken in the order of their names.
    """

    def __init__(self, folder: Path) -> None:
        if not os.path.isdir(folder):
            stop(f"{folder}: no such folder; features=faces:DIR names the folder with a folder of crops for each clip")
        self.folder = folder

    def __call__(self, path: str) -> Crops:
        """The crops of a clip. Raises MediaError where there are none, or one cannot be read."""
        name = Path(path).stem
        for folder in (self.folder / name, self.folder / f"{name}_aligned"):
            if folder.is_dir():
                crops = [file for file in files.matching(folder, "*") if file.suffix.lower() in _PICTURES]
                if not crops:
                    raise media.MediaError(f"{folder}: there is no picture in it ({', '.join(sorted(_PICTURES))})")
                pictures = [cv2.resize(media.read_frames(file, 1)[0][0], (SIDE, SIDE)) for file in crops]
                return Crops(np.stack(pictures), chosen(len(pictures)))
        raise media.MediaError(f"{self.folder / name}: no such folder; put the crops of the clip's face there")


def read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Frames of a clip, uint8 (frames, height, width, 3), and which of them VideoMAE sees (16,). Raises MediaError."""
    available = [0]

    def choose(count: int, most: int) -> np.ndarray:
        available[0] = count
        return np.union1d(media.frame_indices(count, min(count, most)), chosen(count))

    frames = media.read_frames(path, MOST_FRAMES, choose)[0]
    return frames, np.searchsorted(choose(available[0], MOST_FRAMES), chosen(available[0]))


def aligned(frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The crop of a face (224, 224, 3): turned, scaled and moved so that its landmarks (5, 2) lie best on the standard
    ones; black outside the frame.
    """
    points = landmarks @ [1, 1j]  # a similarity is a product and a sum of complex numbers
    targets = SIDE * _LANDMARKS @ [1, 1j]
    (turn, shift), *_ = np.linalg.lstsq(np.stack([points, np.ones(5)], 1), targets)
    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    return cv2.warpAffine(frame, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)


def _area(face: Face) -> float:
    return float((face.box[2:] - face.box[:2]).prod())
