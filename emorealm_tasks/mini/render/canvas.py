"""A canvas to draw on in frame units, and the objects that can stand beside the person.

Everything is drawn at twice the size and reduced, for smooth edges.
"""

import cv2
import numpy as np

SIZE = 96
"""Height and width of a frame, pixels."""
SCALE = 2

Point = tuple[float, float]
Colour = tuple[int, int, int]

INK: Colour = (40, 30, 30)
WHITE: Colour = (250, 250, 250)


class Canvas:
    """RGB picture with drawing calls in frame units."""

    def __init__(self, wall: Colour) -> None:
        self.pixels = np.empty((SIZE * SCALE, SIZE * SCALE, 3), np.uint8)
        self.box(wall, (0, 0), (SIZE, SIZE))

    @staticmethod
    def _at(point: Point) -> tuple[int, int]:
        return round(point[0] * SCALE), round(point[1] * SCALE)

    def line(self, colour: Colour, width: float, *points: Point) -> None:
        """Polyline through the points."""
        path = np.array([self._at(p) for p in points], np.int32)
        cv2.polylines(self.pixels, [path], False, colour, max(1, round(width * SCALE)), cv2.LINE_AA)

    def area(self, colour: Colour, *points: Point) -> None:
        """Filled polygon."""
        cv2.fillPoly(self.pixels, [np.array([self._at(p) for p in points], np.int32)], colour, cv2.LINE_AA)

    def oval(self, colour: Colour, centre: Point, radii: Point, width: float = 0, arc: Point = (0, 360)) -> None:
        """Ellipse, filled where width is 0; `arc` in degrees, clockwise from the right."""
        thickness = max(1, round(width * SCALE)) if width else -1
        axes = (max(1, round(radii[0] * SCALE)), max(1, round(radii[1] * SCALE)))
        cv2.ellipse(self.pixels, self._at(centre), axes, 0, arc[0], arc[1], colour, thickness, cv2.LINE_AA)

    def box(self, colour: Colour, corner: Point, opposite: Point) -> None:
        """Filled rectangle."""
        cv2.rectangle(self.pixels, self._at(corner), self._at(opposite), colour, -1)

    def picture(self) -> np.ndarray:
        """The frame, uint8 (SIZE, SIZE, 3)."""
        return cv2.resize(self.pixels, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def _balloon(c: Canvas, x: float, y: float) -> None:
    c.line(INK, 0.8, (x, y + 6), (x + 1, y + 13))
    c.oval((225, 40, 50), (x, y - 1), (6.5, 8))


def _clock(c: Canvas, x: float, y: float) -> None:
    c.oval(INK, (x, y), (8, 8))
    c.oval(WHITE, (x, y), (6.5, 6.5))
    c.line(INK, 1, (x, y - 5), (x, y), (x + 4, y))


def _plant(c: Canvas, x: float, y: float) -> None:
    for dx, dy in ((-6, -6), (0, -10), (6, -6)):
        c.line((40, 140, 50), 3.5, (x, y + 4), (x + dx, y + dy))
    c.area((170, 95, 55), (x - 5, y + 3), (x + 5, y + 3), (x + 3.5, y + 11), (x - 3.5, y + 11))


def _lamp(c: Canvas, x: float, y: float) -> None:
    c.line((90, 80, 70), 1.5, (x, y), (x, y + 11))
    c.line((90, 80, 70), 2, (x - 4, y + 11), (x + 4, y + 11))
    c.area((255, 235, 120), (x - 3.5, y - 8), (x + 3.5, y - 8), (x + 8, y + 2), (x - 8, y + 2))


def _cat(c: Canvas, x: float, y: float) -> None:
    for side in (-1, 1):
        c.area((235, 140, 40), (x + side * 6, y - 9), (x + side * 6, y), (x + side, y - 4))
    c.oval((235, 140, 40), (x, y), (7, 6))
    c.oval((235, 140, 40), (x, y + 8), (5.5, 5))
    for side in (-1, 1):
        c.oval(INK, (x + side * 2.5, y - 1), (1, 1))


def _painting(c: Canvas, x: float, y: float) -> None:
    c.box((120, 85, 40), (x - 8, y - 7), (x + 8, y + 7))
    c.box((120, 190, 240), (x - 6, y - 5), (x + 6, y + 5))
    c.area((70, 110, 70), (x - 6, y + 5), (x - 1, y - 2), (x + 6, y + 5))


def _mug(c: Canvas, x: float, y: float) -> None:
    c.oval((40, 90, 190), (x + 6, y + 2), (3.5, 4), 1.6)
    c.box((40, 90, 190), (x - 6, y - 5), (x + 5, y + 8))
    c.line(WHITE, 1.2, (x - 2, y - 8), (x - 1, y - 12))


OBJECTS = {
    "balloon": _balloon,
    "clock": _clock,
    "plant": _plant,
    "lamp": _lamp,
    "cat": _cat,
    "painting": _painting,
    "mug": _mug,
}
