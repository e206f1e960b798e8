"""What the yes-against-no plots draw, for the page and for the picture files: points, labels and curves of equal F1.

Everything is in percent of the axes: x is right where the answer is yes, y right where it is no.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emorealm_results.leaderboard.score_rows import ScoreRow
from emorealm_tasks.metrics import TASKS

YES_NO = (TASKS[0], *TASKS[3:])
LEVELS = (20, 40, 60, 80)
"""The F1 scores whose curves are drawn."""
_NEAR = 4, 3
"""How near to each other, in both scores, models share a label."""
_CHARACTER, _LINE = 2.3, 4.6
"""Width of a character and height of a line of a label."""
_POINT = 2.2
"""Half of the room that a drawn point takes."""
_STEPS = ((-1, 0), (1, 0), (-1, -1), (1, -1), (-1, 1), (1, 1), (0, -1), (0, 1))
_FURTHEST = 8

Key = tuple[str, str, str]
"""Source, model and part of a point."""
Box = tuple[float, float, float, float]


def panels(rows: Sequence[ScoreRow]) -> list[dict[str, Any]]:
    """A panel a yes/no task: ``task``, ``points``, ``labels``, and ``why`` where there is no point.

    A point has ``source, model, part, yes, no`` and its model's ``number`` (None of the paper's models, which have no
    label); a label ``text, x, y`` of its middle and ``to``, the point that it belongs to.
    """
    points = pairs_of(rows)
    numbers = numbered(points)
    all_panels = []
    for task in YES_NO:
        task_points = points.get(task, {})
        all_panels.append({
            "task": task,
            "points": [
                {"source": source, "model": model, "part": part, "yes": yes, "no": no,
                 "number": numbers.get(model) if source == "measured" else None}
                for (source, model, part), (yes, no) in task_points.items()
            ],
            "labels": labels(task_points, numbers),
            "why": "" if task_points else "No run or printed row has both scores of this task.",
        })  # fmt: skip
    return all_panels


def pairs_of(rows: Sequence[ScoreRow]) -> dict[str, dict[Key, tuple[float, float]]]:
    """Task -> (source, model, part) -> (precision, recall), where both are there."""
    scores_of: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        if row.task in YES_NO and row.metric in ("precision", "recall") and row.value is not None:
            scores_of.setdefault((row.task, row.source, row.model, row.part), {})[row.metric] = row.value
    points: dict[str, dict[Key, tuple[float, float]]] = {}
    for (task, *key), scores in scores_of.items():
        if len(scores) == 2:
            points.setdefault(task, {})[tuple(key)] = scores["precision"], scores["recall"]
    return points


def numbered(points: Mapping[str, Mapping[Key, Any]]) -> dict[str, int]:
    """The number by which a measured model is named in every panel, from 1 in the order of the rows."""
    names = dict.fromkeys(
        model
        for task_points in points.values()
        for source, model, part in task_points
        if (source, part) == ("measured", "full")
    )
    return {name: number for number, name in enumerate(names, start=1)}


def labels(points: Mapping[Key, tuple[float, float]], numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """A label for each group of measured points that lie on each other, where it covers no point and no other label.

    Tried are places around the group's leftmost point, nearest first; where all are taken the last one tried is used.
    """
    groups: dict[tuple[float, float], set[int]] = {}
    for (source, model, part), (yes, no) in sorted(points.items(), key=lambda point: point[1]):
        if (source, part) == ("measured", "full"):
            near = (at for at in groups if yes - at[0] < _NEAR[0] and abs(no - at[1]) < _NEAR[1])
            groups.setdefault(next(near, (yes, no)), set()).add(numbers[model])
    occupied: list[Box] = [_box(at, 2 * _POINT, 2 * _POINT) for at in points.values()]
    all_labels = []
    for at, members in groups.items():
        text = spans(sorted(members))
        width = len(text) * _CHARACTER
        places = list(_around(at, width))
        clear = (place for place in places if _is_free(_box(place, width, _LINE), occupied))
        x, y = next(clear, places[-1])
        occupied.append(_box((x, y), width, _LINE))
        all_labels.append({"text": text, "x": round(x, 2), "y": round(y, 2), "to": [round(one, 2) for one in at]})
    return all_labels


def spans(numbers: Sequence[int]) -> str:
    """Ascending whole numbers as text, three and more in a row as a span: "1, 3-5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def curve(level: float) -> list[tuple[float, float]]:
    """Points (x, y) of equal F1 = ``level``, from the upper end to the right one."""
    end = level * 100 / (200 - level)
    between = [end + (100 - end) * (step / 80) ** 2 for step in range(1, 80)]
    inner = [(round(x, 2), round(level * x / (2 * x - level), 2)) for x in between]
    return [(round(end, 2), 100.0), *inner, (100.0, round(end, 2))]


def _around(at: tuple[float, float], width: float) -> Iterator[tuple[float, float]]:
    for ring in range(1, _FURTHEST):
        for x, y in _STEPS:
            reach = width / 2 + _POINT + 0.6 + 3 * (ring - 1)
            yield at[0] + x * reach, at[1] + y * (_LINE / 2 + _POINT + 3 * (ring - 1))


def _box(middle: tuple[float, float], width: float, height: float) -> Box:
    return middle[0] - width / 2, middle[1] - height / 2, middle[0] + width / 2, middle[1] + height / 2


def _is_free(box: Box, occupied: Sequence[Box]) -> bool:
    inside = box[0] >= 0 and box[1] >= 0 and box[2] <= 103 and box[3] <= 103
    return inside and not any(
        box[0] < other_box[2] and other_box[0] < box[2] and box[1] < other_box[3] and other_box[1] < box[3]
        for other_box in occupied
    )
