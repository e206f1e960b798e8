"""The same questions with one modality of another clip: which clip it is, and the rows of the two swaps.

The partner is a clip for which a question of the same task has another right answer; of those, one whose question and
options have the most words in common with this question's, rare words counting for more: so that the clip most likely
contradicts this question's right answer.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence

from emorealm_tasks.answers.choices import split_choice
from emorealm_tasks.benchmarks.controls import SEED
from emorealm_tasks.benchmarks.rows import Row

_WORD = re.compile(r"[a-z]+")


def partners(rows: Sequence[Row], seed: int = SEED) -> dict[str, Row]:
    """Question's id -> the row whose clip is its partner; the same whatever the order of the rows.

    Ties are drawn by `seed` and the question's id. Raises ValueError where no other clip of the same task has another
    right answer.
    """
    found = {}
    for task in sorted({row["task"] for row in rows}):
        of_task = [(row, _words(row), gold_text(row)) for row in rows if row["task"] == task]
        often = Counter(word for _, words, _ in of_task for word in words)
        weight = {word: math.log(len(of_task) / count) for word, count in often.items()}
        for row, words, gold in of_task:
            others = [
                (sum(weight[word] for word in sorted(words & their_words)), other)
                for other, their_words, their_gold in of_task
                if other["clip"] != row["clip"] and their_gold != gold
            ]
            if not others:
                raise ValueError(f"question {row['id']} has no partner: no other clip of {task} has another answer")
            most = max(common for common, _ in others)
            alike = [other for common, other in others if common == most]
            found[row["id"]] = min(alike, key=lambda other: draw(seed, row["id"], other["id"]))
    return found


def draw(seed: int, *names: str) -> str:
    """Digits to order things by at random: the same for the same seed and names."""
    return hashlib.sha256("\0".join([str(seed), *names]).encode()).hexdigest()


def gold_text(row: Row) -> str:
    """The right option without its letter."""
    return dict(map(split_choice, row["choices"]))[row["answer"]]


def swap_audio(rows: Sequence[Row], seed: int = SEED) -> list[Row]:
    """The rows with the picture of their own clip and the sound of their partner's; `given_clip` names the partner."""
    found = partners(rows, seed)
    return [crossed(row, row, found[row["id"]]) | {"given_clip": found[row["id"]]["clip"]} for row in rows]


def swap_video(rows: Sequence[Row], seed: int = SEED) -> list[Row]:
    """The rows with the picture of their partner's clip and the sound of their own; `given_clip` names the partner."""
    found = partners(rows, seed)
    return [crossed(row, found[row["id"]], row) | {"given_clip": found[row["id"]]["clip"]} for row in rows]


def sound_of(row: Row) -> str:
    """The file that holds a row's sound."""
    return row["audio"] or row["video"]


def crossed(row: Row, picture: Row, sound: Row) -> Row:
    """A row with the picture of one row's clip and the sound of another's."""
    return {**row, "video": picture["video"], "audio": sound_of(sound), "swapped": True}


def _words(row: Row) -> set[str]:
    return set(_WORD.findall(" ".join([row["question"], *row["choices"]]).lower()))
