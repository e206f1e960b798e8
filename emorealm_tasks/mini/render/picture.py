"""Draws a clip's picture: one person, an object or two beside them, a sweater, and the cues the clip lists.

Coordinates are in a frame of SIZE x SIZE units.
"""

import math
from dataclasses import dataclass

import numpy as np

from emorealm_tasks.mini.render.canvas import INK, OBJECTS, SIZE, WHITE, Canvas, Colour, Point
from emorealm_tasks.mini.world.sampling import Clip

SKINS: tuple[Colour, ...] = ((246, 214, 184), (228, 184, 146), (190, 138, 100), (140, 96, 68))
HAIRS: tuple[Colour, ...] = ((50, 36, 30), (120, 80, 40), (220, 190, 110), (150, 150, 150))
WALLS: tuple[Colour, ...] = ((205, 215, 222), (222, 214, 200), (206, 222, 206), (218, 206, 222))
SWEATERS: dict[str, Colour] = {
    "red_sweater": (205, 45, 45),
    "blue_sweater": (50, 80, 200),
    "green_sweater": (50, 150, 70),
    "yellow_sweater": (240, 205, 50),
    "purple_sweater": (135, 60, 160),
    "white_sweater": (248, 248, 248),
    "black_sweater": (35, 35, 40),
}


@dataclass(frozen=True)
class Pose:
    """Where things are in one frame."""

    x: float
    """The head's centre, in pixels."""
    y: float
    """As `x`."""
    turn: Point
    """How far the face is turned, (x, y) in pixels."""
    phase: float
    """The moment in the clip, which moves hands and tears."""
    reacting: bool
    """Whether the person has turned to what it reacts to."""
    skin: Colour
    """Colour of the skin."""
    hair: Colour
    """Colour of the hair."""
    hair_style: int
    """Number of the shape of the hair."""


def _body(c: Canvas, clip: Clip, p: Pose) -> None:
    colour = SWEATERS[clip.clothes]
    drop = 8 if "slumped_shoulders" in clip.seen else 0
    lean = 12 if "leaning_away" in clip.seen else 0
    width = 21 - drop * 0.5
    c.area(
        colour,
        (p.x - 10, p.y + 18),
        (p.x + 10, p.y + 18),
        (p.x + width - lean, p.y + 30 + drop),
        (p.x + 24 - lean * 1.4, SIZE),
        (p.x - 24 - lean * 1.4, SIZE),
        (p.x - width - lean * 0.6, p.y + 30 + drop),
    )
    c.line(INK, 0.8, (p.x - 10, p.y + 18), (p.x - width - lean * 0.6, p.y + 30 + drop))
    c.line(INK, 0.8, (p.x + 10, p.y + 18), (p.x + width - lean, p.y + 30 + drop))


def _head(c: Canvas, p: Pose) -> None:
    c.box(p.skin, (p.x - 5, p.y + 14), (p.x + 5, p.y + 23))
    if p.hair_style:
        c.oval(p.hair, (p.x, p.y + 3), (21, 22))
    c.oval(p.hair, (p.x, p.y - 5), (19.5, 18))
    c.oval(p.skin, (p.x, p.y + 1), (17, 19))


def _eyes(c: Canvas, cue_names: tuple[str, ...], p: Pose, fx: float, fy: float) -> None:
    for side in (-1, 1):
        x, y = fx + side * 6.5, fy - 3
        if "crinkled_eyes" in cue_names:
            c.oval(INK, (x, y + 1.5), (3.5, 3.5), 1.4, (190, 350))
        elif "steady_gaze" in cue_names:
            c.oval(WHITE, (x, y), (3.6, 2.8))
            c.oval(p.skin, (x, y - 1.8), (4.4, 2.6))
            c.line(INK, 1.4, (x - 4, y), (x + 4, y))
            c.oval(INK, (x + p.turn[0] * 0.2, y + 1), (1.4, 1.2))
        else:
            wide = 1.75 if "wide_eyes" in cue_names else 1.0
            c.oval(INK, (x, y), (3.4 * wide + 0.6, 2.7 * wide + 0.6))
            c.oval(WHITE, (x, y), (3.4 * wide, 2.7 * wide))
            c.oval(INK, (x + p.turn[0] * 0.35, y + p.turn[1] * 0.35), (1.4, 1.4))
        inner, outer, height = 0.0, 0.0, 7.0
        if "raised_brows" in cue_names:
            inner, outer, height = -1.0, 0.5, 10.5
        elif "furrowed_brows" in cue_names:
            inner, outer, height = 3.5, -2.5, 6.5
        thick = 2.0 if inner else 1.2
        c.line(
            p.hair if inner == 0 else INK,
            thick,
            (x - side * 4.2, y - height + inner),
            (x + side * 4.2, y - height + outer),
        )


def _nose(c: Canvas, cue_names: tuple[str, ...], fx: float, fy: float) -> None:
    if "wrinkled_nose" in cue_names:
        for dy in (-1.5, 0.5, 2.5):
            c.line((120, 50, 40), 1.1, (fx - 4.5, fy + dy - 1.4), (fx, fy + dy + 0.6), (fx + 4.5, fy + dy - 1.4))
    else:
        c.line((150, 95, 75), 1, (fx, fy - 1), (fx + 1.2, fy + 3))


def _mouth(c: Canvas, cue_names: tuple[str, ...], p: Pose, fx: float, fy: float) -> None:
    y = fy + 10
    if "smile" in cue_names:
        c.oval((150, 30, 40), (fx, y - 2.5), (8, 6), 0, (0, 180))
        c.line(WHITE, 1.6, (fx - 6, y - 1.6), (fx + 6, y - 1.6))
    elif "downturned_mouth" in cue_names:
        c.oval((120, 30, 40), (fx, y + 4), (7, 5), 1.8, (190, 350))
    elif "relaxed_mouth" in cue_names:
        c.line((150, 60, 70), 2.2, (fx - 7.5, y), (fx + 7.5, y))
    elif "bared_teeth" in cue_names:
        c.box(INK, (fx - 8, y - 3), (fx + 8, y + 3.5))
        c.box(WHITE, (fx - 7, y - 2.2), (fx + 7, y + 2.7))
        for dx in (-3.5, 0, 3.5):
            c.line(INK, 0.7, (fx + dx, y - 2), (fx + dx, y + 2.5))
    elif "open_mouth" in cue_names:
        c.oval((70, 10, 20), (fx, y + 1.5), (4.2, 5.5))
    elif "tongue_out" in cue_names:
        c.line(INK, 1.4, (fx - 6, y - 1), (fx + 6, y - 1))
        c.oval((240, 90, 120), (fx, y + 3), (3.4, 5))
    elif "quivering_lips" in cue_names:
        shift = 1.5 * math.sin(40 * p.phase)
        xs = np.linspace(-8, 8, 9)
        c.line((110, 20, 40), 1.5, *[(fx + x, y + shift + (2.2 if i % 2 else -2.2)) for i, x in enumerate(xs)])
    else:
        c.line((150, 60, 70), 1.8, (fx - 2, y), (fx + 2, y))


def _tears(c: Canvas, p: Pose, fx: float, fy: float) -> None:
    for side in (-1, 1):
        x = fx + side * 7.5
        c.line((150, 205, 255), 1.6, (x, fy + 1), (x, fy + 12))
        for step in (0.0, 0.5):
            c.oval((60, 140, 250), (x, fy + 2 + 11 * ((p.phase * 1.5 + step) % 1.0)), (1.9, 2.4))


def _hands(c: Canvas, clip: Clip, p: Pose) -> None:
    """Arms and hands, drawn over body and face."""
    cue_names, sleeve = clip.seen, SWEATERS[clip.clothes]
    spots = {
        "clapping": (2.5 + 6 * abs(math.sin(6 * p.phase)), 33, 4, 5),
        "folded_hands": (4, 50, 5, 3),
        "clenched_fists": (25, 24, 5.5, 5.5),
        "hands_on_cheeks": (16.5, 9, 3.5, 6),
        "shielding_arms": (0, 27, 0, 0),
    }
    name = next((name for name in cue_names if name in spots), "")
    if not name:
        return
    dx, dy, rx, ry = spots[name]
    for side in (-1, 1):
        x, y = p.x + side * dx, min(p.y + dy, SIZE - 5)
        if name == "shielding_arms":
            c.line(INK, 7.5, (p.x + side * 22, SIZE - 2), (p.x - side * 14, p.y + 24))
            c.line(sleeve, 6, (p.x + side * 22, SIZE - 2), (p.x - side * 14, p.y + 24))
            c.oval(p.skin, (p.x - side * 16, p.y + 22), (4.5, 4.5))
            continue
        c.line(INK, 7.5, (p.x + side * 25, SIZE), (x + side * 2, y + ry))
        c.line(sleeve, 6, (p.x + side * 25, SIZE), (x + side * 2, y + ry))
        c.oval(INK, (x, y), (rx + 0.8, ry + 0.8))
        c.oval(p.skin, (x, y), (rx, ry))
        if name == "clenched_fists":
            for k in (-2.4, 0, 2.4):
                c.line(INK, 0.8, (x + k, y - 4), (x + k, y))


def _reaction(c: Canvas, clip: Clip, p: Pose) -> None:
    """Strokes between the head and what the person has noticed."""
    if not p.reacting or not clip.looks_at:
        return
    sides = {clip.left: (-1, 0), clip.right: (1, 0), clip.clothes: (0, 1)}
    dx, _ = sides[clip.looks_at]
    for k in (-1, 0, 1):
        if dx:
            c.line((230, 60, 20), 1.8, (p.x + dx * 20, p.y - 4 + 5 * k), (p.x + dx * 26, p.y - 4 + 8 * k))
        else:
            c.line((230, 60, 20), 1.8, (p.x + 7 * k, p.y + 24), (p.x + 10 * k, p.y + 30))


def draw_frame(clip: Clip, moment: float) -> np.ndarray:
    """Draw one frame.

    moment: in [0, 1], where in the clip. Returns uint8 (SIZE, SIZE, 3), RGB. The same clip and moment give the same
    pixels.
    """
    rng = np.random.default_rng(clip.seed)
    wall, skin, hair = (palette[rng.integers(len(palette))] for palette in (WALLS, SKINS, HAIRS))
    x, y, style = 48 + rng.uniform(-4, 4), 36 + rng.uniform(-3, 3), int(rng.integers(2))
    heights = rng.uniform(14, 40, size=2)
    reacting = moment > 0.35
    towards = {clip.left: (-6.0, 0.0), clip.right: (6.0, 0.0), clip.clothes: (0.0, 6.0)}
    turn = towards[clip.looks_at] if clip.looks_at and reacting else (0.0, 0.0)
    lean = 8.0 if "leaning_away" in clip.seen else 0.0
    drop = 5.0 if "slumped_shoulders" in clip.seen else 0.0
    sway = 0.8 * math.sin(5 * moment + clip.seed % 7)
    pose = Pose(x + sway + turn[0] * 0.3 + lean, y + drop + turn[1] * 0.3, turn, moment, reacting, skin, hair, style)

    canvas = Canvas(wall)
    red, green, blue = (int(v * 0.8) for v in wall)
    canvas.box((red, green, blue), (0, 84), (SIZE, SIZE))
    for name, column, height in ((clip.left, 12, heights[0]), (clip.right, 84, heights[1])):
        if name:
            OBJECTS[name](canvas, column, height)
    _body(canvas, clip, pose)
    _head(canvas, pose)
    fx, fy = pose.x + pose.turn[0] * 0.6, pose.y + 1 + pose.turn[1] * 0.5
    _eyes(canvas, clip.seen, pose, fx, fy)
    _nose(canvas, clip.seen, fx, fy + 3)
    _mouth(canvas, clip.seen, pose, fx, fy)
    if "tears" in clip.seen:
        _tears(canvas, pose, fx, fy)
    _hands(canvas, clip, pose)
    _reaction(canvas, clip, pose)
    return canvas.picture()
